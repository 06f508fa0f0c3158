//! The ends of a VXLAN: the tunnel addresses of the hosts that have ports of it.
//!
//! All of them are told to each. When a host gets its first port of a network, loses its last, or its address
//! changes, the network has a new revision, and the ports of the other hosts are marked to be told again
//! ([`super::refresh`]). Whoever calls these has locked the network's subnet before the rows of its ports.

use std::net::Ipv4Addr;

use skybus_model::{
    HostName,
    id::{NetworkId, ServerId},
    segment::{Carries, SegmentKind},
};

use super::{Port, network, subnets};
use crate::{Result, Tx, row::Columns};

/// The tunnel addresses of the hosts that ports of `network` are bound to, in order.
pub(super) async fn of(tx: &mut Tx, network: NetworkId) -> Result<Vec<Ipv4Addr>> {
    let rows = sqlx::query(
        "SELECT carries FROM services WHERE service = 'network' \
         AND host IN (SELECT host FROM ports WHERE network = $1 AND host IS NOT NULL)",
    )
    .bind(network.to_string())
    .fetch_all(tx.conn())
    .await?;
    let mut peers = Vec::new();
    for row in &rows {
        peers.extend(row.json::<Carries>("carries")?.tunnel);
    }
    peers.sort_unstable();
    peers.dedup();
    Ok(peers)
}

/// Locks the subnets of a server's ports, when other hosts are told of one of them.
pub(super) async fn lock(tx: &mut Tx, ports: &[Port]) -> Result<()> {
    if !ports.iter().any(is_tunnelled) {
        return Ok(());
    }
    let mut all: Vec<_> = ports.iter().map(|port| port.subnet).collect();
    all.sort_unstable();
    all.dedup();
    for subnet in all {
        subnets::lock(tx, subnet).await?;
    }
    Ok(())
}

/// Whether other hosts are told where its port is.
pub(super) fn is_tunnelled(port: &Port) -> bool {
    port.segment == SegmentKind::Vxlan
}

/// `server`'s port was given to `host`.
pub(super) async fn joined(
    tx: &mut Tx,
    port: &Port,
    (server, host): (ServerId, &HostName),
) -> Result<()> {
    if !is_tunnelled(port) {
        return Ok(());
    }
    let other = sqlx::query(
        "SELECT id FROM ports WHERE network = $1 AND host = $2 AND server <> $3 LIMIT 1",
    )
    .bind(port.network.to_string())
    .bind(host.as_str())
    .bind(server.to_string())
    .fetch_optional(tx.conn())
    .await?;
    match other {
        Some(_) => Ok(()),
        None => changed(tx, port.network, host.as_str()).await,
    }
}

/// `port`, as it was read before, is not on its host any more.
pub(super) async fn left(tx: &mut Tx, port: &Port) -> Result<()> {
    let Some(host) = port.host.as_ref().filter(|_| is_tunnelled(port)) else {
        return Ok(());
    };
    let other = sqlx::query("SELECT id FROM ports WHERE network = $1 AND host = $2 LIMIT 1")
        .bind(port.network.to_string())
        .bind(host.as_str())
        .fetch_optional(tx.conn())
        .await?;
    match other {
        Some(_) => Ok(()),
        None => changed(tx, port.network, host.as_str()).await,
    }
}

/// The tunnel address of `host` is another one: every host of its VXLANs is told, also itself.
pub(crate) async fn moved(tx: &mut Tx, host: &HostName) -> Result<()> {
    let rows = sqlx::query(
        "SELECT DISTINCT p.subnet, p.network FROM ports p JOIN networks n ON n.id = p.network \
         WHERE p.host = $1 AND n.segment = $2 ORDER BY p.subnet",
    )
    .bind(host.as_str())
    .bind(SegmentKind::Vxlan.as_str())
    .fetch_all(tx.conn())
    .await?;
    for row in &rows {
        subnets::lock(tx, row.word("subnet")?).await?;
    }
    for row in &rows {
        changed(tx, row.word("network")?, "").await?;
    }
    Ok(())
}

/// A new revision, of which the hosts other than `but` are told. With all of their ports: one alone may be taken
/// away before its host was told.
async fn changed(tx: &mut Tx, network: NetworkId, but: &str) -> Result<()> {
    network::revise(tx, network).await?;
    sqlx::query(
        "UPDATE ports SET stale = 1 \
         WHERE network = $1 AND host IS NOT NULL AND host <> $2 AND leaving = 0",
    )
    .bind(network.to_string())
    .bind(but.to_owned())
    .execute(tx.conn())
    .await?;
    Ok(())
}
