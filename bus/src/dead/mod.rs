//! Dead letters: what was refused, or failed more often than a queue allows. Operators list, read,
//! replay and drop them.
//!
//! The queue itself is the store. Looking takes messages out on a channel of its own and closes that
//! channel, which puts them back; so only one look at a time, and a very long queue is seen up to a bound.

mod letter;

use std::time::Duration;

use lapin::{
    Channel,
    message::BasicGetMessage,
    options::{BasicAckOptions, BasicGetOptions},
};
use tokio::{sync::Mutex, time::timeout};

pub use self::letter::DeadLetter;
use self::letter::{again, letter};
use crate::{Bus, SendError, properties::short, topology::names};

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
