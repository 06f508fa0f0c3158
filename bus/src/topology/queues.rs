//! Which exchanges and queues there are, and for whom.

use skybus_model::{
    HostName,
    message::{
        Call, Message, Service,
        call::{ConsoleTail, NetworkPlan},
    },
};

use super::{
    Argument::{Flag, Number, Word},
    Binding, Exchange, Queue, Topology,
    names::{
        API_QUEUE, BEATS, CALLS, CANARIES, COMMANDS, DEAD, EVENTS, NOTIFICATIONS, REPLIES,
        SCHEDULER_QUEUE, beat_queue, call_queue_of, canary_key, command_queue, reply_queue,
        subscriber_queue,
    },
};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Every call that there is, with who is asked.
pub(super) const CALL_TYPES: &[(Service, &str)] = &[
    (ConsoleTail::TO, ConsoleTail::NAME),
    (NetworkPlan::TO, NetworkPlan::NAME),
];

const EXCHANGES: &[Exchange] = &[
    Exchange {
        name: COMMANDS,
        shared: false,
        purpose: "commands, to hosts and schedulers",
    },
    Exchange {
        name: EVENTS,
        shared: false,
        purpose: "events, from agents",
    },
    Exchange {
        name: BEATS,
        shared: false,
        purpose: "heartbeats, which may be lost",
    },
    Exchange {
        name: CALLS,
        shared: false,
        purpose: "calls: short reads with an answer",
    },
    Exchange {
        name: REPLIES,
        shared: false,
        purpose: "answers to calls",
    },
    Exchange {
        name: CANARIES,
        shared: false,
        purpose: "a process's proof that it hears itself",
    },
    Exchange {
        name: DEAD,
        shared: false,
        purpose: "what nobody could handle",
    },
    Exchange {
        name: NOTIFICATIONS,
        shared: true,
        purpose: "oslo.messaging 2.0 notifications",
    },
];

/// What every cloud has, whatever hosts it has.
#[must_use]
pub fn control_plane() -> Topology {
    Topology {
        exchanges: EXCHANGES.to_vec(),
        queues: vec![
            Queue {
                name: SCHEDULER_QUEUE.to_owned(),
                exclusive: false,
                arguments: work_queue(),
                bindings: vec![bound(COMMANDS, "scheduler.#")],
            },
            Queue {
                name: API_QUEUE.to_owned(),
                exclusive: false,
                arguments: work_queue(),
                bindings: vec![bound(EVENTS, "#")],
            },
            Queue {
                name: DEAD.to_owned(),
                exclusive: false,
                arguments: vec![
                    ("x-queue-type", Word("quorum")),
                    ("x-max-length", Number(100_000)),
                    ("x-message-ttl", Number(14 * DAY_MS)),
                    // Looking at dead letters returns them to the queue; that must not use them up.
                    ("x-delivery-limit", Number(1_000_000)),
                ],
                bindings: vec![bound(DEAD, "#")],
            },
        ],
    }
}

/// What an agent needs. `hosts` are the hosts that it speaks for: itself, or all the fake hosts that it
/// plays.
#[must_use]
pub fn agent(service: Service, agent: &HostName, hosts: &[HostName]) -> Topology {
    let mut arguments = work_queue();
    arguments.push(("x-single-active-consumer", Flag(true)));
    let mut bindings: Vec<_> = hosts
        .iter()
        .map(|host| bound(COMMANDS, format!("{service}.{host}.#")))
        .collect();
    // The canary comes through the very queue that commands come through.
    bindings.push(bound(CANARIES, canary_key(service, agent.as_str())));
    let commands = Queue {
        name: command_queue(service, agent),
        exclusive: false,
        arguments,
        bindings,
    };
    let calls = CALL_TYPES
        .iter()
        .filter(|(to, _)| *to == service)
        .map(|(_, call)| Queue {
            name: call_queue_of(service, agent, call),
            exclusive: false,
            arguments: vec![
                ("x-queue-type", Word("classic")),
                ("x-max-length", Number(1000)),
                ("x-overflow", Word("drop-head")),
                ("x-message-ttl", Number(10_000)),
            ],
            bindings: hosts
                .iter()
                .map(|host| bound(CALLS, format!("{service}.{host}.{call}")))
                .collect(),
        });
    let queues = std::iter::once(commands).chain(calls).collect();
    Topology {
        exchanges: Vec::new(),
        queues,
    }
}

/// A process's own queue of heartbeats: all of them, and only the newest.
#[must_use]
pub fn beats(service: Service, process: &str) -> Queue {
    Queue {
        name: beat_queue(service, process),
        exclusive: true,
        arguments: vec![
            ("x-max-length", Number(10_000)),
            ("x-overflow", Word("drop-head")),
            ("x-message-ttl", Number(30_000)),
        ],
        bindings: vec![
            bound(BEATS, "#"),
            bound(CANARIES, canary_key(service, process)),
        ],
    }
}

/// A process's own queue of answers to its calls.
#[must_use]
pub fn replies(service: Service, process: &str) -> Queue {
    Queue {
        name: reply_queue(service, process),
        exclusive: true,
        arguments: vec![
            ("x-max-length", Number(1000)),
            ("x-overflow", Word("drop-head")),
            ("x-message-ttl", Number(10_000)),
        ],
        bindings: vec![
            bound(REPLIES, format!("*.*.{service}.{process}")),
            bound(CANARIES, canary_key(service, process)),
        ],
    }
}

/// A subscriber's queue: bounded, and the oldest go first, so that a subscriber that is away never
/// holds up anybody else. What it missed is in the event history of the operator API.
#[must_use]
pub fn subscriber(name: &HostName, keys: &[String]) -> Topology {
    let queue = Queue {
        name: subscriber_queue(name),
        exclusive: false,
        arguments: vec![
            ("x-queue-type", Word("quorum")),
            ("x-max-length", Number(10_000)),
            ("x-overflow", Word("drop-head")),
            ("x-message-ttl", Number(7 * DAY_MS)),
            ("x-delivery-limit", Number(20)),
        ],
        bindings: keys.iter().map(|key| bound(EVENTS, key.as_str())).collect(),
    };
    Topology {
        exchanges: Vec::new(),
        queues: vec![queue],
    }
}

/// What all queues of work have: nothing is dropped silently. A full queue refuses, a message that keeps
/// failing moves to the dead letters, and it leaves here only once it is safe there.
fn work_queue() -> Vec<(&'static str, super::Argument)> {
    vec![
        ("x-queue-type", Word("quorum")),
        ("x-delivery-limit", Number(10)),
        ("x-dead-letter-exchange", Word(DEAD)),
        ("x-dead-letter-strategy", Word("at-least-once")),
        ("x-max-length", Number(20_000)),
        ("x-overflow", Word("reject-publish")),
    ]
}

fn bound(exchange: &'static str, key: impl Into<String>) -> Binding {
    Binding {
        exchange,
        key: key.into(),
    }
}
