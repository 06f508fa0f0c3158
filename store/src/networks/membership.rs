//! Which addresses a rule means that speaks of a group: those of the group's members on the network.
//!
//! In general that is a list, and each port that comes or goes changes what all the others' hosts must
//! know: for n servers booted into one group, n² messages. But mostly all ports of a network are in one
//! group, the project's own. Then "the members" are whoever may send on that network at all: no port can
//! send from an address that is not its own, so the subnet without its gateway means the same, and nobody
//! needs to be told when a port comes or goes. Who counts the ports finds out in a few statements which of
//! the two it is; hosts are told when it changes from one to the other, and for lists, each time.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use skybus_model::id::{NetworkId, SecurityGroupId};

use super::{Port, refresh, subnets::address};
use crate::{Result, Tx, row::Columns};

/// A port was added to its network and its groups; its subnet is locked.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub(super) async fn joined(tx: &mut Tx, port: &Port) -> Result<()> {
    let all = count_ports(tx, port, 1).await?;
    for group in &port.groups {
        if count_members(tx, *group, port.network, 1).await? != all {
            refresh::members_changed(tx, *group, port.network).await?;
        }
    }
    // Groups that had every port until now, and have not this one.
    strangers(tx, port, all - 1).await
}

/// A port was removed from its network and its groups; its subnet is locked.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub(super) async fn left(tx: &mut Tx, port: &Port) -> Result<()> {
    let all = count_ports(tx, port, -1).await?;
    for group in &port.groups {
        if count_members(tx, *group, port.network, -1).await? != all {
            refresh::members_changed(tx, *group, port.network).await?;
        }
    }
    // Groups that have every port from now on.
    strangers(tx, port, all).await
}

/// A port that stays on its network changed its groups to `now`; its subnet is locked.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub(super) async fn regrouped(tx: &mut Tx, port: &Port, now: &[SecurityGroupId]) -> Result<()> {
    for lost in port.groups.iter().filter(|group| !now.contains(group)) {
        count_members(tx, *lost, port.network, -1).await?;
        refresh::members_changed(tx, *lost, port.network).await?;
    }
    for gained in now.iter().filter(|group| !port.groups.contains(group)) {
        count_members(tx, *gained, port.network, 1).await?;
        refresh::members_changed(tx, *gained, port.network).await?;
    }
    Ok(())
}

/// The members of `group` on `network`, as few prefixes.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub(super) async fn of(
    tx: &mut Tx,
    group: SecurityGroupId,
    network: NetworkId,
) -> Result<Vec<Ipv4Net>> {
    let everybody = sqlx::query(
        "SELECT subnets.cidr, subnets.gateway FROM subnets JOIN group_members \
         ON group_members.network = subnets.network AND group_members.ports = subnets.ports \
         WHERE subnets.network = $1 AND group_members.security_group = $2 AND subnets.ports > 0",
    )
    .bind(network.to_string())
    .bind(group.to_string())
    .fetch_optional(tx.conn())
    .await?;
    if let Some(subnet) = everybody {
        let gateway = address(subnet.number("gateway")?);
        return Ok(without(subnet.word("cidr")?, gateway));
    }
    let rows = sqlx::query(
        "SELECT p.address FROM ports p JOIN port_groups g ON g.port = p.id \
         WHERE g.security_group = $1 AND p.network = $2 ORDER BY p.address",
    )
    .bind(group.to_string())
    .bind(network.to_string())
    .fetch_all(tx.conn())
    .await?;
    let members: Result<Vec<Ipv4Net>> = rows
        .iter()
        .map(|row| Ok(Ipv4Net::from(address(row.number("address")?))))
        .collect();
    // Neighbours' rules are short even in a large group, because addresses are given out in turn.
    Ok(Ipv4Net::aggregate(&members?))
}

/// All of `whole` but one address: the other half at each length.
fn without(whole: Ipv4Net, address: Ipv4Addr) -> Vec<Ipv4Net> {
    let mut rest = Vec::new();
    let mut around = Ipv4Net::from(address);
    while around.prefix_len() > whole.prefix_len()
        && let Some(larger) = around.supernet()
    {
        let halves = larger.subnets(around.prefix_len()).into_iter().flatten();
        rest.extend(halves.filter(|half| *half != around));
        around = larger;
    }
    rest.sort_unstable();
    rest
}

async fn count_ports(tx: &mut Tx, port: &Port, change: i64) -> Result<i64> {
    let text = "UPDATE subnets SET ports = ports + $2 WHERE id = $1 RETURNING ports";
    Ok(sqlx::query_scalar(text)
        .bind(port.subnet.to_string())
        .bind(change)
        .fetch_one(tx.conn())
        .await?)
}

async fn count_members(
    tx: &mut Tx,
    group: SecurityGroupId,
    network: NetworkId,
    change: i64,
) -> Result<i64> {
    let text = "INSERT INTO group_members (security_group, network, ports) VALUES ($1, $2, $3) \
                ON CONFLICT (security_group, network) \
                DO UPDATE SET ports = group_members.ports + $3 RETURNING ports";
    Ok(sqlx::query_scalar(text)
        .bind(group.to_string())
        .bind(network.to_string())
        .bind(change)
        .fetch_one(tx.conn())
        .await?)
}

/// Marks the neighbours of groups that have `all` ports, not counting those of `port` itself.
async fn strangers(tx: &mut Tx, port: &Port, all: i64) -> Result<()> {
    if all < 1 {
        return Ok(());
    }
    let rows =
        sqlx::query("SELECT security_group FROM group_members WHERE network = $1 AND ports = $2")
            .bind(port.network.to_string())
            .bind(all)
            .fetch_all(tx.conn())
            .await?;
    for row in &rows {
        let group = row.word("security_group")?;
        if !port.groups.contains(&group) {
            refresh::members_changed(tx, group, port.network).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_without_its_gateway_is_every_other_address_once() {
        let whole: Ipv4Net = "10.1.0.0/24".parse().unwrap();
        for gateway in ["10.1.0.1", "10.1.0.0", "10.1.0.255", "10.1.0.77"] {
            let gateway: Ipv4Addr = gateway.parse().unwrap();
            let rest = without(whole, gateway);
            assert_eq!(rest.len(), 8);
            for address in whole.subnets(32).unwrap() {
                let times = rest.iter().filter(|net| net.contains(&address)).count();
                assert_eq!(times, usize::from(address.addr() != gateway), "{address}");
            }
        }
    }
}
