//! A server's row, typed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skybus_model::{
    Fault, Generation, HostName, Order, Timestamp,
    host::Resources,
    id::{ImageId, ProjectId, ServerId, UserId},
    image::DiskFormat,
    server::{Desired, Power, ServerState},
};
use sqlx::any::AnyRow;

use crate::{Result, row::Columns};

/// A server as the control plane knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its project.
    pub project: ProjectId,
    /// The user who asked for it.
    pub owner: UserId,
    /// Its name, for people.
    pub name: String,
    /// What its owner wrote about it.
    pub description: Option<String>,
    /// The name that the guest gives itself.
    pub hostname: String,
    /// What it is and what is being done to it.
    pub state: ServerState,
    /// What the hypervisor said last.
    pub power: Power,
    /// Whether it should run: its owner's wish.
    pub desired: Desired,
    /// How many changes were accepted.
    pub generation: Generation,
    /// The newest event that was recorded.
    pub recorded: Order,
    /// Its host, once one is chosen. While this is set, the host's claim for it stands.
    pub host: Option<HostName>,
    /// The availability zone that was asked for.
    pub zone: Option<String>,
    /// What it may use; what its host has set aside.
    pub resources: Resources,
    /// The flavor as it was when the server was made.
    pub flavor: FlavorSnapshot,
    /// The image that it was made from.
    pub image: ImageId,
    /// The image's bytes as they were then.
    pub image_bytes: ImageBytes,
    /// The key pair's name.
    pub key_name: Option<String>,
    /// The public key itself.
    pub key_public: Option<String>,
    /// User data, base64 as it was given.
    pub user_data: Option<String>,
    /// The administrator's password, for the config drive.
    pub admin_pass: Option<String>,
    /// Whether a config drive is wanted.
    pub config_drive: bool,
    /// Its owner's keys and values.
    pub metadata: BTreeMap<String, String>,
    /// Why it is in ERROR.
    pub fault: Option<Fault>,
    /// Since when.
    pub fault_at: Option<Timestamp>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it first ran.
    pub launched_at: Option<Timestamp>,
    /// When it was gone.
    pub deleted_at: Option<Timestamp>,
}

/// A flavor as it was when a server was made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlavorSnapshot {
    /// Its id, which is any text.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Virtual CPUs.
    pub vcpus: i64,
    /// MiB.
    pub ram: i64,
    /// GiB.
    pub disk: i64,
    /// GiB; always 0 so far.
    #[serde(default)]
    pub ephemeral: i64,
    /// MiB; always 0 so far.
    #[serde(default)]
    pub swap: i64,
    /// Extra specs.
    #[serde(default)]
    pub extra_specs: BTreeMap<String, String>,
}

/// An image's bytes, without a way to get them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageBytes {
    /// What is in them.
    pub format: DiskFormat,
    /// How many.
    pub size: i64,
    /// Their SHA-512, in hexadecimal.
    pub sha512: String,
    /// What the image says of the machine that it needs (`hw_architecture`, `img_hv_type`, …).
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

pub(super) fn read(row: &AnyRow) -> Result<Server> {
    Ok(Server {
        id: row.word("id")?,
        project: row.word("project")?,
        owner: row.word("owner")?,
        name: row.text("name")?,
        description: row.maybe_text("description")?,
        hostname: row.text("hostname")?,
        state: ServerState {
            vm: row.word("vm_state")?,
            task: row.maybe_word("task_state")?,
        },
        power: row.word("power")?,
        desired: row.json("desired")?,
        generation: Generation(row.number("generation")?),
        recorded: Order {
            epoch: row.number("epoch")?,
            seq: row.number("seq")?,
        },
        host: row.maybe_word("host")?,
        zone: row.maybe_text("zone")?,
        resources: Resources {
            vcpus: row.number("vcpus")?,
            ram_mib: row.number("ram_mib")?,
            disk_gib: row.number("disk_gib")?,
        },
        flavor: row.json("flavor")?,
        image: row.word("image")?,
        image_bytes: row.json("image_source")?,
        key_name: row.maybe_text("key_name")?,
        key_public: row.maybe_text("key_public")?,
        user_data: row.maybe_text("user_data")?,
        admin_pass: row.maybe_text("admin_pass")?,
        config_drive: row.flag("config_drive")?,
        metadata: row.json("metadata")?,
        fault: row.maybe_json("fault")?,
        fault_at: row.maybe_time("fault_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        launched_at: row.maybe_time("launched_at")?,
        deleted_at: row.maybe_time("deleted_at")?,
    })
}

/// A server out of a row of `servers`, for queries of other modules that select `servers.*`.
///
/// # Errors
/// [`crate::Error::Unreadable`] when a column holds what this version does not understand.
pub fn from_row(row: &AnyRow) -> Result<Server> {
    read(row)
}
