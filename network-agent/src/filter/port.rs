//! A port's own part of the filter: chains that only it has, and its elements of the maps that lead to
//! them. What the two tables hold for a network beyond that does not depend on its ports.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use ipnet::Ipv4Net;
use skybus_model::network::{Direction, PacketMatch, RuleSpec};

use super::TABLE;
use crate::desired::Port;

/// A chain: the family of its table, and its name.
pub(super) type Chain = (&'static str, String);
/// A key of a map: the family of its table, the map's name, the key.
pub(super) type Key = (&'static str, &'static str, String);

/// The maps that lead to ports' chains or tell their addresses, and sets of the latter.
pub(super) const MAPS: [(&str, &str, &str); 8] = [
    ("inet", "ingress", "ipv4_addr : verdict"),
    ("inet", "egress", "ipv4_addr : verdict"),
    ("inet", "floating", "ipv4_addr : ipv4_addr"),
    ("inet", "outside", "ipv4_addr : ipv4_addr"),
    ("bridge", "taps", "ifname : verdict"),
    ("bridge", "reflections", "ifname . ifname : verdict"),
    ("bridge", "addresses", "ipv4_addr"),
    ("bridge", "macs", "ether_addr"),
];

/// What one or more ports have in the tables.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The rules of each chain, a line each.
    pub(super) chains: BTreeMap<Chain, String>,
    /// The values of each map; nothing for an element of a set.
    pub(super) elements: BTreeMap<Key, String>,
}

impl Parts {
    /// Those of these ports together.
    pub(super) fn of<'a>(ports: impl Iterator<Item = &'a Port>) -> Self {
        let mut parts = Self::default();
        for port in ports {
            parts.add(port);
        }
        parts
    }

    fn add(&mut self, port: &Port) {
        let (tap, mac, address) = (port.tap(), port.mac, port.address);
        self.jump("inet", "ingress", address.to_string(), format!("in_{tap}"));
        self.jump("inet", "egress", address.to_string(), format!("out_{tap}"));
        for (way, direction) in [("in", Direction::Ingress), ("out", Direction::Egress)] {
            let chain = ("inet", format!("{way}_{tap}"));
            self.chains.insert(chain, allowed(&port.rules, direction));
        }
        self.jump(
            "bridge",
            "taps",
            format!("\"{tap}\""),
            format!("from_{tap}"),
        );
        self.chains
            .insert(("bridge", format!("from_{tap}")), own_addresses(port));
        for (set, key) in [
            ("addresses", address.to_string()),
            ("macs", mac.to_string()),
        ] {
            self.elements.insert(("bridge", set, key), String::new());
        }
        for floating in &port.floating {
            let key = ("inet", "floating", floating.to_string());
            self.elements.insert(key, address.to_string());
        }
        if let Some(first) = port.floating.first() {
            let key = ("inet", "outside", address.to_string());
            self.elements.insert(key, first.to_string());
            // Its tap gives frames back to it, so that it reaches itself under its floating IP; what it
            // sends to everybody is not for itself.
            let both = format!("\"{tap}\" . \"{tap}\"");
            self.jump("bridge", "reflections", both, format!("to_{tap}"));
            let rules = format!("    ether daddr != {mac} drop\n");
            self.chains.insert(("bridge", format!("to_{tap}")), rules);
        }
    }

    fn jump(&mut self, family: &'static str, map: &'static str, key: String, chain: String) {
        self.elements
            .insert((family, map, key), format!("jump {chain}"));
    }

    /// The chains of a family as they stand inside a table.
    pub(super) fn write_chains(&self, text: &mut String, family: &str) {
        for ((_, name), rules) in self.chains.iter().filter(|((of, _), _)| *of == family) {
            let _ = writeln!(text, "  chain {name} {{\n{rules}  }}");
        }
    }

    /// All maps of a family as they stand inside a table.
    pub(super) fn write_maps(&self, text: &mut String, family: &str) {
        for (_, map, of) in MAPS.iter().filter(|(of, ..)| *of == family) {
            let what = if of.contains(" : ") { "map" } else { "set" };
            let _ = writeln!(text, "  {what} {map} {{\n    type {of}");
            let its = |((_, in_map, _), _): &(&Key, &String)| in_map == map;
            let elements: Vec<String> = self
                .elements
                .iter()
                .filter(its)
                .map(|((_, _, key), value)| element(key, value))
                .collect();
            if !elements.is_empty() {
                let _ = writeln!(text, "    elements = {{ {} }}", elements.join(", "));
            }
            let _ = writeln!(text, "  }}");
        }
    }
}

fn element(key: &str, value: &str) -> String {
    match value {
        "" => key.to_owned(),
        _ => format!("{key} : {value}"),
    }
}

/// The lines that turn what the ports `before` had into what the ports `after` have.
pub(super) fn change(before: &Parts, after: &Parts) -> String {
    let mut text = String::new();
    // What leads to a chain goes before the chain, and comes after it.
    for (key, value) in &before.elements {
        if after.elements.get(key) != Some(value) {
            let (family, map, key) = key;
            let _ = writeln!(text, "delete element {family} {TABLE} {map} {{ {key} }}");
        }
    }
    for chain in before.chains.keys() {
        if !after.chains.contains_key(chain) {
            let (family, name) = chain;
            let _ = writeln!(text, "flush chain {family} {TABLE} {name}");
            let _ = writeln!(text, "delete chain {family} {TABLE} {name}");
        }
    }
    let mut families = BTreeSet::new();
    let mut changed = Parts::default();
    for (chain, rules) in &after.chains {
        let former = before.chains.get(chain);
        if former != Some(rules) {
            let (family, name) = chain;
            if former.is_some() {
                let _ = writeln!(text, "flush chain {family} {TABLE} {name}");
            }
            families.insert(*family);
            changed.chains.insert(chain.clone(), rules.clone());
        }
    }
    for family in families {
        let _ = writeln!(text, "table {family} {TABLE} {{");
        changed.write_chains(&mut text, family);
        let _ = writeln!(text, "}}");
    }
    for (key, value) in &after.elements {
        if before.elements.get(key) != Some(value) {
            let (family, map, key) = key;
            let element = element(key, value);
            let _ = writeln!(text, "add element {family} {TABLE} {map} {{ {element} }}");
        }
    }
    text
}

/// What leaves a tap bears its port's addresses, or is dropped before anything else sees it.
fn own_addresses(port: &Port) -> String {
    let (mac, address) = (port.mac, port.address);
    format!(
        "    ether saddr != {mac} drop
    ip protocol udp udp sport 67 drop
    ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
    arp saddr ether {mac} arp saddr ip {{ 0.0.0.0, {address} }} accept
    ip saddr {address} accept
    drop
"
    )
}

/// What a guest sends must also be let in by the one it goes to, hence `return`; what it is sent has
/// passed all other checks already, hence `accept`.
fn allowed(rules: &[RuleSpec], direction: Direction) -> String {
    let (peer, verdict) = match direction {
        Direction::Ingress => ("saddr", "accept"),
        Direction::Egress => ("daddr", "return"),
    };
    let mut text = String::new();
    for rule in rules.iter().filter(|rule| rule.direction == direction) {
        let _ = writeln!(
            text,
            "    {}{}{verdict}",
            remotes(rule, peer),
            packet(&rule.matches)
        );
    }
    text.push_str("    drop\n");
    text
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
