//! Ports: a place on a network, with a hardware address and a fixed IP.

mod create;
mod find;
mod release;

use std::net::Ipv4Addr;

use skybus_model::{
    Generation, HostName, Order, Timestamp,
    id::{NetworkId, PortId, ProjectId, SecurityGroupId, ServerId, SubnetId},
    segment::SegmentKind,
};
use sqlx::any::AnyRow;

use super::{plugging::Plug, subnets::address};
use crate::{Result, Tx, row::Columns};

pub(super) use create::add_group;
pub use create::{NewPort, create, is_mac};
pub use find::{
    Address, Narrow, addresses_of, at_address, count_on, get, list, of_server, on_host,
};
pub use release::{attach, delete, delete_unused, release};

/// What a port is good for, in Neutron's words.
pub const ACTIVE: &str = "ACTIVE";
/// No host serves it at present.
pub const DOWN: &str = "DOWN";
/// A host has been told and has not answered yet.
pub const BUILD: &str = "BUILD";

/// A port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its id.
    pub id: PortId,
    /// Its network.
    pub network: NetworkId,
    /// What carries its network's frames between hosts.
    pub segment: SegmentKind,
    /// The subnet that its address is of.
    pub subnet: SubnetId,
    /// The project that it belongs to.
    pub project: ProjectId,
    /// Its name; may be empty.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Its hardware address.
    pub mac: String,
    /// Its fixed IP.
    pub address: Ipv4Addr,
    /// What uses it (`device_id`): a server's id, or what a client wrote there.
    pub device: String,
    /// What kind of thing uses it, e.g. `compute:nova`.
    pub device_owner: String,
    /// The server that it is plugged into.
    pub server: Option<ServerId>,
    /// Its place among that server's ports.
    pub position: i64,
    /// The guest's host name, for DHCP.
    pub hostname: String,
    /// Whether it is being plugged into that server, or unplugged from it.
    pub plug: Plug,
    /// Whether it was made for its server and goes with it.
    pub owned: bool,
    /// The host that serves it.
    pub host: Option<HostName>,
    /// Whether its host was asked to take it away.
    pub leaving: bool,
    /// [`ACTIVE`], [`BUILD`] or [`DOWN`].
    pub status: String,
    /// Grows with each change that its host must learn of.
    pub generation: Generation,
    /// The last report of its host that was recorded.
    pub order: Order,
    /// The groups whose rules guard it.
    pub groups: Vec<SecurityGroupId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What every query for ports selects. A macro, because a query must be one constant text.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT p.*, (SELECT string_agg(g.security_group, ',') FROM port_groups g \
             WHERE g.port = p.id) AS group_ids, \
             (SELECT n.segment FROM networks n WHERE n.id = p.network) AS segment FROM ports p ",
            $rest
        )
    };
}
pub(super) use select;

pub(super) fn read(row: &AnyRow) -> Result<Port> {
    let ids = row.maybe_text("group_ids")?.unwrap_or_default();
    let mut groups: Vec<SecurityGroupId> = ids.split(',').flat_map(str::parse).collect();
    groups.sort_unstable();
    Ok(Port {
        id: row.word("id")?,
        network: row.word("network")?,
        segment: row.word("segment")?,
        subnet: row.word("subnet")?,
        project: row.word("project")?,
        name: row.text("name")?,
        description: row.text("description")?,
        mac: row.text("mac")?,
        address: address(row.number("address")?),
        device: row.text("device")?,
        device_owner: row.text("device_owner")?,
        server: row.maybe_word("server")?,
        position: row.number("position")?,
        hostname: row.text("hostname")?,
        plug: Plug::from_number(row.number("plug")?),
        owned: row.flag("owned")?,
        host: row.maybe_word("host")?,
        leaving: row.flag("leaving")?,
        status: row.text("status")?,
        generation: Generation(row.number("generation")?),
        order: Order {
            epoch: row.number("epoch")?,
            seq: row.number("seq")?,
        },
        groups,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Writes the fields of `port` that its owner can change: name, description, device.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn update(tx: &mut Tx, port: &Port) -> Result<()> {
    sqlx::query(
        "UPDATE ports SET name = $2, description = $3, device = $4, device_owner = $5, \
         updated_at = $6 WHERE id = $1",
    )
    .bind(port.id.to_string())
    .bind(port.name.clone())
    .bind(port.description.clone())
    .bind(port.device.clone())
    .bind(port.device_owner.clone())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}
