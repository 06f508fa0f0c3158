//! What the services say to each other.
//!
//! Four kinds, each its own trait, so that the wrong payload on a topic does not compile:
//! a [`Command`] goes to one host's queue or to the schedulers' shared one; an [`Event`] is a fact that
//! anyone with the right may hear; a [`Heartbeat`](heartbeat::HostBeat) may be lost; a [`Call`] is a
//! short read with an answer within a deadline, on which nothing's state depends.
//! `docs/bus.md` lists them all and is checked against this module.

pub mod call;
pub mod command;
pub mod context;
pub mod event;
pub mod heartbeat;
pub mod notification;
pub mod outgoing;

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

pub use context::Context;
pub use outgoing::{BY_A_WRONG_CLOCK, Exchange, Outbox, Outgoing};

use crate::HostName;

/// A role whose processes take part in the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// `skybus-api`.
    Api,
    /// `skybus-scheduler`.
    Scheduler,
    /// `skybus-compute`.
    Compute,
    /// `skybus-network`.
    Network,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 4] = [Self::Api, Self::Scheduler, Self::Compute, Self::Network];

    /// The first word of its routing keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Scheduler => "scheduler",
            Self::Compute => "compute",
            Self::Network => "network",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What every message has: a name and a version, which travel as the AMQP property `type`
/// (`server.ensure/1`).
pub trait Message: Serialize + DeserializeOwned + Send + Sync + fmt::Debug + 'static {
    /// `resource.verb`, e.g. `server.ensure`; also the last two words of the routing key.
    const NAME: &'static str;
    /// Raised when the fields change in a way that an older reader would misread.
    const VERSION: u16 = 1;
}

/// Do this: desired state, generation and deadline; idempotent and safe to send again.
pub trait Command: Message {
    /// Whose queue it goes to.
    const TO: Service;
}

/// This happened: a snapshot from the one who owns the fact.
pub trait Event: Message {
    /// Who says it.
    const FROM: Service;
}

/// A short read with an answer.
pub trait Call: Message {
    /// Who is asked.
    const TO: Service;
    /// The answer.
    type Answer: Serialize + DeserializeOwned + Send + Sync + fmt::Debug + 'static;
}

/// The routing key `service.host.resource.verb`; `any` where no one host is meant.
#[must_use]
pub fn routing_key(service: Service, host: Option<&HostName>, name: &str) -> String {
    format!("{service}.{}.{name}", host.map_or("any", HostName::as_str))
}

/// The AMQP `type` of a message: `server.ensure/1`.
#[must_use]
pub fn type_of<M: Message>() -> String {
    format!("{}/{}", M::NAME, M::VERSION)
}
