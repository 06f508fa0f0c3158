//! What a compute host needs to know in order to run a server.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{
    host::Resources,
    id::{ImageId, NetworkId, PortId, ProjectId, ServerId, UserId},
    image::DiskFormat,
};

/// Whether a server should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// It should run.
    Running,
    /// It should exist and be off.
    Stopped,
}

/// A reboot that is asked for once, at the generation of the command that carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Ask the guest (ACPI), and reset it when it has not gone down in time.
    Soft,
    /// Reset the machine at once.
    Hard,
}

/// Everything about a server that its host must know. It carries no secret: what is secret (user data,
/// the administrator's password) is fetched by the guest, or by the host through `config_drive`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    /// The server.
    pub id: ServerId,
    /// Its project.
    pub project: ProjectId,
    /// Its owner.
    pub user: UserId,
    /// Its name, for people.
    pub name: String,
    /// The flavor's name, for notifications and the fake driver.
    pub flavor: String,
    /// What it may use. `disk_gib` 0 means the size of the image.
    pub resources: Resources,
    /// The image that its disk is a copy-on-write child of.
    pub image: ImageSource,
    /// Its interfaces, in order.
    pub nics: Vec<Nic>,
    /// Where to fetch the config drive's content (a JSON tree of path to text), when one is wanted: a
    /// path with a short-lived signature, below the API's address.
    #[serde(default)]
    pub config_drive: Option<String>,
}

/// Where a host gets an image from and how it knows that it got the right bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSource {
    /// The image.
    pub id: ImageId,
    /// What is in it.
    pub format: DiskFormat,
    /// Its size in bytes.
    pub size: i64,
    /// The SHA-512 of its bytes, in hexadecimal.
    pub sha512: String,
    /// A path with a short-lived signature, below the API's address.
    pub path: String,
}

/// One network interface of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// The port that it is plugged into.
    pub port: PortId,
    /// The port's network.
    pub network: NetworkId,
    /// Its hardware address, `fa:16:3e:…`.
    pub mac: String,
    /// Its fixed IP.
    pub address: Ipv4Addr,
    /// Its place among the server's interfaces, from 0: the guest finds it in the same slot after every start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u8>,
}

/// The most interfaces of one server: so many slots are set aside for them.
pub const MOST_INTERFACES: u8 = 16;

/// A network's namespace on every host that serves it: `skybus-` and the first twelve digits of the id.
#[must_use]
pub fn namespace(network: NetworkId) -> String {
    format!("skybus-{}", &network.uuid().simple().to_string()[..12])
}

/// A port's tap inside its network's namespace: `tap` and the first eleven digits of the id (a link's
/// name has room for fifteen characters).
#[must_use]
pub fn tap(port: PortId) -> String {
    format!("tap{}", &port.uuid().simple().to_string()[..11])
}
