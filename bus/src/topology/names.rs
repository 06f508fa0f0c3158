//! The names of exchanges and queues. A name never holds a UUID: quorum queues are never forgotten by a
//! broker's memory, so names must be few and stable.

use skybus_model::{
    HostName,
    message::{Call, Service},
};

/// Commands, to hosts and schedulers.
pub const COMMANDS: &str = "skybus.cmd";
/// Events, from agents.
pub const EVENTS: &str = "skybus.evt";
/// Heartbeats.
pub const BEATS: &str = "skybus.beat";
/// Calls: short reads with an answer.
pub const CALLS: &str = "skybus.call";
/// Answers to calls.
pub const REPLIES: &str = "skybus.reply";
/// Proofs that a process still hears its own queue.
pub const CANARIES: &str = "skybus.canary";
/// What nobody could handle; also the name of the queue that keeps it.
pub const DEAD: &str = "skybus.dead";
/// Notifications for the OpenStack ecosystem.
pub const NOTIFICATIONS: &str = "nova";

/// The schedulers' shared queue.
pub const SCHEDULER_QUEUE: &str = "skybus.scheduler.v1";
/// The API servers' shared queue of events.
pub const API_QUEUE: &str = "skybus.api.v1";

/// An agent's queue of commands.
#[must_use]
pub fn command_queue(service: Service, agent: &HostName) -> String {
    format!("skybus.{service}.{agent}.v1")
}

/// An agent's queue of calls of one type.
#[must_use]
pub fn call_queue<C: Call>(agent: &HostName) -> String {
    call_queue_of(C::TO, agent, C::NAME)
}

pub(crate) fn call_queue_of(service: Service, agent: &HostName, call: &str) -> String {
    format!("skybus.call.{service}.{agent}.{call}.v1")
}

/// A process's queue of heartbeats.
#[must_use]
pub fn beat_queue(service: Service, process: &str) -> String {
    format!("skybus.beat.{service}.{process}")
}

/// A process's queue of answers.
#[must_use]
pub fn reply_queue(service: Service, process: &str) -> String {
    format!("skybus.reply.{service}.{process}")
}

/// A subscriber's queue.
#[must_use]
pub fn subscriber_queue(name: &HostName) -> String {
    format!("skybus.subscriber.{name}")
}

/// The routing key of a canary: `compute.node-1`.
pub(crate) fn canary_key(service: Service, process: &str) -> String {
    format!("{service}.{process}")
}
