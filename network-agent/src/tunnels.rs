//! Who may send into a host's VXLANs: its peers, network by network. The kernel hears whatever comes to the
//! port, from whomever, on whichever address of the host, so the host's own table of nft says who.
//!
//! A peer is known by its address, which its own guests must not lend themselves: what they send leaves under
//! it. And what passes for a peer elsewhere is not for this table to know: the wire between hosts must be
//! one on which nobody else speaks in their names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    net::Ipv4Addr,
};

use skybus_model::segment::Segment;

use crate::{
    desired::{Network, transit_link},
    wire::VXLAN_PORT,
};

/// The VXLANs of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tunnels {
    /// The host's end.
    pub own: Option<Ipv4Addr>,
    /// By the network's link on the host: the VXLAN's number, and who takes part.
    pub networks: BTreeMap<String, (u32, BTreeSet<Ipv4Addr>)>,
}

impl Tunnels {
    /// Those of these networks.
    #[must_use]
    pub fn of(networks: &[Network], own: Option<Ipv4Addr>) -> Self {
        let of = |network: &Network| {
            let Segment::Vxlan { vni } = network.spec.segment else {
                return None;
            };
            let peers = network.spec.peers.iter().copied();
            let others = peers.filter(|peer| Some(*peer) != own).collect();
            Some((transit_link(network.spec.id), (vni.into(), others)))
        };
        let networks = networks.iter().filter_map(of).collect();
        Self { own, networks }
    }

    /// Goes on with what `former`, a listing of the cloud's table, holds of a network.
    pub fn keep(&mut self, link: &str, former: &str) {
        for (name, rest) in former.split("set ").filter_map(|set| set.split_once(" {")) {
            let Some((vni, of)) = name
                .strip_prefix(PREFIX)
                .and_then(|name| name.split_once('_'))
            else {
                continue;
            };
            if let Ok(vni) = vni.parse()
                && of == link
            {
                let elements = rest.split_once("elements = {").map_or("", |(_, rest)| rest);
                let elements = elements.split('}').next().unwrap_or_default();
                let peers = elements
                    .split(',')
                    .filter_map(|peer| peer.trim().parse().ok());
                let network = (vni, peers.collect());
                self.networks.insert(link.to_owned(), network);
            }
        }
    }

    /// The sets of the host's table: the peers of each network, and all together.
    pub fn sets(&self, text: &mut String) {
        let all: BTreeSet<Ipv4Addr> = self
            .networks
            .values()
            .flat_map(|(_, peers)| peers.clone())
            .collect();
        if !self.networks.is_empty() {
            set(text, "peers", &all);
        }
        for (link, (vni, peers)) in &self.networks {
            set(text, &name(*vni, link), peers);
        }
    }

    /// The chain through which comes what is for the host.
    pub fn chain(&self, text: &mut String) {
        if self.networks.is_empty() {
            return;
        }
        text.push_str(
            "  chain tunnels {\n    type filter hook input priority filter; policy accept;\n",
        );
        for (link, (vni, _)) in &self.networks {
            // The VXLAN's number stands behind the UDP header and four bytes of flags.
            let its = format!("    udp dport {VXLAN_PORT} @th,96,24 {vni}");
            if let Some(own) = self.own {
                let peers = name(*vni, link);
                let _ = writeln!(text, "{its} ip daddr {own} ip saddr @{peers} accept");
            }
            let _ = writeln!(text, "{its} drop");
        }
        text.push_str("  }\n");
    }

    /// The rule for what guests send on through the host.
    #[must_use]
    pub fn forwarded(&self) -> String {
        if self.networks.is_empty() {
            return String::new();
        }
        format!("    iifname @links udp dport {VXLAN_PORT} ip daddr @peers drop\n")
    }
}

const PREFIX: &str = "peers_";

fn name(vni: u32, link: &str) -> String {
    format!("{PREFIX}{vni}_{link}")
}

fn set(text: &mut String, name: &str, of: &BTreeSet<Ipv4Addr>) {
    let _ = writeln!(text, "  set {name} {{\n    type ipv4_addr");
    if !of.is_empty() {
        let each: Vec<String> = of.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "    elements = {{ {} }}", each.join(", "));
    }
    let _ = writeln!(text, "  }}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn network(peers: &[[u8; 4]]) -> Network {
        let mut network = testing::network(&[testing::port(7)]);
        let vni = 77_u32.try_into().unwrap();
        network.spec.segment = Segment::Vxlan { vni };
        network.spec.peers = peers.iter().copied().map(Ipv4Addr::from).collect();
        network
    }

    #[test]
    fn a_network_s_peers_alone_are_heard_and_kept_while_nobody_knows_of_it() {
        let own = Ipv4Addr::from([192, 0, 2, 1]);
        let tunnels = Tunnels::of(
            &[network(&[own.octets(), [192, 0, 2, 2], [192, 0, 2, 3]])],
            Some(own),
        );
        let (mut text, link) = (String::new(), "sbt0c0c0c0c0c0c");
        tunnels.sets(&mut text);
        tunnels.chain(&mut text);
        let peers = "peers_77_sbt0c0c0c0c0c0c";
        let sets = format!(
            "set {peers} {{\n    type ipv4_addr\n    elements = {{ 192.0.2.2, 192.0.2.3 }}\n"
        );
        assert!(text.contains(&sets), "{text}");
        let rules = format!(
            "    udp dport 4789 @th,96,24 77 ip daddr 192.0.2.1 ip saddr @{peers} accept\n    udp dport 4789 @th,96,24 77 \
             drop\n"
        );
        assert!(text.contains(&rules), "{text}");
        let mut kept = Tunnels::of(&[], Some(own));
        kept.keep("sbtother", &text);
        assert!(kept.networks.is_empty());
        kept.keep(link, &text);
        assert_eq!(kept, tunnels);
    }

    #[test]
    fn without_an_own_address_or_without_peers_nobody_is_heard() {
        for tunnels in [
            Tunnels::of(&[network(&[[192, 0, 2, 2]])], None),
            Tunnels::of(&[network(&[])], Some([192, 0, 2, 1].into())),
        ] {
            let mut text = String::new();
            tunnels.sets(&mut text);
            tunnels.chain(&mut text);
            assert!(text.contains("@th,96,24 77 drop"), "{text}");
            let mut kept = Tunnels {
                networks: BTreeMap::new(),
                ..tunnels.clone()
            };
            kept.keep("sbt0c0c0c0c0c0c", &text);
            assert_eq!(kept, tunnels);
        }
    }
}
