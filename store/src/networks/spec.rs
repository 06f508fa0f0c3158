//! What a host is told of a port: its network, its addresses, and the rules that guard it, resolved.

use std::collections::HashMap;

use ipnet::Ipv4Net;
use skybus_model::{
    id::{NetworkId, SecurityGroupId},
    network::{NetworkSpec, PacketMatch, PortSpec, RuleSpec},
    segment::SegmentKind,
};

use super::{
    Port, Scope, floating, membership, network, peers,
    rules::{self, Rule},
    subnets,
};
use crate::{Error, Result, Tx};

/// Makes specs of many ports of one transaction, looking up only once what they share.
#[derive(Debug, Default)]
pub struct Specs {
    networks: HashMap<NetworkId, NetworkSpec>,
    rules: HashMap<SecurityGroupId, Vec<Rule>>,
    members: HashMap<(SecurityGroupId, NetworkId), Vec<Ipv4Net>>,
}

impl Specs {
    /// What `port`'s host must know of it.
    ///
    /// # Errors
    /// [`Error::Conflict`] when no server uses the port.
    pub async fn of(&mut self, tx: &mut Tx, port: &Port) -> Result<PortSpec> {
        let Some(server) = port.server else {
            return Err(Error::Conflict(format!("no server uses port {}", port.id)));
        };
        Ok(PortSpec {
            id: port.id,
            server,
            network: self.network(tx, port.network).await?,
            mac: port.mac.clone(),
            address: port.address,
            floating: floating::of_port(tx.conn(), port.id).await?,
            hostname: port.hostname.clone(),
            rules: self.rules_of(tx, port).await?,
        })
    }

    /// Looks a network up anew: it was changed.
    pub(super) fn forget(&mut self, network: NetworkId) {
        self.networks.remove(&network);
    }

    async fn network(&mut self, tx: &mut Tx, id: NetworkId) -> Result<NetworkSpec> {
        if let Some(known) = self.networks.get(&id) {
            return Ok(known.clone());
        }
        let network = network::get(tx.conn(), id, Scope::Everything).await?;
        let subnet = subnets::of_network(tx.conn(), id)
            .await?
            .ok_or_else(|| Error::NotFound(format!("subnet of network {id}")))?;
        let spec = NetworkSpec {
            id,
            subnet: subnet.id,
            cidr: subnet.cidr,
            gateway: subnet.gateway,
            dns: subnet.dns,
            mtu: network.mtu,
            peers: match network.segment.kind() {
                SegmentKind::Vxlan => peers::of(tx, id).await?,
                _ => Vec::new(),
            },
            segment: network.segment,
            revision: network.revision,
        };
        self.networks.insert(id, spec.clone());
        Ok(spec)
    }

    async fn rules_of(&mut self, tx: &mut Tx, port: &Port) -> Result<Vec<RuleSpec>> {
        let mut resolved: Vec<RuleSpec> = Vec::new();
        for group in &port.groups {
            let rules = match self.rules.get(group) {
                Some(known) => known.clone(),
                None => {
                    let found = rules::of_group(tx.conn(), *group).await?;
                    self.rules.insert(*group, found.clone());
                    found
                }
            };
            for rule in rules {
                let members = match rule.remote_group {
                    Some(remote) => self.members_of(tx, remote, port.network).await?,
                    None => Vec::new(),
                };
                if let Some(spec) = resolve(&rule, members)
                    && !resolved.contains(&spec)
                {
                    resolved.push(spec);
                }
            }
        }
        Ok(resolved)
    }

    /// Only members on the same network count: elsewhere the same address is another machine.
    async fn members_of(
        &mut self,
        tx: &mut Tx,
        group: SecurityGroupId,
        on: NetworkId,
    ) -> Result<Vec<Ipv4Net>> {
        if let Some(known) = self.members.get(&(group, on)) {
            return Ok(known.clone());
        }
        let found = membership::of(tx, group, on).await?;
        self.members.insert((group, on), found.clone());
        Ok(found)
    }
}

/// What a rule lets pass, or `None` when it lets nothing pass here: it speaks of IPv6, or of a group
/// without members on this network. (No remotes at all would mean "anywhere".)
fn resolve(rule: &Rule, members: Vec<Ipv4Net>) -> Option<RuleSpec> {
    if !rule.is_ipv4() {
        return None;
    }
    let remotes = match (rule.remote_group, rule.remote_prefix.as_deref()) {
        (Some(_), _) if members.is_empty() => return None,
        (Some(_), _) => members,
        (None, Some(prefix)) => match prefix.parse::<Ipv4Net>() {
            Ok(everywhere) if everywhere.prefix_len() == 0 => Vec::new(),
            Ok(prefix) => vec![prefix],
            Err(_) => return None,
        },
        (None, None) => Vec::new(),
    };
    Some(RuleSpec {
        direction: rule.direction,
        matches: packets(rule),
        remotes,
    })
}

fn packets(rule: &Rule) -> PacketMatch {
    let small = |number: Option<i64>| number.and_then(|n| u8::try_from(n).ok());
    let ports = match (rule.port_min, rule.port_max) {
        (Some(min), Some(max)) => u16::try_from(min).ok().zip(u16::try_from(max).ok()),
        _ => None,
    };
    match rule.protocol_number() {
        None => PacketMatch::Any,
        Some(1) => PacketMatch::Icmp {
            kind: small(rule.port_min),
            code: small(rule.port_max),
        },
        Some(6) => PacketMatch::Tcp(ports),
        Some(17) => PacketMatch::Udp(ports),
        Some(other) => PacketMatch::Protocol(other),
    }
}
