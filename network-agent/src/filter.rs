//! The packet filter of a network's namespace, as text for `nft -f`.
//!
//! Two tables. `inet skybus` holds what may pass, keyed by fixed IP: bridged frames come by here too,
//! because `br_netfilter` sends them through the forward hook, and only here are connections tracked and
//! floating IPs translated. `bridge skybus` binds each fixed IP to its tap: what leaves a tap with another
//! machine's addresses is dropped before anything else sees it. It also keeps the gateway at home: of it
//! nothing goes out on the [wire](crate::wire), and nobody out there can pass for it, or for a port of this host.
//!
//! Each port has [chains of its own](port). When ports change, only theirs are touched, in one
//! transaction, so at every moment a packet meets either the old rules or the new ones, and other ports
//! meet theirs all the time.

use std::fmt::Write;

use crate::{
    desired::{Network, Port},
    links::{BRIDGE, GATEWAY_MAC, METADATA, UPLINK},
    wire::WIRE,
};

mod port;

/// The name of both tables.
pub const TABLE: &str = "skybus";
/// Borne by packets on their way from the bridge to the wire. In the table `inet` both ends of a bridged
/// packet's way are the bridge, so only the table `bridge` can tell where it goes.
const LEAVES: &str = "0x736b7977";

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
    for (family, base) in [("inet", routed(network)), ("bridge", bridged(network))] {
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
    if (routed(before), bridged(before)) != (routed(after), bridged(after)) {
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
    // What leaves on the wire was allowed by its sender's rules; that it may come in is for the other host to
    // say. What goes to a tap here is for one of the ports here, or stopped.
    format!(
        "  chain forwarded {{
    type filter hook forward priority filter; policy drop;
    meta nfproto ipv6 drop
    iifname \"{UPLINK}\" ip saddr {cidr} drop
    ct state established,related accept
    ct state invalid drop
    iifname \"{BRIDGE}\" oifname \"{UPLINK}\" tcp flags & (fin | syn | rst | ack) != syn reject with tcp reset
    ip saddr vmap @egress
    meta mark {LEAVES} accept
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

/// What leaves a tap, what comes back to the one it came from, and what passes to and from the wire.
fn bridged(network: &Network) -> String {
    let gateway = format!("{{ {}, {METADATA} }}", network.spec.gateway);
    // A tap that no port accounts for has nothing to say. Only untagged IPv4 and ARP are looked into by what
    // comes after this, so nothing else passes.
    // Nothing of the wire is for the host itself: not what is sent to everybody, not what is sent to the
    // hardware address of the interface below the wire.
    // Out there the mark would count where the host routes what a tunnel wraps.
    format!(
        "  chain from_guests {{
    type filter hook prerouting priority -300;
    iifname \"{WIRE}\" goto from_wire
    iifname \"tap*\" ether type != {{ arp, ip }} drop
    iifname vmap @taps
    iifname \"tap*\" drop
  }}
  chain from_wire {{
    ether type != {{ arp, ip }} drop
    ether saddr {GATEWAY_MAC} drop
    ether daddr {GATEWAY_MAC} drop
    ether saddr @macs drop
    arp saddr ip {gateway} drop
    arp daddr ip {gateway} drop
    arp saddr ip @addresses drop
    ip saddr {gateway} drop
    ip saddr @addresses drop
    udp dport {{ 67, 68 }} drop
  }}
  chain from_wire_to_host {{
    type filter hook input priority -300;
    iifname \"{WIRE}\" drop
  }}
  chain reflected {{
    type filter hook forward priority -300;
    iifname . oifname vmap @reflections
  }}
  chain leaves {{
    type filter hook forward priority -300;
    oifname \"{WIRE}\" meta mark set {LEAVES}
  }}
  chain to_wire {{
    type filter hook postrouting priority 0;
    oifname != \"{WIRE}\" accept
    ether saddr {GATEWAY_MAC} drop
    ether daddr {GATEWAY_MAC} drop
    arp saddr ip {gateway} drop
    arp daddr ip {gateway} drop
    udp dport {{ 67, 68 }} drop
    meta mark set 0
  }}
"
    )
}

#[cfg(test)]
mod tests;
