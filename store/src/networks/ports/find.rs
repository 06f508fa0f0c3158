//! Finding ports: by id, by what uses them, by address.

use std::net::Ipv4Addr;

use skybus_model::{
    HostName,
    id::{NetworkId, PortId, ServerId},
};
use sqlx::{Any, AssertSqlSafe, Executor, any::AnyRow};

use super::{Port, read, select};
use crate::{
    Error, Result,
    networks::{
        Scope,
        subnets::{address, number},
    },
    row::{Columns, places},
};

/// The filter of a list that the database applies itself, because there is an index for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Narrow {
    /// No such filter.
    No,
    /// What one device uses.
    Device(String),
    /// What is on one network.
    Network(NetworkId),
}

/// One port, if it may be seen.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it belongs to someone else.
pub async fn get<'e, D>(db: D, id: PortId, scope: Scope) -> Result<Port>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(select!("WHERE p.id = $1 AND ($2 = '' OR p.project = $2)"))
        .bind(id.to_string())
        .bind(scope.filter())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::NotFound(format!("port {id}")))
}

/// The ports that may be seen, oldest first.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list<'e, D>(db: D, scope: Scope, narrow: Narrow) -> Result<Vec<Port>>
where
    D: Executor<'e, Database = Any>,
{
    let query = match (scope, narrow) {
        (_, Narrow::Device(device)) => sqlx::query(select!(
            "WHERE p.device = $2 AND ($1 = '' OR p.project = $1) ORDER BY p.created_at, p.id"
        ))
        .bind(scope.filter())
        .bind(device),
        (_, Narrow::Network(network)) => sqlx::query(select!(
            "WHERE p.network = $2 AND ($1 = '' OR p.project = $1) ORDER BY p.created_at, p.id"
        ))
        .bind(scope.filter())
        .bind(network.to_string()),
        (Scope::Project(project), Narrow::No) => {
            sqlx::query(select!("WHERE p.project = $1 ORDER BY p.created_at, p.id"))
                .bind(project.to_string())
        }
        (Scope::Everything, Narrow::No) => sqlx::query(select!("ORDER BY p.created_at, p.id")),
    };
    all(&query.fetch_all(db).await?)
}

/// The ports that are plugged into a server, in their order.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn of_server<'e, D>(db: D, server: ServerId) -> Result<Vec<Port>>
where
    D: Executor<'e, Database = Any>,
{
    all(&sqlx::query(select!(
        "WHERE p.server = $1 ORDER BY p.position, p.created_at, p.id"
    ))
    .bind(server.to_string())
    .fetch_all(db)
    .await?)
}

/// The ports that a host serves.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn on_host<'e, D>(db: D, host: &HostName) -> Result<Vec<Port>>
where
    D: Executor<'e, Database = Any>,
{
    all(&sqlx::query(select!("WHERE p.host = $1 ORDER BY p.id"))
        .bind(host.as_str().to_owned())
        .fetch_all(db)
        .await?)
}

/// The port that has an address on a network: whoever asks the metadata service is known by these two.
///
/// # Errors
/// [`Error::NotFound`] when nobody has that address.
pub async fn at_address<'e, D>(db: D, network: NetworkId, at: Ipv4Addr) -> Result<Port>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(select!("WHERE p.network = $1 AND p.address = $2"))
        .bind(network.to_string())
        .bind(number(at))
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::NotFound(format!("port with address {at} on network {network}")))
}

/// How many ports are on a network.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn count_on<'e, D>(db: D, network: NetworkId) -> Result<i64>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query("SELECT COUNT(*) AS n FROM ports WHERE network = $1")
        .bind(network.to_string())
        .fetch_one(db)
        .await?
        .number("n")
}

/// An address of a server, as lists of servers show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The server.
    pub server: ServerId,
    /// The name of the network.
    pub network: String,
    /// The fixed IP.
    pub address: Ipv4Addr,
    /// The hardware address.
    pub mac: String,
    /// The floating IPs that lead to it, in order.
    pub floating: Vec<Ipv4Addr>,
}

/// The addresses of many servers at once, each server's in the order of its ports.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn addresses_of<'e, D>(db: D, servers: &[ServerId]) -> Result<Vec<Address>>
where
    D: Executor<'e, Database = Any>,
{
    if servers.is_empty() {
        return Ok(Vec::new());
    }
    // Only numbered places are put into the text; the ids are bound.
    let text = AssertSqlSafe(format!(
        "SELECT p.server, n.name AS network_name, p.address, p.mac, \
         (SELECT string_agg(CAST(f.address AS TEXT), ',') FROM floating_ips f WHERE f.port = p.id) \
         AS floating FROM ports p \
         JOIN networks n ON n.id = p.network WHERE p.server IN ({}) \
         ORDER BY p.server, p.position, p.id",
        places(1..=servers.len())
    ));
    let mut query = sqlx::query(text);
    for server in servers {
        query = query.bind(server.to_string());
    }
    let rows = query.fetch_all(db).await?;
    rows.iter()
        .map(|row| {
            let numbers = row.maybe_text("floating")?.unwrap_or_default();
            let mut floating: Vec<i64> = numbers.split(',').flat_map(str::parse).collect();
            floating.sort_unstable();
            Ok(Address {
                server: row.word("server")?,
                network: row.text("network_name")?,
                address: address(row.number("address")?),
                mac: row.text("mac")?,
                floating: floating.into_iter().map(address).collect(),
            })
        })
        .collect()
}

fn all(rows: &[AnyRow]) -> Result<Vec<Port>> {
    rows.iter().map(read).collect()
}
