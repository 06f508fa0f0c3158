//! Dead letters: what was refused, or failed more often than a queue allows. Operators list, read,
//! replay and drop them.
//!
//! The queue itself is the store. Looking takes messages out on a channel of its own and closes that
//! channel, which puts them back; so only one look at a time, and a very long queue is seen up to a bound.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use lapin::{
    Channel,
    message::BasicGetMessage,
    options::{BasicAckOptions, BasicGetOptions},
    types::{AMQPValue, FieldTable},
};
use serde::Serialize;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    Bus, SendError,
    properties::{header, number, short},
    publisher::Parcel,
    topology::names,
};

/// How far into the queue a letter is looked for.
const DEEPEST: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(30);

static ONE_LOOK_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Why a dead letter could not be shown, replayed or dropped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none with that id, or somebody else is looking at it right now.
    #[error("there is no dead letter {id}")]
    NotFound {
        /// The id that was asked for.
        id: String,
    },
    /// It was put back because the message could not be sent again.
    #[error("it could not be sent again and stays a dead letter")]
    NotSent(#[source] SendError),
    /// It came through an exchange that nothing is sent to from here.
    #[error("it came through exchange {exchange:?}, through which nothing is replayed")]
    NotOurs {
        /// The exchange.
        exchange: String,
    },
    /// The broker did not go along.
    #[error("the broker did not answer: {reason}")]
    Broker {
        /// What it said.
        reason: String,
    },
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// The message's id, or a word made from its content when it has none.
    pub id: String,
    /// `server.ensure/1`; empty when it has none.
    pub kind: String,
    /// The exchange that it was sent to.
    pub exchange: String,
    /// The key that it was sent with.
    pub routing_key: String,
    /// The queue that gave it up.
    pub queue: String,
    /// Why: `rejected`, `delivery_limit`, `expired`, `maxlen`.
    pub reason: String,
    /// When it died, in seconds since 1970.
    pub at: i64,
    /// The length of its body.
    pub size: usize,
    /// The request that it belongs to; empty when it has none.
    pub request_id: String,
}

/// The oldest dead letters.
///
/// # Errors
/// [`Error::Broker`].
pub async fn list(bus: &Bus, most: usize) -> Result<Vec<DeadLetter>, Error> {
    let _turn = ONE_LOOK_AT_A_TIME.lock().await;
    bounded(async {
        let channel = bus.channel().await.map_err(broker)?;
        let mut letters = Vec::new();
        while letters.len() < most.min(DEEPEST)
            && let Some(message) = take(&channel).await?
        {
            letters.push(letter(&message));
        }
        put_back(channel).await;
        Ok(letters)
    })
    .await
}

/// A dead letter with its body; bytes that are no UTF-8 are replaced.
///
/// # Errors
/// [`Error`].
pub async fn show(bus: &Bus, id: &str) -> Result<(DeadLetter, String), Error> {
    let _turn = ONE_LOOK_AT_A_TIME.lock().await;
    bounded(async {
        let (channel, message) = find(bus, id).await?;
        let shown = (
            letter(&message),
            String::from_utf8_lossy(&message.data).into_owned(),
        );
        put_back(channel).await;
        Ok(shown)
    })
    .await
}

/// Sends a dead letter again, as it was sent first, and removes it once a queue has it.
///
/// # Errors
/// [`Error`].
pub async fn replay(bus: &Bus, id: &str) -> Result<DeadLetter, Error> {
    let _turn = ONE_LOOK_AT_A_TIME.lock().await;
    bounded(async {
        let (channel, message) = find(bus, id).await?;
        let dead = letter(&message);
        let sent = match [names::COMMANDS, names::EVENTS]
            .iter()
            .find(|e| **e == dead.exchange)
        {
            Some(exchange) => bus.publish(again(exchange, &dead, &message)).await,
            None => {
                put_back(channel).await;
                return Err(Error::NotOurs {
                    exchange: dead.exchange,
                });
            }
        };
        if let Err(error) = sent {
            put_back(channel).await;
            return Err(Error::NotSent(error));
        }
        message
            .ack(BasicAckOptions::default())
            .await
            .map_err(broker)?;
        put_back(channel).await;
        Ok(dead)
    })
    .await
}

