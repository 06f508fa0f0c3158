//! Giving a project an address of the outside: once, and within its quota.
//!
//! Whoever allocates holds the subnet's lock until the end of the transaction, so that none looks for an
//! address while another has found one; a unique index stands behind that. The use of the quota is counted
//! as that of servers is, by compare-and-set.

use std::net::Ipv4Addr;

use skybus_model::{
    Timestamp,
    id::{FloatingIpId, NetworkId, ProjectId},
};

use super::{FloatingIp, get};
use crate::{
    Error, Result, Tx,
    compute::quotas::{self, OverQuota},
    networks::{
        Scope, allocation,
        quotas::{Resource, limit},
        subnets::{self, Subnet, address, number},
    },
    row::Columns,
};

/// What a floating IP is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFloatingIp {
    /// The project that will hold it.
    pub project: ProjectId,
    /// The external network that it is to be an address of.
    pub network: NetworkId,
    /// The address that it must be; otherwise the next free one.
    pub address: Option<Ipv4Addr>,
    /// What its owner says of it.
    pub description: String,
}

/// Gives a project a floating IP that leads nowhere yet.
///
/// # Errors
/// [`Error::Conflict`] when the network has no subnet, no address is left, or the wanted one is taken or
/// not of the subnet. The inner error when the project has as many as it may.
pub async fn create(
    tx: &mut Tx,
    new: NewFloatingIp,
) -> Result<std::result::Result<FloatingIp, OverQuota>> {
    let holder = new.project.to_string();
    let most = limit(tx.conn(), new.project, Resource::FloatingIp).await?;
    let counted = quotas::Resource::FloatingIps;
    if let Err(over) = quotas::take(tx, &holder, counted, 1, most).await? {
        return Ok(Err(over));
    }
    let Some(subnet) = subnets::lock_of_network(tx, new.network).await? else {
        return Err(Error::Conflict(format!(
            "network {} has no subnet, and so no addresses",
            new.network
        )));
    };
    let id = match new.address {
        Some(wanted) => insert_at(tx, &new, &subnet, wanted).await?,
        None => insert_anywhere(tx, &new, &subnet).await?,
    };
    Ok(Ok(get(tx.conn(), id, Scope::Everything).await?))
}

async fn insert_at(
    tx: &mut Tx,
    new: &NewFloatingIp,
    subnet: &Subnet,
    wanted: Ipv4Addr,
) -> Result<FloatingIpId> {
    let usable = allocation::usable(subnet.cidr).is_ok_and(|all| all.contains(wanted));
    if !usable || wanted == subnet.gateway {
        return Err(Error::Conflict(format!(
            "{wanted} is not an address that can be given out on {}",
            subnet.cidr
        )));
    }
    insert(tx, new, subnet, wanted)
        .await?
        .ok_or_else(|| Error::Conflict(format!("the floating IP {wanted} is held by a project")))
}

async fn insert_anywhere(
    tx: &mut Tx,
    new: &NewFloatingIp,
    subnet: &Subnet,
) -> Result<FloatingIpId> {
    let cursor = subnets::cursor(tx, subnet.id).await?;
    let mut candidate = allocation::next(&subnet.pools, cursor);
    // The next one is nearly always free. If it is not, all of them are looked at, once.
    for _ in 0..2 {
        let Some(at) = candidate else { break };
        if let Some(id) = insert(tx, new, subnet, at).await? {
            subnets::move_cursor(tx, subnet.id, at).await?;
            return Ok(id);
        }
        let taken = taken(tx, subnet).await?;
        candidate = allocation::first_free(&subnet.pools, cursor, &taken);
    }
    let size: u64 = subnet.pools.iter().map(allocation::Pool::size).sum();
    Err(Error::Conflict(format!(
        "no more floating IPs: all {size} of {} are held by projects; delete one that nobody needs",
        subnet.cidr
    )))
}

/// `None` when the address is taken.
async fn insert(
    tx: &mut Tx,
    new: &NewFloatingIp,
    subnet: &Subnet,
    at: Ipv4Addr,
) -> Result<Option<FloatingIpId>> {
    let id = FloatingIpId::random();
    let done = sqlx::query(
        "INSERT INTO floating_ips (id, project, network, subnet, address, description, created_at, \
         updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (subnet, address) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(new.project.to_string())
    .bind(new.network.to_string())
    .bind(subnet.id.to_string())
    .bind(number(at))
    .bind(new.description.clone())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

async fn taken(tx: &mut Tx, subnet: &Subnet) -> Result<Vec<Ipv4Addr>> {
    sqlx::query("SELECT address FROM floating_ips WHERE subnet = $1 ORDER BY address")
        .bind(subnet.id.to_string())
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| Ok(address(row.number("address")?)))
        .collect()
}
