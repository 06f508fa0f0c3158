//! Leading a floating IP to a port, away from it, and to another; and giving it back.
//!
//! Hosts learn of it in the transaction that changes it: first the one that loses the address, then the
//! one that gets it.

use std::collections::BTreeSet;

use skybus_model::{
    Timestamp,
    id::{FloatingIpId, PortId, SubnetId},
    message::Context,
};

use super::{FloatingIp, get};
use crate::{
    Error, Result, Tx,
    compute::quotas,
    networks::{Scope, ports, refresh, subnets},
};

/// Leads a floating IP to a port, or nowhere. Whether that port may have it was checked before.
///
/// # Errors
/// [`Error::NotFound`] when it or the port is gone; [`Error::Conflict`] when another request changed it
/// at the same moment.
pub async fn lead(
    tx: &mut Tx,
    id: FloatingIpId,
    to: Option<PortId>,
    context: &Context,
) -> Result<FloatingIp> {
    let before = locked(tx, id, to).await?;
    if before.port == to {
        return Ok(before);
    }
    change(tx, before, to, context).await
}

/// Takes a floating IP away from `port`.
///
/// # Errors
/// [`Error::NotFound`] when it is gone; [`Error::Conflict`] when it does not lead to `port`, or not any more.
pub async fn take_away(
    tx: &mut Tx,
    id: FloatingIpId,
    port: PortId,
    context: &Context,
) -> Result<FloatingIp> {
    let before = locked(tx, id, None).await?;
    if before.port != Some(port) {
        return Err(overtaken(&before));
    }
    change(tx, before, None, context).await
}

async fn change(
    tx: &mut Tx,
    before: FloatingIp,
    to: Option<PortId>,
    context: &Context,
) -> Result<FloatingIp> {
    let text = "UPDATE floating_ips SET port = $2, updated_at = $3 \
                WHERE id = $1 AND COALESCE(port, '') = $4";
    let done = sqlx::query(text)
        .bind(before.id.to_string())
        .bind(to.map(|port| port.to_string()))
        .bind(Timestamp::now().micros())
        .bind(stands(&before))
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(overtaken(&before));
    }
    for port in before.port.into_iter().chain(to) {
        refresh::tell(tx, port, context).await?;
    }
    get(tx.conn(), before.id, Scope::Everything).await
}

/// Gives a floating IP back. The host of the port that it led to learns of it.
///
/// # Errors
/// [`Error::NotFound`] when it is gone; [`Error::Conflict`] when another request changed it at the same
/// moment.
pub async fn delete(tx: &mut Tx, id: FloatingIpId, context: &Context) -> Result<()> {
    let project = get(tx.conn(), id, Scope::Everything).await?.project;
    // In the order in which a new one takes: first the quota, then the rows.
    let counted = quotas::Resource::FloatingIps;
    quotas::give_back(tx, &project.to_string(), counted, 1).await?;
    let before = locked(tx, id, None).await?;
    let text = "DELETE FROM floating_ips WHERE id = $1 AND COALESCE(port, '') = $2";
    let done = sqlx::query(text)
        .bind(id.to_string())
        .bind(stands(&before))
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(overtaken(&before));
    }
    if let Some(port) = before.port {
        refresh::tell(tx, port, context).await?;
    }
    Ok(())
}

/// A port is gone: what led to it leads nowhere. Its subnet is locked, and its host knows.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub(in crate::networks) async fn port_removed(tx: &mut Tx, port: PortId) -> Result<()> {
    sqlx::query("UPDATE floating_ips SET port = NULL, updated_at = $2 WHERE port = $1")
        .bind(port.to_string())
        .bind(Timestamp::now().micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The floating IP, while other changes of the port that it leads to, and of the one that it is to lead to,
/// wait. All who lock several subnets do so in the order of their ids.
async fn locked(tx: &mut Tx, id: FloatingIpId, to: Option<PortId>) -> Result<FloatingIp> {
    let before = get(tx.conn(), id, Scope::Everything).await?;
    let mut subnets = BTreeSet::new();
    for port in before.port.into_iter().chain(to) {
        subnets.extend(subnet_of(tx, port).await?);
    }
    for subnet in subnets {
        subnets::lock(tx, subnet).await?;
    }
    if let Some(port) = to {
        ports::get(tx.conn(), port, Scope::Everything).await?;
    }
    let now = get(tx.conn(), id, Scope::Everything).await?;
    // That the port went meanwhile is no reason to refuse, nor that all is as wished; that it leads
    // elsewhere is.
    if now.port.is_some() && now.port != before.port && now.port != to {
        return Err(overtaken(&now));
    }
    Ok(now)
}

async fn subnet_of(tx: &mut Tx, port: PortId) -> Result<Option<SubnetId>> {
    match ports::get(tx.conn(), port, Scope::Everything).await {
        Ok(port) => Ok(Some(port.subnet)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What its row says of the port that it leads to.
fn stands(floating: &FloatingIp) -> String {
    floating
        .port
        .map_or_else(String::new, |port| port.to_string())
}

fn overtaken(floating: &FloatingIp) -> Error {
    Error::Conflict(format!(
        "floating IP {} was changed by another request at the same moment; try again",
        floating.address
    ))
}