/// Removes a dead letter.
///
/// # Errors
/// [`Error`].
pub async fn drop_letter(bus: &Bus, id: &str) -> Result<DeadLetter, Error> {
    let _turn = ONE_LOOK_AT_A_TIME.lock().await;
    bounded(async {
        let (channel, message) = find(bus, id).await?;
        message
            .ack(BasicAckOptions::default())
            .await
            .map_err(broker)?;
        put_back(channel).await;
        Ok(letter(&message))
    })
    .await
}

async fn bounded<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        Err(Error::Broker {
            reason: format!("silent for {PATIENCE:?}"),
        })
    })
}

async fn find(bus: &Bus, id: &str) -> Result<(Channel, BasicGetMessage), Error> {
    let channel = bus.channel().await.map_err(broker)?;
    for _ in 0..DEEPEST {
        match take(&channel).await? {
            Some(message) if letter(&message).id == id => return Ok((channel, message)),
            Some(_) => {}
            None => break,
        }
    }
    put_back(channel).await;
    Err(Error::NotFound { id: id.to_owned() })
}

async fn take(channel: &Channel) -> Result<Option<BasicGetMessage>, Error> {
    channel
        .basic_get(names::DEAD.into(), BasicGetOptions::default())
        .await
        .map_err(broker)
}

/// What was taken and not acknowledged goes back when its channel ends.
async fn put_back(channel: Channel) {
    if let Err(error) = channel.close(200, short("done")).await {
        tracing::debug!(%error, "the channel was closed already");
    }
}

fn broker(error: impl std::fmt::Display) -> Error {
    Error::Broker {
        reason: error.to_string(),
    }
}

fn letter(message: &BasicGetMessage) -> DeadLetter {
    let properties = &message.properties;
    let death = first_death(message);
    let word = |name| death.as_ref().and_then(|death| text(death, name));
    let id = properties.message_id().as_ref().map_or_else(
        || {
            let mut hasher = DefaultHasher::new();
            (&message.data, message.routing_key.as_str()).hash(&mut hasher);
            format!("nameless-{:016x}", hasher.finish())
        },
        ToString::to_string,
    );
    DeadLetter {
        id,
        kind: properties
            .kind()
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        exchange: word("exchange").unwrap_or_default(),
        routing_key: message.routing_key.to_string(),
        queue: word("queue").unwrap_or_default(),
        reason: word("reason").unwrap_or_default(),
        at: death.as_ref().and_then(when).unwrap_or(0),
        size: message.data.len(),
        request_id: header(properties, "request-id").unwrap_or_default(),
    }
}

/// The newest entry of `x-death`, which is the broker's own record.
fn first_death(message: &BasicGetMessage) -> Option<FieldTable> {
    match message
        .properties
        .headers()
        .as_ref()?
        .inner()
        .get("x-death")?
    {
        AMQPValue::FieldArray(deaths) => match deaths.as_slice().first()? {
            AMQPValue::FieldTable(death) => Some(death.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn text(death: &FieldTable, name: &str) -> Option<String> {
    match death.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn when(death: &FieldTable) -> Option<i64> {
    match death.inner().get("time")? {
        AMQPValue::Timestamp(seconds) => i64::try_from(*seconds).ok(),
        _ => None,
    }
}

/// The message as it was first sent: without what the broker wrote into its headers.
fn again(exchange: &'static str, dead: &DeadLetter, message: &BasicGetMessage) -> Parcel {
    let mut headers = FieldTable::default();
    if let Some(had) = message.properties.headers() {
        for (name, value) in had.inner() {
            if !name.as_str().starts_with("x-") {
                headers.insert(name.clone(), value.clone());
            }
        }
    }
    let mut properties = message
        .properties
        .clone()
        .with_headers(headers)
        .with_delivery_mode(2);
    if properties.message_id().is_none() {
        properties = properties.with_message_id(short(&dead.id));
    }
    debug_assert!(number(&properties, "x-delivery-count").is_none());
    Parcel {
        exchange,
        routing_key: dead.routing_key.clone(),
        properties,
        body: message.data.clone(),
    }
}
