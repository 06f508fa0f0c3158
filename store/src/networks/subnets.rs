//! Subnets: the addresses of a network. A network has at most one.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use skybus_model::{
    Timestamp,
    id::{NetworkId, ProjectId, SubnetId},
};
use sqlx::{Any, Executor, any::AnyRow};

use super::{Scope, allocation::Pool};
use crate::{
    Engine, Error, Result, Tx,
    row::{Columns, to_json},
};

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// Its network.
    pub network: NetworkId,
    /// The project that made it.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// The gateway's address.
    pub gateway: Ipv4Addr,
    /// Name servers for the guests.
    pub dns: Vec<Ipv4Addr>,
    /// Whether guests learn their addresses by DHCP.
    pub dhcp: bool,
    /// The addresses that guests may get, in order.
    pub pools: Vec<Pool>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a subnet is made from. The pools have been checked against the addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubnet {
    /// Its network.
    pub network: NetworkId,
    /// The project that it will belong to.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// The gateway's address.
    pub gateway: Ipv4Addr,
    /// Name servers for the guests.
    pub dns: Vec<Ipv4Addr>,
    /// The addresses that guests may get, in order.
    pub pools: Vec<Pool>,
}

pub(super) fn address(number: i64) -> Ipv4Addr {
    u32::try_from(number).unwrap_or_default().into()
}

pub(super) fn number(address: Ipv4Addr) -> i64 {
    i64::from(u32::from(address))
}

fn read(row: &AnyRow) -> Result<Subnet> {
    Ok(Subnet {
        id: row.word("id")?,
        network: row.word("network")?,
        project: row.word("project")?,
        name: row.text("name")?,
        description: row.text("description")?,
        cidr: row.word("cidr")?,
        gateway: address(row.number("gateway")?),
        dns: row.json("dns")?,
        dhcp: row.flag("dhcp")?,
        pools: row.json("pools")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Makes a network's subnet.
///
/// # Errors
/// [`Error::Conflict`] when the network has one already.
pub async fn create(tx: &mut Tx, new: NewSubnet) -> Result<Subnet> {
    let now = Timestamp::now();
    // The search for a free address begins after the cursor: so the first to be given out is the
    // first of the first pool.
    let cursor = new.pools.first().map_or(0, |pool| number(pool.start) - 1);
    let id = SubnetId::random();
    let done = sqlx::query(
        "INSERT INTO subnets (id, network, project, name, description, cidr, gateway, dns, dhcp, \
         pools, cursor, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, $11) \
         ON CONFLICT (network) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(new.network.to_string())
    .bind(new.project.to_string())
    .bind(new.name)
    .bind(new.description)
    .bind(new.cidr.to_string())
    .bind(number(new.gateway))
    .bind(to_json(&new.dns))
    .bind(to_json(&new.pools))
    .bind(cursor)
    .bind(now.micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::Conflict(format!(
            "network {} has its subnet already; a network has one IPv4 subnet",
            new.network
        )));
    }
    get(tx.conn(), id, Scope::Everything).await
}

/// One subnet, if its network may be seen.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it belongs to someone else.
pub async fn get<'e, D>(db: D, id: SubnetId, scope: Scope) -> Result<Subnet>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(
        "SELECT s.* FROM subnets s JOIN networks n ON n.id = s.network \
         WHERE s.id = $1 AND ($2 = '' OR s.project = $2 OR n.project = $2 OR n.shared = 1 \
         OR n.external = 1)",
    )
    .bind(id.to_string())
    .bind(scope.filter())
    .fetch_optional(db)
    .await?
    .as_ref()
    .map(read)
    .transpose()?
    .ok_or_else(|| Error::NotFound(format!("subnet {id}")))
}

/// A network's subnet, if it has one.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn of_network<'e, D>(db: D, network: NetworkId) -> Result<Option<Subnet>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query("SELECT * FROM subnets WHERE network = $1")
        .bind(network.to_string())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// A network's subnet, if it has one; other changes of its addresses wait for this transaction.
pub(super) async fn lock_of_network(tx: &mut Tx, network: NetworkId) -> Result<Option<Subnet>> {
    let Some(subnet) = of_network(tx.conn(), network).await? else {
        return Ok(None);
    };
    lock(tx, subnet.id).await?;
    // It may have been deleted by whoever had it locked.
    of_network(tx.conn(), network).await
}

/// All subnets whose network may be seen, oldest first.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list<'e, D>(db: D, scope: Scope) -> Result<Vec<Subnet>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(
        "SELECT s.* FROM subnets s JOIN networks n ON n.id = s.network \
         WHERE $1 = '' OR s.project = $1 OR n.project = $1 OR n.shared = 1 OR n.external = 1 \
         ORDER BY s.created_at, s.id",
    )
    .bind(scope.filter())
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Writes the fields of `subnet` that can be changed: name, description, name servers.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn update(tx: &mut Tx, subnet: &Subnet) -> Result<()> {
    sqlx::query(
        "UPDATE subnets SET name = $2, description = $3, dns = $4, updated_at = $5 WHERE id = $1",
    )
    .bind(subnet.id.to_string())
    .bind(subnet.name.clone())
    .bind(subnet.description.clone())
    .bind(to_json(&subnet.dns))
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a subnet.
///
/// # Errors
/// [`Error::Conflict`] when ports, or floating IPs, have addresses of it.
pub async fn delete(tx: &mut Tx, subnet: &Subnet) -> Result<()> {
    lock(tx, subnet.id).await?;
    super::floating::none_of(tx, subnet.network).await?;
    let ports = super::ports::count_on(tx.conn(), subnet.network).await?;
    if ports > 0 {
        return Err(Error::Conflict(format!(
            "subnet {} is in use: {ports} ports have addresses of it; delete them or their servers \
             first",
            subnet.id
        )));
    }
    sqlx::query("DELETE FROM subnets WHERE id = $1")
        .bind(subnet.id.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The address that was given out last.
pub(super) async fn cursor(tx: &mut Tx, id: SubnetId) -> Result<Ipv4Addr> {
    let row = sqlx::query("SELECT cursor FROM subnets WHERE id = $1")
        .bind(id.to_string())
        .fetch_one(tx.conn())
        .await?;
    Ok(address(row.number("cursor")?))
}

/// Remembers that `to` was given out last.
pub(super) async fn move_cursor(tx: &mut Tx, id: SubnetId, to: Ipv4Addr) -> Result<()> {
    sqlx::query("UPDATE subnets SET cursor = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(number(to))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Makes other changes of the subnet's ports wait for this transaction.
///
/// What a host is told of a port depends on its neighbours. Were two transactions to add a neighbour and
/// to tell a host at the same time, neither would see the other. SQLite has one writer anyway.
pub(crate) async fn lock(tx: &mut Tx, id: SubnetId) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT id FROM subnets WHERE id = $1 FOR UPDATE")
            .bind(id.to_string())
            .fetch_optional(tx.conn())
            .await?;
    }
    Ok(())
}

/// The same, unless another transaction has it locked. Whether it is locked by this one now.
pub(super) async fn lock_if_free(tx: &mut Tx, id: SubnetId) -> Result<bool> {
    if tx.engine() == Engine::Sqlite {
        return Ok(true);
    }
    let row = sqlx::query("SELECT id FROM subnets WHERE id = $1 FOR UPDATE SKIP LOCKED")
        .bind(id.to_string())
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.is_some())
}
