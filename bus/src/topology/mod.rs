//! Every exchange, queue and binding, with its arguments: the one description from which they are
//! declared, on which permissions rest, and against which `docs/bus.md` is checked.
//!
//! Durable things are declared by an account that may ([`mod@declare`]): the control plane's when a cloud is
//! started, a host's when it joins, a subscriber's when it is added. A process itself declares only
//! queues that die with its connection ([`beats`], [`replies`]).

mod declare;
pub mod names;
mod queues;

pub use declare::{DeclareError, declare, withdraw};
pub(crate) use declare::{bind, declare_queue};
pub use queues::{agent, beats, control_plane, replies, subscriber};

/// An exchange. All are of type `topic` and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: &'static str,
    /// Somebody else may have made it with other properties; then it is taken as it is.
    pub shared: bool,
    /// What it is for, as `docs/bus.md` says it.
    pub purpose: &'static str,
}

/// A queue with its bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Whether it lives and dies with one connection.
    pub exclusive: bool,
    /// Its arguments. They never change under the same name: a queue with others gets a new version.
    pub arguments: Vec<(&'static str, Argument)>,
    /// What it is bound to.
    pub bindings: Vec<Binding>,
}

/// The value of a queue's argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A word.
    Word(&'static str),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// What brings messages from an exchange to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The exchange.
    pub exchange: &'static str,
    /// The routing keys, with `*` for one word and `#` for any number of words.
    pub key: String,
}

/// Exchanges and queues that are declared together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    /// The exchanges.
    pub exchanges: Vec<Exchange>,
    /// The queues.
    pub queues: Vec<Queue>,
}
