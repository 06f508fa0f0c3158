//! The packet filter of a network's namespace, as text for `nft -f`.
//!
//! Two tables. `inet skybus` holds what may pass, keyed by fixed IP: bridged frames come by here too,
//! because `br_netfilter` sends them through the forward hook, and only here are connections tracked and
//! floating IPs translated. `bridge skybus` binds each fixed IP to its tap: what leaves a tap with another
//! machine's addresses is dropped before anything else sees it.
//!
//! Each port has [chains of its own](port). When ports change, only theirs are touched, in one
//! transaction, so at every moment a packet meets either the old rules or the new ones, and other ports
//! meet theirs all the time.

use std::fmt::Write;

use crate::{
    desired::{Network, Port},
    links::{BRIDGE, METADATA, UPLINK},
};

mod port;

/// The name of both tables.
pub const TABLE: &str = "skybus";

/// The whole filter of a network, in place of whatever there is.
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
    let parts = port::Parts::of(network.ports.values());
    for (family, base) in [("inet", routed(network)), ("bridge", bridged())] {
        let _ = writeln!(text, "table {family} {TABLE} {{");
        parts.write_maps(&mut text, family);
        text.push_str(&base);
        parts.write_chains(&mut text, family);
        let _ = writeln!(text, "}}");
    }
    text
}

/// What turns the filter of `before` into that of `after`, two states of one network: nothing when they are
/// the same, and nothing of ports that did not change.
#[must_use]
pub fn change(before: &Network, after: &Network) -> String {
    if routed(before) != routed(after) {
        return render(after);
    }
    let differing = |one: &Network, other: &Network| {
        let differs = |port: &&Port| other.ports.get(&port.id) != Some(*port);
        port::Parts::of(one.ports.values().filter(differs))
    };
    port::change(&differing(before, after), &differing(after, before))
}

/// What passes between guests, their gateway and the way out.
fn routed(network: &Network) -> String {
    let (gateway, cidr) = (network.spec.gateway, network.spec.cidr.trunc());
    // Nobody outside has an address of the network: rules that name its members are not for a forged one.
    // A connection that is in the middle and that nobody remembers went through a floating IP that is gone.
    format!(
        "  chain forwarded {{
    type filter hook forward priority filter; policy drop;
    meta nfproto ipv6 drop
    iifname \"{UPLINK}\" ip saddr {cidr} drop
    ct state established,related accept
    ct state invalid drop
    iifname \"{BRIDGE}\" oifname \"{UPLINK}\" tcp flags & (fin | syn | rst | ack) != syn reject with tcp reset
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
  chain destination_address {{
    type nat hook prerouting priority dstnat; policy accept;
    dnat ip to ip daddr map @floating
  }}
  chain source_address {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname \"{BRIDGE}\" ct status dnat snat ip to ip saddr map @outside
    oifname \"{UPLINK}\" snat ip to ip saddr map @outside
    oifname \"{UPLINK}\" ip saddr {cidr} masquerade
  }}
"
    )
}

/// What leaves a tap, and what comes back to the one it came from.
fn bridged() -> String {
    // A tap that no port accounts for has nothing to say.
    "  chain from_guests {
    type filter hook prerouting priority -300;
    iifname vmap @taps
    iifname \"tap*\" drop
  }
  chain reflected {
    type filter hook forward priority -300;
    iifname . oifname vmap @reflections
  }
"
    .to_owned()
}

#[cfg(test)]
mod tests;
