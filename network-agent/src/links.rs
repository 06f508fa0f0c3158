//! The links of a network's namespace and its way to the host: which lines of `ip` turn what is there
//! into what should be. Pure functions; an empty answer means that nothing is to be done.

use std::{collections::BTreeSet, net::Ipv4Addr};

use ipnet::Ipv4Net;
use skybus_model::segment::Segment;

use crate::{
    desired::{Network, Port, transit_link},
    observed::{Link, Links},
    wire::WIRE,
};

/// The bridge of every network.
pub const BRIDGE: &str = "br0";
/// The network's end of its transit link.
pub const UPLINK: &str = "transit";
/// Where guests ask for their metadata.
pub const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// The gateway has this hardware address on every host, so that a guest that moves finds it unchanged.
/// Outside `fa:16:3e`, from which ports get theirs.
pub const GATEWAY_MAC: &str = "02:73:6b:79:62:01";

/// Settings of every namespace: it forwards, speaks no IPv6, never tells guests of other ways, and shows
/// bridged frames to the filter.
pub const SETTINGS: [(&str, &str); 6] = [
    ("net.ipv6.conf.all.disable_ipv6", "1"),
    ("net.ipv6.conf.default.disable_ipv6", "1"),
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.default.send_redirects", "0"),
    (BRIDGE_FILTER, "1"),
    ("net.ipv4.ip_forward", "1"),
];

/// The setting that only exists where `br_netfilter` does.
pub const BRIDGE_FILTER: &str = "net.bridge.bridge-nf-call-iptables";

/// The text that marks a link as this cloud's, so that two clouds on a host tell theirs apart.
#[must_use]
pub fn mark(cloud: &str) -> String {
    format!("skybus:{cloud}")
}

/// What to do on the host, so that the transit link is there with both ends.
#[must_use]
pub fn host_lines(network: &Network, cloud: &str, host: &Links, inside: &Links) -> Vec<String> {
    let name = transit_link(network.spec.id);
    let mut lines = Vec::new();
    let found = host.links.get(&name);
    let whole = found.is_some() && inside.links.contains_key(UPLINK);
    if !whole {
        if found.is_some() {
            lines.push(format!("link delete {name}"));
        }
        let namespace = network.namespace();
        lines.push(format!(
            "link add {name} type veth peer name {UPLINK} netns {namespace}"
        ));
        lines.push(format!("link set {name} addrgenmode none"));
    }
    let link = found.filter(|_| whole);
    if link.and_then(|link| link.ifalias.as_deref()) != Some(mark(cloud).as_str()) {
        lines.push(format!("link set {name} alias {}", mark(cloud)));
    }
    addresses(&mut lines, &name, link, network.transit.host(), 30);
    if !link.is_some_and(Link::up) {
        lines.push(format!("link set {name} up"));
    }
    lines
}

/// What to do inside the namespace. Taps in `doomed` are taken away; other taps that no port accounts
/// for stay, cut off by the filter, until it is clear that nobody will claim them.
#[must_use]
pub fn inside_lines(
    network: &Network,
    cloud: &str,
    inside: &Links,
    doomed: &BTreeSet<String>,
) -> Vec<String> {
    let mut lines = Vec::new();
    loopback(&mut lines, cloud, inside.links.get("lo"));
    bridge(&mut lines, network, inside.links.get(BRIDGE));
    uplink(&mut lines, network, inside);
    for port in network.ports.values() {
        tap(&mut lines, network, port, inside.links.get(&port.tap()));
    }
    // The others' wires are for `Linux::plug`.
    if network.spec.segment == Segment::Local && inside.links.contains_key(WIRE) {
        lines.push(format!("link delete {WIRE}"));
    }
    let wanted: BTreeSet<String> = network.ports.values().map(Port::tap).collect();
    for name in doomed.iter().filter(|name| !wanted.contains(*name)) {
        if inside.links.contains_key(name) {
            lines.push(format!("link delete {name}"));
        }
    }
    lines
}

