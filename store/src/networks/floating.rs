//! Floating IPs: addresses of the outside that a project holds, and the ports that they lead to.
//!
//! Which port one leads to is in its own row, and part of what that port's host is told
//! ([`super::spec`]). Everything else about the port is read from the port, so that it cannot disagree.

mod allocate;
mod lead;

use std::net::Ipv4Addr;

use skybus_model::{
    Timestamp,
    id::{FloatingIpId, NetworkId, PortId, ProjectId, SubnetId},
};
use sqlx::{Any, Executor, any::AnyRow};

use super::{
    Scope,
    subnets::{address, number},
};
use crate::{Error, Result, Tx, row::Columns};

pub use allocate::{NewFloatingIp, create};
pub(super) use lead::port_removed;
pub use lead::{delete, lead, take_away};

/// A floating IP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloatingIp {
    /// Its id.
    pub id: FloatingIpId,
    /// The project that holds it.
    pub project: ProjectId,
    /// The external network that it is an address of.
    pub network: NetworkId,
    /// That network's subnet.
    pub subnet: SubnetId,
    /// The address.
    pub address: Ipv4Addr,
    /// What its owner says of it.
    pub description: String,
    /// The port that it leads to, as its row says.
    pub port: Option<PortId>,
    /// What that port is at present.
    pub target: Option<Target>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The port that a floating IP leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its network.
    pub network: NetworkId,
    /// Its fixed IP, to which packets are translated.
    pub fixed: Ipv4Addr,
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub mac: String,
    /// What it is good for, in Neutron's words.
    pub status: String,
    /// What uses it: a server's id, or what a client wrote there.
    pub device: String,
    /// What kind of thing uses it.
    pub device_owner: String,
}

impl FloatingIp {
    /// `ACTIVE` when packets to it are translated, that is when a host serves the port that it leads to.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match &self.target {
            Some(target) if target.status == super::ports::ACTIVE => super::ports::ACTIVE,
            _ => super::ports::DOWN,
        }
    }
}

/// What every query for floating IPs selects. A macro, because a query must be one constant text.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT f.*, p.id AS target, p.network AS target_network, p.address AS target_address, \
             p.name AS target_name, p.mac AS target_mac, p.status AS target_status, \
             p.device AS target_device, p.device_owner AS target_owner \
             FROM floating_ips f LEFT JOIN ports p ON p.id = f.port ",
            $rest
        )
    };
}

fn read(row: &AnyRow) -> Result<FloatingIp> {
    let target = match row.maybe_text("target")? {
        None => None,
        Some(_) => Some(Target {
            network: row.word("target_network")?,
            fixed: address(row.number("target_address")?),
            name: row.text("target_name")?,
            mac: row.text("target_mac")?,
            status: row.text("target_status")?,
            device: row.text("target_device")?,
            device_owner: row.text("target_owner")?,
        }),
    };
    Ok(FloatingIp {
        id: row.word("id")?,
        project: row.word("project")?,
        network: row.word("network")?,
        subnet: row.word("subnet")?,
        address: address(row.number("address")?),
        description: row.text("description")?,
        port: row.maybe_word("port")?,
        target,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// One floating IP, if it may be seen.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it belongs to someone else.
pub async fn get<'e, D>(db: D, id: FloatingIpId, scope: Scope) -> Result<FloatingIp>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(select!("WHERE f.id = $1 AND ($2 = '' OR f.project = $2)"))
        .bind(id.to_string())
        .bind(scope.filter())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::NotFound(format!("floating IP {id}")))
}

/// The floating IP that is this address, if it may be seen.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it belongs to someone else.
pub async fn at<'e, D>(db: D, at: Ipv4Addr, scope: Scope) -> Result<FloatingIp>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(select!(
        "WHERE f.address = $1 AND ($2 = '' OR f.project = $2) ORDER BY f.created_at, f.id LIMIT 1"
    ))
    .bind(number(at))
    .bind(scope.filter())
    .fetch_optional(db)
    .await?
    .as_ref()
    .map(read)
    .transpose()?
    .ok_or_else(|| Error::NotFound(format!("floating IP {at}")))
}

/// All floating IPs that may be seen, oldest first.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list<'e, D>(db: D, scope: Scope) -> Result<Vec<FloatingIp>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(select!(
        "WHERE $1 = '' OR f.project = $1 ORDER BY f.created_at, f.id"
    ))
    .bind(scope.filter())
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The floating IPs that lead to a port, in order.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn of_port<'e, D>(db: D, port: PortId) -> Result<Vec<Ipv4Addr>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query("SELECT address FROM floating_ips WHERE port = $1 ORDER BY address")
        .bind(port.to_string())
        .fetch_all(db)
        .await?
        .iter()
        .map(|row| Ok(address(row.number("address")?)))
        .collect()
}

/// Writes what the owner says of a floating IP.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn describe(tx: &mut Tx, id: FloatingIpId, description: &str) -> Result<()> {
    sqlx::query("UPDATE floating_ips SET description = $2, updated_at = $3 WHERE id = $1")
        .bind(id.to_string())
        .bind(description.to_owned())
        .bind(Timestamp::now().micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Refuses when somebody holds an address of `network`.
pub(super) async fn none_of(tx: &mut Tx, network: NetworkId) -> Result<()> {
    let held = sqlx::query("SELECT COUNT(*) AS n FROM floating_ips WHERE network = $1")
        .bind(network.to_string())
        .fetch_one(tx.conn())
        .await?
        .number("n")?;
    if held == 0 {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "network {network} is in use: {held} floating IPs are addresses of it; delete them first"
    )))
}
