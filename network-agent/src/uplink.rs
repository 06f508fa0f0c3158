//! The host's part of a cloud: a table of nft's own with NAT and with what guests may ask of the host
//! itself, and forwarding switched on.
//!
//! The table also remembers whether forwarding was on before, in its comment, because the host is the one
//! place that is still there when the agent's own directory has been lost.

use std::{collections::BTreeSet, fmt::Write};

use crate::{
    desired::TRANSIT_PREFIX,
    outside::{At, Part},
    program::{self, Error, Place},
};

/// The setting that makes a host pass packets on.
pub const FORWARDING: &str = "net.ipv4.ip_forward";

/// What the names of all clouds' tables begin with.
const TABLE_PREFIX: &str = "skybus_";

/// The table of a cloud.
#[must_use]
pub fn table(cloud: &str) -> String {
    format!("{TABLE_PREFIX}{cloud}")
}

/// The rules of a cloud on its host. `was` is the host's own setting of forwarding.
#[must_use]
pub fn render(cloud: &str, was: &str, part: &Part) -> String {
    let table = table(cloud);
    let mut text = format!("table ip {table} {{ }}\ndelete table ip {table}\n");
    let _ = write!(text, "table ip {table} {{\n  comment \"{COMMENT}{was}\"\n");
    sets(&mut text, part);
    let public = part.public.as_ref();
    let beside = public.map_or_else(String::new, |name| format!("oifname != \"{name}\" "));
    // Guests reach no service of the host, but a name server of their network may be one of its addresses.
    // A network is entered under its floating IPs only, also from others, and left with its own addresses.
    // Where nobody leads a floating IP back to this host, who has one leaves as all others do.
    let forwarded = part.tunnels.forwarded();
    part.tunnels.chain(&mut text);
    let _ = writeln!(
        text,
        "  chain to_host {{
    type filter hook input priority filter; policy accept;
    iifname != @links accept
    ct state established,related accept
    meta l4proto {{ tcp, udp }} th dport 53 iifname . ip daddr @name_servers accept
    drop
  }}
  chain between_networks {{
    type filter hook forward priority filter; policy accept;
{forwarded}    iifname @links ip saddr != 100.64.0.0/16 iifname . ip saddr != @floating drop
    ct state established,related accept
    oifname @links oifname . ip daddr != @floating drop
  }}
  chain source_address {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname != \"{TRANSIT_PREFIX}*\" ip saddr @transit masquerade
    oifname != \"{TRANSIT_PREFIX}*\" {beside}ip saddr @floating_ips masquerade
  }}
}}"
    );
    text
}

/// The networks' addresses and links on the host, which name servers each may ask, and where floating IPs
/// lead. The last is a note alone: for whom the host answers.
fn sets(text: &mut String, part: &Part) {
    let pairs = |of: &BTreeSet<At>| {
        let each = of.iter().map(|(name, ip)| format!("\"{name}\" . {ip}"));
        each.collect::<Vec<_>>()
    };
    let prefixes = part.links.values().map(|of| of.prefix().to_string());
    let links = part.links.keys().map(|link| format!("\"{link}\""));
    let alone: BTreeSet<_> = part.floating.iter().map(|(_, ip)| *ip).collect();
    let alone = alone.iter().map(ToString::to_string).collect();
    for (name, of, elements) in [
        ("transit", "ipv4_addr; flags interval", prefixes.collect()),
        ("links", "ifname", links.collect()),
        ("name_servers", PAIR, pairs(&part.name_servers)),
        ("floating", PAIR, pairs(&part.floating)),
        ("floating_ips", "ipv4_addr", alone),
        ("answered", PAIR, pairs(&part.answered)),
    ] {
        let _ = writeln!(text, "  set {name} {{\n    type {of}");
        if !elements.is_empty() {
            let _ = writeln!(text, "    elements = {{ {} }}", elements.join(", "));
        }
        let _ = writeln!(text, "  }}");
    }
    part.tunnels.sets(text);
}

const PAIR: &str = "ifname . ipv4_addr";
const COMMENT: &str = "ip_forward was ";

