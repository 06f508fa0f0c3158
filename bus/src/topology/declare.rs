//! Declaring: what is described becomes real on a broker, any number of times.

use std::time::Duration;

use lapin::{
    Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};
use tokio::time::timeout;

use super::{Argument, Exchange, Queue, Topology};
use crate::properties::short;

/// How long a whole declaration may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why something could not be declared or removed.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// The address cannot be read.
    #[error("the broker's address is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST: {0}")]
    Address(String),
    /// The broker refused: it has the same name with other arguments, or the account may not.
    #[error("the broker refused {what}")]
    Refused {
        /// What was to be declared.
        what: String,
        /// What the broker said.
        #[source]
        source: Box<lapin::Error>,
    },
    /// The broker did not answer in time.
    #[error("the broker did not answer within {PATIENCE:?}")]
    Silent,
}

/// Declares all of it, with an account that may. Doing so again changes nothing.
///
/// # Errors
/// [`DeclareError`] names what was refused; what came before it is declared.
pub async fn declare(url: &str, topology: &Topology) -> Result<(), DeclareError> {
    with_channel(url, async |connection, channel| {
        for exchange in &topology.exchanges {
            declare_exchange(connection, channel, exchange).await?;
        }
        for queue in &topology.queues {
            refused(&queue.name, declare_queue(channel, queue).await)?;
            refused(&queue.name, bind(channel, queue).await)?;
        }
        Ok(())
    })
    .await
}

/// Removes the queues of it (a host that left, a subscriber), with what they hold.
///
/// # Errors
/// [`DeclareError`] names what was refused. A queue that is not there is no error.
pub async fn withdraw(url: &str, topology: &Topology) -> Result<(), DeclareError> {
    with_channel(url, async |_, channel| {
        for queue in &topology.queues {
            let gone = channel
                .queue_delete(short(&queue.name), QueueDeleteOptions::default())
                .await;
            refused(&queue.name, gone)?;
        }
        Ok(())
    })
    .await
}

async fn with_channel(
    url: &str,
    work: impl AsyncFnOnce(&Connection, &Channel) -> Result<(), DeclareError>,
) -> Result<(), DeclareError> {
    let address: AMQPUri = url.parse().map_err(DeclareError::Address)?;
    let all = async {
        let properties = ConnectionProperties::default().with_connection_name("topology".into());
        let connection = refused(
            "the connection",
            Connection::connect_uri(address, properties).await,
        )?;
        let channel = refused("a channel", connection.create_channel().await)?;
        let outcome = work(&connection, &channel).await;
        // The work is done or refused; a goodbye that fails changes neither.
        let _closed = connection.close(200, "done".into()).await;
        outcome
    };
    timeout(PATIENCE, all)
        .await
        .unwrap_or(Err(DeclareError::Silent))
}

async fn declare_exchange(
    connection: &Connection,
    channel: &Channel,
    exchange: &Exchange,
) -> Result<(), DeclareError> {
    if exchange.shared {
        // The ecosystem's consumers may have made it first, durable or not. Asking for a missing one
        // closes the channel, so it is asked for on a channel of its own.
        let asking = refused("a channel", connection.create_channel().await)?;
        let look = ExchangeDeclareOptions {
            passive: true,
            ..Default::default()
        };
        let there = asking
            .exchange_declare(
                exchange.name.into(),
                ExchangeKind::Topic,
                look,
                FieldTable::default(),
            )
            .await;
        if there.is_ok() {
            return Ok(());
        }
    }
    let options = ExchangeDeclareOptions {
        durable: true,
        ..Default::default()
    };
    refused(
        exchange.name,
        channel
            .exchange_declare(
                exchange.name.into(),
                ExchangeKind::Topic,
                options,
                FieldTable::default(),
            )
            .await,
    )
}

pub(crate) async fn declare_queue(channel: &Channel, queue: &Queue) -> lapin::Result<()> {
    let options = QueueDeclareOptions {
        durable: !queue.exclusive,
        exclusive: queue.exclusive,
        auto_delete: queue.exclusive,
        ..Default::default()
    };
    let mut arguments = FieldTable::default();
    for (name, value) in &queue.arguments {
        let value = match value {
            Argument::Word(word) => AMQPValue::LongString((*word).into()),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
            Argument::Flag(flag) => AMQPValue::Boolean(*flag),
        };
        arguments.insert((*name).into(), value);
    }
    channel
        .queue_declare(short(&queue.name), options, arguments)
        .await
        .map(|_| ())
}

pub(crate) async fn bind(channel: &Channel, queue: &Queue) -> lapin::Result<()> {
    for binding in &queue.bindings {
        channel
            .queue_bind(
                short(&queue.name),
                binding.exchange.into(),
                short(&binding.key),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
    }
    Ok(())
}

fn refused<T>(what: &str, answer: lapin::Result<T>) -> Result<T, DeclareError> {
    answer.map_err(|error| DeclareError::Refused {
        what: what.to_owned(),
        source: Box::new(error),
    })
}
