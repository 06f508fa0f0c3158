//! A message as a handler gets it, and what the handler decides about it.

use std::time::Duration;

use skybus_model::{
    Timestamp,
    id::MessageId,
    message::{Context, Message, Outgoing},
    text,
};

/// A message that arrived. It has an id and a type; whether its body can be read shows when it is
/// [decoded](Delivery::decode).
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id, the same each time it is delivered.
    pub id: MessageId,
    /// `server.ensure/1`.
    pub kind: String,
    /// `compute.node-1.server.ensure`.
    pub routing_key: String,
    /// JSON.
    pub body: Vec<u8>,
    /// The trace that it belongs to.
    pub context: Context,
    /// When it was made, by the sender's clock, to the second.
    pub at: Timestamp,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// How many deliveries failed before this one.
    pub attempts: u32,
    /// Where an answer is wanted (calls only).
    pub(crate) reply_to: Option<String>,
    /// What the answer is matched by (calls only).
    pub(crate) correlation: Option<String>,
}

/// What becomes of a message that was handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done, or durably accepted.
    Ack,
    /// It can never be handled: to the dead letters, at once.
    Reject(String),
    /// Not now: deliver it again, up to the queue's delivery limit.
    Retry,
}

/// The message is not what the handler reads; the right verdict is [`Verdict::Reject`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Another type, or a version that this program does not know.
    #[error("it is of type {found:?}, and {expected:?} is read here")]
    Kind {
        /// What it says it is.
        found: String,
        /// What is read.
        expected: String,
    },
    /// The right type with the wrong content.
    #[error("its body is not a {expected}: {reason}")]
    Body {
        /// What is read.
        expected: String,
        /// What the decoder says.
        reason: String,
    },
}

impl From<DecodeError> for Verdict {
    fn from(error: DecodeError) -> Self {
        Self::Reject(error.to_string())
    }
}

impl Delivery {
    /// The typed message. The version before the current one is read too, so that services can be
    /// upgraded one after the other.
    ///
    /// # Errors
    /// [`DecodeError`] when the type, the version or the body does not fit.
    pub fn decode<M: Message>(&self) -> Result<M, DecodeError> {
        let expected = skybus_model::message::type_of::<M>();
        if !reads(&self.kind, M::NAME, M::VERSION) {
            return Err(DecodeError::Kind {
                found: self.kind.clone(),
                expected,
            });
        }
        if text::json_has_nul(&self.body) {
            let reason = text::NUL.to_owned();
            return Err(DecodeError::Body { expected, reason });
        }
        serde_json::from_slice(&self.body).map_err(|error| DecodeError::Body {
            expected,
            reason: error.to_string(),
        })
    }

    /// `server.ensure`, without the version: what a handler of several types matches on.
    #[must_use]
    pub fn name(&self) -> &str {
        self.kind
            .rsplit_once('/')
            .map_or(self.kind.as_str(), |(name, _)| name)
    }

    /// The second word of the routing key: the host that it comes from or goes to.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.routing_key.split('.').nth(1)
    }

    /// How long after it was made it arrived here.
    #[must_use]
    pub fn age(&self) -> Duration {
        Timestamp::now().since(self.at)
    }

    /// The delivery of this very message, as if a broker had brought it.
    #[must_use]
    pub fn of(message: &Outgoing) -> Self {
        Self {
            id: message.id,
            kind: message.kind.clone(),
            routing_key: message.routing_key.clone(),
            body: message.body.clone(),
            context: message.context.clone(),
            at: message.at,
            redelivered: false,
            attempts: 0,
            reply_to: None,
            correlation: None,
        }
    }
}

fn reads(kind: &str, name: &str, version: u16) -> bool {
    let Some((found, number)) = kind.rsplit_once('/') else {
        return false;
    };
    let Ok(number) = number.parse::<u16>() else {
        return false;
    };
    found == name && (number == version || number.checked_add(1) == Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_no_database_can_hold_is_no_message() {
        let place = skybus_model::message::command::ServerPlace {
            operation: skybus_model::id::OperationId::random(),
            server: skybus_model::id::ServerId::random(),
        };
        let mut delivery = Delivery::of(&Outgoing::to_any(&place, &Context::begin()));
        let mut body: serde_json::Value = serde_json::from_slice(&delivery.body).unwrap();
        body["more"] = "a\0b".into();
        delivery.body = body.to_string().into_bytes();
        let refused = delivery.decode::<skybus_model::message::command::ServerPlace>();
        assert!(
            matches!(refused, Err(DecodeError::Body { .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn this_version_and_the_one_before_are_read() {
        assert!(reads("server.ensure/2", "server.ensure", 2));
        assert!(reads("server.ensure/1", "server.ensure", 2));
        for bad in [
            "server.ensure/3",
            "server.ensure",
            "server.remove/2",
            "server.ensure/x",
            "server.ensure/65535",
            "",
        ] {
            assert!(!reads(bad, "server.ensure", 2), "{bad}");
        }
        assert!(!reads("server.ensure/0", "server.ensure", 2));
    }
}
