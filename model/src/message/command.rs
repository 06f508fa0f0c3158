//! Commands: from the control plane to a host's agents or to the schedulers.

use serde::{Deserialize, Serialize};

use super::{Command, Message, Service};
use crate::{
    Generation, Timestamp,
    id::{NetworkId, OperationId, PortId, ServerId},
    network::PortSpec,
    server::{Desired, Restart, ServerSpec},
};

/// Find a host for a server whose boot is in step `placing`. The rows say the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPlace {
    /// The boot.
    pub operation: OperationId,
    /// The server.
    pub server: ServerId,
}

/// Make a server be as described, whatever it was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerEnsure {
    /// The operation that it serves; none when it repairs.
    pub operation: Option<OperationId>,
    /// The server's generation.
    pub generation: Generation,
    /// Whether it should run.
    pub desired: Desired,
    /// A reboot to be done once, if this generation has not been applied yet.
    #[serde(default)]
    pub restart: Option<Restart>,
    /// Everything about it.
    pub spec: ServerSpec,
    /// After this moment the work is not begun any more.
    pub deadline: Timestamp,
}

/// See to it that a server does not exist on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRemove {
    /// The operation that it serves; none when it repairs.
    pub operation: Option<OperationId>,
    /// The server.
    pub server: ServerId,
    /// The server's generation.
    pub generation: Generation,
}

/// Make a port be as described, with its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortEnsure {
    /// The operation that it serves; none when it repairs or when rules changed.
    pub operation: Option<OperationId>,
    /// The port's generation.
    pub generation: Generation,
    /// Everything about it.
    pub spec: PortSpec,
}

/// See to it that a port does not exist on this host; a network without ports goes too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRemove {
    /// The operation that it serves; none when it repairs.
    pub operation: Option<OperationId>,
    /// The port.
    pub port: PortId,
    /// Its network.
    pub network: NetworkId,
    /// The port's generation.
    pub generation: Generation,
}

impl Message for ServerPlace {
    const NAME: &'static str = "server.place";
}
impl Command for ServerPlace {
    const TO: Service = Service::Scheduler;
}
impl Message for ServerEnsure {
    const NAME: &'static str = "server.ensure";
}
impl Command for ServerEnsure {
    const TO: Service = Service::Compute;
}
impl Message for ServerRemove {
    const NAME: &'static str = "server.remove";
}
impl Command for ServerRemove {
    const TO: Service = Service::Compute;
}
impl Message for PortEnsure {
    const NAME: &'static str = "port.ensure";
}
impl Command for PortEnsure {
    const TO: Service = Service::Network;
}
impl Message for PortRemove {
    const NAME: &'static str = "port.remove";
}
impl Command for PortRemove {
    const TO: Service = Service::Network;
}