fn loopback(lines: &mut Vec<String>, cloud: &str, link: Option<&Link>) {
    if link.and_then(|link| link.ifalias.as_deref()) != Some(mark(cloud).as_str()) {
        lines.push(format!("link set lo alias {}", mark(cloud)));
    }
    if !link.is_some_and(Link::up) {
        lines.push("link set lo up".to_owned());
    }
    let metadata = Ipv4Net::from(METADATA);
    if !link.is_some_and(|link| link.has(metadata)) {
        lines.push(format!("address add {metadata} dev lo"));
    }
}

fn bridge(lines: &mut Vec<String>, network: &Network, link: Option<&Link>) {
    let mtu = network.spec.mtu;
    match link {
        None => lines.push(format!(
            "link add {BRIDGE} address {GATEWAY_MAC} mtu {mtu} type bridge \
             forward_delay 0 stp_state 0 mcast_snooping 0"
        )),
        Some(link) => {
            if link.address.as_deref() != Some(GATEWAY_MAC) {
                lines.push(format!("link set {BRIDGE} address {GATEWAY_MAC}"));
            }
            if link.mtu != u32::from(mtu) {
                lines.push(format!("link set {BRIDGE} mtu {mtu}"));
            }
        }
    }
    addresses(
        lines,
        BRIDGE,
        link,
        network.spec.gateway,
        network.spec.cidr.prefix_len(),
    );
    if !link.is_some_and(Link::up) {
        lines.push(format!("link set {BRIDGE} up"));
    }
}

fn uplink(lines: &mut Vec<String>, network: &Network, inside: &Links) {
    let link = inside.links.get(UPLINK);
    addresses(lines, UPLINK, link, network.transit.network(), 30);
    if !link.is_some_and(Link::up) {
        lines.push(format!("link set {UPLINK} up"));
    }
    let host = network.transit.host().to_string();
    let there = inside.routes.iter().any(|route| {
        route.dst == "default"
            && route.gateway.as_deref() == Some(&host)
            && route.dev.as_deref() == Some(UPLINK)
    });
    if !there || !link.is_some_and(Link::up) {
        lines.push(format!("route replace default via {host} dev {UPLINK}"));
    }
}

fn tap(lines: &mut Vec<String>, network: &Network, port: &Port, link: Option<&Link>) {
    let (mtu, name) = (network.spec.mtu, port.tap());
    if link.is_none() {
        lines.push(format!("tuntap add dev {name} mode tap"));
    }
    if link.is_none_or(|link| link.mtu != u32::from(mtu)) {
        lines.push(format!("link set {name} mtu {mtu}"));
    }
    if link.and_then(|link| link.master.as_deref()) != Some(BRIDGE) {
        lines.push(format!("link set {name} master {BRIDGE}"));
    }
    // A guest that asks for its own floating IP is led back to itself.
    let reflects = !port.floating.is_empty();
    if link.is_some_and(Link::reflects) != reflects {
        let word = if reflects { "on" } else { "off" };
        lines.push(format!("link set {name} type bridge_slave hairpin {word}"));
    }
    if !link.is_some_and(Link::up) {
        lines.push(format!("link set {name} up"));
    }
}

/// The one address that a link should have.
fn addresses(
    lines: &mut Vec<String>,
    name: &str,
    link: Option<&Link>,
    address: Ipv4Addr,
    prefix: u8,
) {
    let Ok(wanted) = Ipv4Net::new(address, prefix) else {
        return;
    };
    for other in link
        .into_iter()
        .flat_map(Link::addresses)
        .filter(|other| *other != wanted)
    {
        lines.push(format!("address delete {other} dev {name}"));
    }
    if !link.is_some_and(|link| link.has(wanted)) {
        lines.push(format!("address add {wanted} dev {name}"));
    }
}

#[cfg(test)]
mod tests;
