//! When what may pass changes, every host that guards an affected port learns of it.
//!
//! A change marks the affected ports in its own transaction; telling the hosts ([`flush`]) is part of
//! the same transaction where a person waits for the effect (a rule was added), and follows within a
//! moment where many changes come at once (a hundred servers boot into one group): then each neighbour
//! is told once, not a hundred times. The mark is a column, so a crash between the two loses nothing.

use std::collections::BTreeSet;

use skybus_model::{
    id::{NetworkId, PortId, SecurityGroupId, SubnetId},
    message::Context,
};

use super::{Scope, binding, network, ports, spec::Specs, subnets};
use crate::{Result, Store, Tx, row::Columns};

/// Marks the ports that a group guards: its rules changed. A transaction that says so of several groups
/// locks the subnets of all of them first ([`lock_subnets`]).
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn rules_changed(tx: &mut Tx, group: SecurityGroupId) -> Result<()> {
    lock_subnets(tx, &[group]).await?;
    // Also those that no host serves yet: one may be given a host by a transaction that has not
    // committed, and then these two must wait for each other.
    sqlx::query(
        "UPDATE ports SET stale = 1 \
         WHERE id IN (SELECT port FROM port_groups WHERE security_group = $1)",
    )
    .bind(group.to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes other changes of the ports that these groups guard wait for this transaction. A subnet is locked
/// before the rows of its ports: whoever leads a floating IP to one of them does the same.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub(super) async fn lock_subnets(tx: &mut Tx, groups: &[SecurityGroupId]) -> Result<()> {
    let mut all: BTreeSet<SubnetId> = BTreeSet::new();
    for group in groups {
        let rows = sqlx::query(
            "SELECT DISTINCT p.subnet FROM ports p JOIN port_groups g ON g.port = p.id \
             WHERE g.security_group = $1",
        )
        .bind(group.to_string())
        .fetch_all(tx.conn())
        .await?;
        for row in &rows {
            all.insert(row.word("subnet")?);
        }
    }
    for subnet in all {
        subnets::lock(tx, subnet).await?;
    }
    Ok(())
}

/// Marks the ports on `network` whose rules speak of `group`: its members changed.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub(super) async fn members_changed(
    tx: &mut Tx,
    group: SecurityGroupId,
    network: NetworkId,
) -> Result<()> {
    sqlx::query(
        "UPDATE ports SET stale = 1 WHERE network = $2 AND host IS NOT NULL AND stale = 0 \
         AND id IN (SELECT g.port FROM port_groups g \
         JOIN security_group_rules r ON r.security_group = g.security_group \
         WHERE r.remote_group = $1)",
    )
    .bind(group.to_string())
    .bind(network.to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Marks one port: its groups changed.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn port_changed(tx: &mut Tx, port: PortId) -> Result<()> {
    sqlx::query("UPDATE ports SET stale = 1 WHERE id = $1")
        .bind(port.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Marks every port of a network: something that all of them are told changed. Its subnet is locked.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn network_changed(tx: &mut Tx, network: NetworkId) -> Result<()> {
    network::revise(tx, network).await?;
    sqlx::query("UPDATE ports SET stale = 1 WHERE network = $1")
        .bind(network.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Tells the hosts of up to `most` marked ports, each port with a new generation. Returns how many.
///
/// Whoever marked ports before in this transaction has locked their subnets. Those of other marked ports
/// may come before these in the order of locking, so they are not waited for: their turn comes in a moment.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn flush(tx: &mut Tx, context: &Context, most: i64) -> Result<usize> {
    let rows = sqlx::query(
        "SELECT id, subnet FROM ports WHERE stale = 1 AND host IS NOT NULL AND leaving = 0 \
         ORDER BY subnet, id LIMIT $1",
    )
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    // First all rows are locked, then all is read: what is read is newer than every mark.
    let mut claimed = Vec::new();
    for row in &rows {
        let id: PortId = row.word("id")?;
        if subnets::lock_if_free(tx, row.word("subnet")?).await? && claim(tx, id).await? {
            claimed.push(id);
        }
    }
    let mut specs = Specs::default();
    for id in &claimed {
        let port = ports::get(tx.conn(), *id, Scope::Everything).await?;
        binding::ensure(tx, &mut specs, &port, None, context).await?;
    }
    Ok(claimed.len())
}

/// Marks one port and tells its host, before anything that this transaction says afterwards. Its subnet is
/// locked. A port without a host stays marked: who gives it to one tells all.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub(super) async fn tell(tx: &mut Tx, id: PortId, context: &Context) -> Result<()> {
    port_changed(tx, id).await?;
    if claim(tx, id).await? {
        let port = ports::get(tx.conn(), id, Scope::Everything).await?;
        binding::ensure(tx, &mut Specs::default(), &port, None, context).await?;
    }
    Ok(())
}

/// Takes the mark from a port whose host is to be told, at a new generation.
async fn claim(tx: &mut Tx, id: PortId) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE ports SET stale = 0, generation = generation + 1 \
         WHERE id = $1 AND stale = 1 AND host IS NOT NULL AND leaving = 0",
    )
    .bind(id.to_string())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether any host waits to be told.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn is_needed(store: &Store) -> Result<bool> {
    let sql = "SELECT id FROM ports WHERE stale = 1 AND host IS NOT NULL AND leaving = 0 LIMIT 1";
    let row = sqlx::query(sql).fetch_optional(store.pool()).await?;
    Ok(row.is_some())
}
