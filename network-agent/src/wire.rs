//! The link that joins a network's bridge with the bridges of the same network on other hosts: what it is
//! for each kind of segment, and which lines of `ip` and `bridge` turn what is there into it. Pure functions.
//!
//! It is made on the host, straight into the network's namespace, so it goes with that and leaves nothing.

use std::{collections::BTreeSet, net::Ipv4Addr};

use serde::Deserialize;
use skybus_model::segment::{VlanId, Vni};

use crate::{
    links::{BRIDGE, mark},
    observed::Link,
};

/// The link, in every network's namespace.
pub const WIRE: &str = "wire";
/// Where VXLANs are heard (RFC 7348).
pub const VXLAN_PORT: u16 = 4789;
/// The entry for frames whose receiver is not known, or is everybody.
const EVERYBODY: &str = "00:00:00:00:00:00";

/// What the link should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// The whole of an interface.
    Flat(Lower),
    /// One VLAN of an interface.
    Vlan(Lower, VlanId),
    /// A VXLAN, from our own address to those of the peers.
    Vxlan(Vni, Ipv4Addr, BTreeSet<Ipv4Addr>),
}

/// The host's interface that the link lies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lower {
    /// Its name.
    pub name: String,
    /// Its number on the host, by which a link in another namespace tells what it lies on.
    pub index: u32,
}

/// Which machine a VXLAN believes behind which host, as `bridge -json fdb` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// The machine's hardware address.
    #[serde(default)]
    pub mac: String,
    /// The host's tunnel address.
    #[serde(default)]
    pub dst: Option<String>,
}

impl Entry {
    fn host(&self) -> Option<Ipv4Addr> {
        self.dst.as_ref()?.parse().ok()
    }
}

/// Lines of `bridge` for a VXLAN's peers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerLines {
    /// Who comes and who goes.
    pub peers: Vec<String>,
    /// What was learnt of those who are no peers; some of it may be forgotten already.
    pub learnt: Vec<String>,
}

impl Wire {
    /// The line that makes it, on the host.
    #[must_use]
    pub fn line(&self, namespace: &str) -> String {
        let named = format!("name {WIRE} netns {namespace} type");
        match self {
            Self::Flat(lower) => {
                format!("link add link {} {named} macvlan mode passthru", lower.name)
            }
            Self::Vlan(lower, id) => format!("link add link {} {named} vlan id {id}", lower.name),
            Self::Vxlan(vni, own, _) => {
                format!("link add {named} vxlan id {vni} local {own} dstport {VXLAN_PORT}")
            }
        }
    }

    /// Whether the link is this one; peers and settings can be changed while it is there.
    #[must_use]
    pub fn is(&self, link: &Link) -> bool {
        let lies_on = |lower: &Lower| link.link_index == Some(lower.index);
        let (kind, data) = (link.kind(), |key: &str| link.data(key));
        match self {
            Self::Flat(lower) => kind == "macvlan" && data("mode") == "passthru" && lies_on(lower),
            Self::Vlan(lower, id) => {
                kind == "vlan"
                    && data("id") == id.to_string()
                    && data("protocol") == "802.1Q"
                    && lies_on(lower)
            }
            Self::Vxlan(vni, own, _) => {
                kind == "vxlan"
                    && data("id") == vni.to_string()
                    && data("local") == own.to_string()
                    && data("port") == VXLAN_PORT.to_string()
            }
        }
    }

    /// Which entries are wanted and not there, and which are there and not wanted.
    #[must_use]
    pub fn peers(&self, there: &[Entry]) -> PeerLines {
        let Self::Vxlan(_, own, peers) = self else {
            return PeerLines::default();
        };
        let wanted: BTreeSet<Ipv4Addr> = peers.iter().copied().filter(|peer| peer != own).collect();
        let told: BTreeSet<Ipv4Addr> = there
            .iter()
            .filter(|entry| entry.mac == EVERYBODY)
            .filter_map(Entry::host)
            .collect();
        let mut lines = PeerLines::default();
        for peer in wanted.difference(&told) {
            lines
                .peers
                .push(format!("fdb append {EVERYBODY} dev {WIRE} dst {peer}"));
        }
        for entry in there {
            let (Some(dst), mac) = (&entry.dst, &entry.mac) else {
                continue;
            };
            if entry.host().is_some_and(|host| wanted.contains(&host)) {
                continue;
            }
            let line = format!("fdb del {mac} dev {WIRE} dst {dst}");
            match mac.as_str() {
                EVERYBODY => lines.peers.push(line),
                _ => lines.learnt.push(line),
            }
        }
        lines
    }
}

/// What to do inside the namespace, once the link is there: `found`, or just made.
#[must_use]
pub fn inside_lines(mtu: u16, cloud: &str, found: Option<&Link>) -> Vec<String> {
    let mut lines = Vec::new();
    if found.and_then(|link| link.ifalias.as_deref()) != Some(mark(cloud).as_str()) {
        lines.push(format!("link set {WIRE} alias {}", mark(cloud)));
    }
    if found.is_none_or(|link| link.mtu != u32::from(mtu)) {
        lines.push(format!("link set {WIRE} mtu {mtu}"));
    }
    if found.and_then(|link| link.master.as_deref()) != Some(BRIDGE) {
        lines.push(format!("link set {WIRE} master {BRIDGE}"));
    }
    if !found.is_some_and(Link::up) {
        lines.push(format!("link set {WIRE} up"));
    }
    lines
}

#[cfg(test)]
mod tests;
