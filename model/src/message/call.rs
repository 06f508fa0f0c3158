//! Calls: short reads with an answer within a deadline.

use serde::{Deserialize, Serialize};

use super::{Call, Message, Service};
use crate::id::ServerId;

/// The end of a server's console log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleTail {
    /// The server.
    pub server: ServerId,
    /// How many lines; all (up to 100 KiB) when absent.
    pub lines: Option<usize>,
}

/// The answer to [`ConsoleTail`]: the text, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsoleAnswer {
    /// The text; bytes that are no UTF-8 are replaced.
    Text(String),
    /// The server has no console on that host.
    NoSuchServer,
}

impl Message for ConsoleTail {
    const NAME: &'static str = "console.tail";
}
impl Call for ConsoleTail {
    const TO: Service = Service::Compute;
    type Answer = ConsoleAnswer;
}

/// What a host's network worker would change there, to make it as its records want it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPlan {}

/// The answer to [`NetworkPlan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlanAnswer {
    /// The changes in their order, a line each; none when all is as it should be.
    Changes(Vec<String>),
    /// The host or the worker's records cannot be read; why.
    Failed(String),
}

impl Message for NetworkPlan {
    const NAME: &'static str = "network.plan";
}
impl Call for NetworkPlan {
    const TO: Service = Service::Network;
    type Answer = PlanAnswer;
}
