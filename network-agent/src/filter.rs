//! The packet filter of a network's namespace, as text for `nft -f`.
//!
//! Two tables. `inet skybus` holds what may pass, keyed by fixed IP: bridged frames come by here too,
//! because `br_netfilter` sends them through the forward hook, and only here are connections tracked.
//! `bridge skybus` binds each fixed IP to its tap: what leaves a tap with another machine's addresses is
//! dropped before anything else sees it. Both are replaced in one transaction, so at every moment a
//! packet meets either the old rules or the new ones.

use std::fmt::Write;

use ipnet::Ipv4Net;
use skybus_model::network::{Direction, PacketMatch, RuleSpec};

use crate::{
    desired::{Network, Port},
    links::{BRIDGE, METADATA, UPLINK},
};

/// The name of both tables.
pub const TABLE: &str = "skybus";

/// The whole filter of a network.
#[must_use]
pub fn render(network: &Network) -> String {
    let mut text = String::new();
    for family in ["inet", "bridge"] {
        // `delete` fails on what is not there; naming the table first makes it, if need be.
        let _ = writeln!(
            text,
            "table {family} {TABLE} {{ }}\ndelete table {family} {TABLE}"
        );
    }
    routed(&mut text, network);
    bridged(&mut text, network);
    text
}

fn routed(text: &mut String, network: &Network) {
    let ports = || network.ports.values();
    let _ = writeln!(text, "table inet {TABLE} {{");
    verdicts(
        text,
        "ingress",
        ports().map(|port| format!("{} : jump in_{}", port.address, port.tap())),
    );
    verdicts(
        text,
        "egress",
        ports().map(|port| format!("{} : jump out_{}", port.address, port.tap())),
    );
    let (gateway, cidr) = (network.spec.gateway, network.spec.cidr.trunc());
    let _ = write!(
        text,
        "  chain forwarded {{
    type filter hook forward priority filter; policy drop;
    meta nfproto ipv6 drop
    ct state established,related accept
    ct state invalid drop
    ip saddr vmap @egress
    ip daddr vmap @ingress
    iifname \"{BRIDGE}\" oifname \"{UPLINK}\" accept
  }}
  chain to_gateway {{
    type filter hook input priority filter; policy drop;
    meta nfproto ipv6 drop
    iifname \"lo\" accept
    ct state established,related accept
    iifname \"{BRIDGE}\" udp sport 68 udp dport 67 accept
    iifname \"{BRIDGE}\" ip daddr {METADATA} tcp dport 80 accept
    iifname \"{BRIDGE}\" ip daddr {gateway} icmp type echo-request accept
  }}
  chain from_gateway {{
    type filter hook output priority filter; policy accept;
    meta nfproto ipv6 drop
    ct state established,related accept
    udp sport 67 udp dport 68 accept
    ip daddr vmap @ingress
  }}
  chain source_address {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname \"{UPLINK}\" ip saddr {cidr} masquerade
  }}
"
    );
    for port in ports() {
        port_rules(text, port, "in", Direction::Ingress);
        port_rules(text, port, "out", Direction::Egress);
    }
    let _ = writeln!(text, "}}");
}

fn bridged(text: &mut String, network: &Network) {
    let _ = writeln!(text, "table bridge {TABLE} {{");
    let taps = network
        .ports
        .values()
        .map(|port| format!("\"{0}\" : jump from_{0}", port.tap()));
    let _ = writeln!(
        text,
        "  chain from_guests {{\n    type filter hook prerouting priority -300;"
    );
    let taps: Vec<String> = taps.collect();
    if !taps.is_empty() {
        let _ = writeln!(text, "    iifname vmap {{ {} }}", taps.join(", "));
    }
    // A tap that no port accounts for has nothing to say.
    let _ = writeln!(text, "    iifname \"tap*\" drop\n  }}");
    for port in network.ports.values() {
        let (tap, mac, address) = (port.tap(), port.mac, port.address);
        let _ = write!(
            text,
            "  chain from_{tap} {{
    ether saddr != {mac} drop
    ip protocol udp udp sport 67 drop
    ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
    arp saddr ether {mac} arp saddr ip {{ 0.0.0.0, {address} }} accept
    ip saddr {address} accept
    drop
  }}
"
        );
    }
    let _ = writeln!(text, "}}");
}

fn verdicts(text: &mut String, name: &str, elements: impl Iterator<Item = String>) {
    let elements: Vec<String> = elements.collect();
    let _ = writeln!(text, "  map {name} {{\n    type ipv4_addr : verdict");
    if !elements.is_empty() {
        let _ = writeln!(text, "    elements = {{ {} }}", elements.join(", "));
    }
    let _ = writeln!(text, "  }}");
}

/// What a guest sends must also be let in by the one it goes to, hence `return`; what it is sent has
/// passed all other checks already, hence `accept`.
fn port_rules(text: &mut String, port: &Port, way: &str, direction: Direction) {
    let (peer, verdict) = match direction {
        Direction::Ingress => ("saddr", "accept"),
        Direction::Egress => ("daddr", "return"),
    };
    let _ = writeln!(text, "  chain {way}_{} {{", port.tap());
    for rule in port.rules.iter().filter(|rule| rule.direction == direction) {
        let _ = writeln!(
            text,
            "    {}{}{verdict}",
            remotes(rule, peer),
            packet(&rule.matches)
        );
    }
    let _ = writeln!(text, "    drop\n  }}");
}

fn remotes(rule: &RuleSpec, peer: &str) -> String {
    if rule.remotes.is_empty() || rule.remotes.iter().any(|net| net.prefix_len() == 0) {
        return String::new();
    }
    // nft refuses a set whose intervals overlap.
    let nets: Vec<String> = Ipv4Net::aggregate(&rule.remotes)
        .iter()
        .map(ToString::to_string)
        .collect();
    format!("ip {peer} {{ {} }} ", nets.join(", "))
}

fn packet(matches: &PacketMatch) -> String {
    let ports = |protocol: &str, range: &Option<(u16, u16)>| match range {
        None => format!("meta l4proto {protocol} "),
        Some((first, last)) if first == last => format!("{protocol} dport {first} "),
        Some((first, last)) => {
            format!("{protocol} dport {}-{} ", first.min(last), first.max(last))
        }
    };
    match matches {
        PacketMatch::Any => String::new(),
        PacketMatch::Tcp(range) => ports("tcp", range),
        PacketMatch::Udp(range) => ports("udp", range),
        PacketMatch::Icmp { kind: None, .. } => "meta l4proto icmp ".to_owned(),
        PacketMatch::Icmp {
            kind: Some(kind),
            code: None,
        } => format!("icmp type {kind} "),
        PacketMatch::Icmp {
            kind: Some(kind),
            code: Some(code),
        } => {
            format!("icmp type {kind} icmp code {code} ")
        }
        PacketMatch::Protocol(number) => format!("meta l4proto {number} "),
    }
}

#[cfg(test)]
mod tests;