/// What the comment of a listed table says about forwarding.
#[must_use]
pub fn was(listing: &str) -> Option<&str> {
    let rest = &listing[listing.find(COMMENT)? + COMMENT.len()..];
    rest.split('"')
        .next()
        .filter(|value| matches!(*value, "0" | "1"))
}

/// The listings of the tables of all clouds on this host, by cloud.
///
/// # Errors
/// When nft cannot be asked.
pub fn all_clouds() -> Result<Vec<(String, String)>, Error> {
    let tables = program::run(
        "nft",
        "nftables",
        &["list", "tables", "ip"],
        Place::Host,
        "",
    )?;
    let mut found = Vec::new();
    for line in tables.lines() {
        let Some(cloud) = line
            .trim()
            .strip_prefix("table ip ")
            .and_then(|name| name.strip_prefix(TABLE_PREFIX))
        else {
            continue;
        };
        if let Some(listing) = program::nft_table(Place::Host, "ip", &table(cloud))? {
            found.push((cloud.to_owned(), listing));
        }
    }
    Ok(found)
}

/// The host's own setting of forwarding, as far as it can be known: what a cloud noted before it changed
/// it, or what it is now.
#[must_use]
pub fn original<'a>(clouds: &'a [(String, String)], now: &'a str) -> &'a str {
    // Any cloud that came first and changed it has noted 0; later ones only saw its 1.
    if clouds.iter().any(|(_, listing)| was(listing) == Some("0")) {
        "0"
    } else {
        now
    }
}

#[cfg(test)]
mod tests {
    use skybus_model::{id::NetworkId, segment::Segment};

    use super::*;
    use crate::{desired::transit_link, testing, transit::Transit, tunnels::Tunnels};

    #[test]
    fn the_first_cloud_s_note_is_handed_on() {
        let network = testing::network(&[testing::port(7)]);
        let text = render("c1", "0", &Part::of(&[network], None));
        assert_eq!(was(&text), Some("0"));
        assert!(text.contains("elements = { 100.64.48.48/30 }"), "{text}");
        assert_eq!(original(&[("c1".to_owned(), text)], "1"), "0");
        assert_eq!(original(&[], "1"), "1");
        assert_eq!(was("table ip skybus_c1 { comment \"rubbish\" }"), None);
    }

    #[test]
    fn nft_reads_it_with_and_without_networks() {
        if !testing::root("loading rules into a scratch namespace") {
            return;
        }
        let mut port = testing::port(7);
        port.floating = vec![[203, 0, 113, 7].into(), [203, 0, 113, 8].into()];
        let mut one = testing::network(&[port]);
        one.spec.dns.push([10, 0, 0, 53].into());
        let mut other = one.clone();
        other.spec.id = NetworkId::random();
        other.transit = Transit::choose(other.spec.id, &[one.transit.prefix()]).unwrap();
        for (network, vni, peers) in [(&mut one, 77, 0), (&mut other, 16_777_215, 300)] {
            let vni = u32::try_into(vni).unwrap();
            network.spec.segment = Segment::Vxlan { vni };
            network.spec.peers = (0..peers).map(|n| (0x0a00_0000 + n).into()).collect();
        }
        for (networks, own) in [
            (vec![], None),
            (vec![one.clone()], None),
            (vec![one, other], Some([192, 0, 2, 1].into())),
        ] {
            let mut part = Part::of(&networks, Some("eth0"));
            part.tunnels = Tunnels::of(&networks, own);
            let text = render("c1", "1", &part);
            let listed = || crate::ruleset::listing_of(&text, &[("ip", &table("c1"))]).unwrap();
            let listing = listed();
            assert_eq!(was(&listing), Some("1"), "{listing}");
            let mut kept = Tunnels {
                own,
                ..Tunnels::default()
            };
            for network in &networks {
                kept.keep(&transit_link(network.spec.id), &listing);
            }
            assert_eq!(kept, part.tunnels, "{listing}");
            // Or the rules would be loaded anew with each look.
            assert_eq!(listing, listed());
        }
    }
}
