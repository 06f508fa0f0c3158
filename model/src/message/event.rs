//! Events: what agents report to the control plane, and to whoever else may listen.

use serde::{Deserialize, Serialize};

use super::{Event, Message, Service};
use crate::{
    Fault, Generation, HostName, Order,
    id::{NetworkId, OperationId, PortId, ServerId},
    operation::Hop,
    server::Power,
};

/// A server's machine is so on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerReport {
    /// The server.
    pub server: ServerId,
    /// The operation whose command led to this; none when the host noticed it by itself.
    pub operation: Option<OperationId>,
    /// The generation of the last command that was applied, or that failed.
    pub generation: Generation,
    /// The agent's own counter.
    pub order: Order,
    /// The host that says so.
    pub host: HostName,
    /// What the hypervisor says.
    pub power: Power,
    /// Why the command could not be carried out. The host has cleaned up after itself.
    #[serde(default)]
    pub fault: Option<Fault>,
    /// What happened on the way, oldest first.
    #[serde(default)]
    pub hops: Vec<Hop>,
}

/// A port is so on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortReport {
    /// The port.
    pub port: PortId,
    /// The operation whose command led to this.
    pub operation: Option<OperationId>,
    /// The generation of the last command that was applied, or that failed.
    pub generation: Generation,
    /// The agent's own counter.
    pub order: Order,
    /// The host that says so.
    pub host: HostName,
    /// Whether it is there.
    pub state: PortState,
    /// Why the command could not be carried out.
    #[serde(default)]
    pub fault: Option<Fault>,
    /// What happened on the way, oldest first.
    #[serde(default)]
    pub hops: Vec<Hop>,
}

/// Whether a port is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// Its tap exists and its rules hold.
    Up,
    /// It could not be made.
    Down,
    /// There is no such port on the host.
    Absent,
}

/// All servers that a compute host has: at start, on reconnection, and once a minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputeInventory {
    /// The host.
    pub host: HostName,
    /// The agent's own counter when the inventory was taken.
    pub order: Order,
    /// What is there.
    pub servers: Vec<ServerFact>,
}

/// One server of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFact {
    /// The server.
    pub server: ServerId,
    /// The generation of the last command that was applied.
    pub generation: Generation,
    /// What the hypervisor says.
    pub power: Power,
    /// Whether work for it is still going on.
    pub busy: bool,
}

/// All ports that a network host has: at start, on reconnection, and once a minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInventory {
    /// The host.
    pub host: HostName,
    /// The agent's own counter when the inventory was taken.
    pub order: Order,
    /// What is there.
    pub ports: Vec<PortFact>,
}

/// One port of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortFact {
    /// The port.
    pub port: PortId,
    /// Its network.
    pub network: NetworkId,
    /// The generation of the last command that was applied.
    pub generation: Generation,
}

impl Message for ServerReport {
    const NAME: &'static str = "server.report";
}
impl Event for ServerReport {
    const FROM: Service = Service::Compute;
}
impl Message for PortReport {
    const NAME: &'static str = "port.report";
}
impl Event for PortReport {
    const FROM: Service = Service::Network;
}
impl Message for ComputeInventory {
    const NAME: &'static str = "host.inventory";
}
impl Event for ComputeInventory {
    const FROM: Service = Service::Compute;
}
impl Message for NetworkInventory {
    const NAME: &'static str = "host.inventory";
}
impl Event for NetworkInventory {
    const FROM: Service = Service::Network;
}
