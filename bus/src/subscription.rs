//! What a process can listen to.

use skybus_model::{HostName, message::Service};

use crate::topology::{self, Queue, names};

/// What a process listens to; given to [`Bus::consume`](crate::Bus::consume).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Commands { service: Service, agent: HostName },
    Scheduler,
    Events,
    Beats { process: String },
}

impl Subscription {
    /// An agent's commands. Acknowledge them once they are in the journal.
    #[must_use]
    pub fn commands(service: Service, agent: &HostName) -> Self {
        Self(Kind::Commands {
            service,
            agent: agent.clone(),
        })
    }

    /// The schedulers' shared commands.
    #[must_use]
    pub const fn scheduler() -> Self {
        Self(Kind::Scheduler)
    }

    /// All events, shared among the API servers.
    #[must_use]
    pub const fn events() -> Self {
        Self(Kind::Events)
    }

    /// All heartbeats, for this process alone. Verdicts mean nothing here: a beat is never repeated.
    #[must_use]
    pub fn beats(process: &str) -> Self {
        Self(Kind::Beats {
            process: process.to_owned(),
        })
    }

    pub(crate) fn source(self, service: Service) -> Source {
        match self.0 {
            Kind::Commands { service, agent } => Source {
                queue: names::command_queue(service, &agent),
                own: None,
                at_once: 16,
                acknowledge: true,
                canary: Some(names::canary_key(service, agent.as_str())),
            },
            Kind::Scheduler => Source::shared(names::SCHEDULER_QUEUE, 4),
            Kind::Events => Source::shared(names::API_QUEUE, 64),
            Kind::Beats { process } => {
                Source::own(topology::beats(service, &process), service, &process)
            }
        }
    }
}

/// A queue to consume, and how.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) queue: String,
    /// The queue's description when the consumer itself declares it.
    pub(crate) own: Option<Queue>,
    /// How many messages are handled at the same time.
    pub(crate) at_once: u16,
    pub(crate) acknowledge: bool,
    /// The routing key by which a canary reaches this consumer and no other.
    pub(crate) canary: Option<String>,
}

impl Source {
    /// A queue that several processes share: a canary would reach another one.
    fn shared(queue: &str, at_once: u16) -> Self {
        Self {
            queue: queue.to_owned(),
            own: None,
            at_once,
            acknowledge: true,
            canary: None,
        }
    }

    pub(crate) fn own(queue: Queue, service: Service, process: &str) -> Self {
        Self {
            queue: queue.name.clone(),
            own: Some(queue),
            at_once: 256,
            acknowledge: false,
            canary: Some(names::canary_key(service, process)),
        }
    }

    /// A queue of calls, which somebody else declared for this process.
    pub(crate) fn calls(queue: String) -> Self {
        Self {
            queue,
            own: None,
            at_once: 32,
            acknowledge: false,
            canary: None,
        }
    }
}
