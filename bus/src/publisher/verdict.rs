//! What became of the messages of a batch.

use std::collections::HashSet;

use lapin::Confirmation;

use super::{CONFIRM_WITHIN, Parcel};

/// Why a message is not known to have arrived. Its row stays in the outbox; sending again is harmless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No queue is bound for it: the host is unknown or was removed.
    #[error("no queue takes messages for {routing_key}")]
    Unroutable {
        /// Its routing key.
        routing_key: String,
    },
    /// Its queue is full.
    #[error("the queue for {routing_key} takes no more messages")]
    Refused {
        /// Its routing key.
        routing_key: String,
    },
    /// The broker did not say in time whether it has the message. It may have it.
    #[error("the broker did not confirm within {CONFIRM_WITHIN:?}")]
    Unconfirmed,
    /// The broker takes no messages for now: a memory or disk alarm of its own. It may have this one.
    #[error("the broker takes no messages for now: its memory or its disk is nearly full")]
    Blocked,
    /// There is no connection now.
    #[error("there is no connection to the broker")]
    NotConnected,
    /// This account may not send it, or its exchange is missing.
    #[error("the broker refused it: {reason}")]
    Forbidden {
        /// What the broker said.
        reason: String,
    },
    /// The connection broke on the way.
    #[error("the broker broke off: {reason}")]
    Broken {
        /// What the broker said.
        reason: String,
    },
}

/// What became of each message. An `Ack` that carries a message says that *some* message of the batch
/// was returned; its id says which.
pub(super) fn verdicts(
    parcels: &[Parcel],
    confirmations: Vec<Result<Confirmation, SendError>>,
) -> Vec<Result<(), SendError>> {
    let mut returned = HashSet::new();
    let mut plain = Vec::with_capacity(parcels.len());
    for confirmation in confirmations {
        plain.push(confirmation.map(|confirmation| {
            let acked = confirmation.is_ack();
            if let Some(message) = confirmation.take_message()
                && let Some(id) = message.properties.message_id()
            {
                returned.insert(id.clone());
            }
            acked
        }));
    }
    parcels
        .iter()
        .zip(plain)
        .map(|(parcel, result)| {
            let routing_key = parcel.routing_key.clone();
            match (parcel.properties.message_id(), result) {
                (Some(id), _) if returned.contains(id) => {
                    Err(SendError::Unroutable { routing_key })
                }
                (_, Ok(true)) => Ok(()),
                (_, Ok(false)) => Err(SendError::Refused { routing_key }),
                (_, Err(error)) => Err(error),
            }
        })
        .collect()
}
