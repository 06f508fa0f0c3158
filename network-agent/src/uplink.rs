//! The host's part of a cloud: a table of nft's own with NAT and with what guests may ask of the host
//! itself, and forwarding switched on.
//!
//! The table also remembers whether forwarding was on before, in its comment, because the host is the one
//! place that is still there when the agent's own directory has been lost.

use std::fmt::Write;

use crate::{
    desired::{Network, TRANSIT_PREFIX, transit_link},
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
pub fn render<'a>(cloud: &str, was: &str, networks: impl Iterator<Item = &'a Network>) -> String {
    let table = table(cloud);
    let mut text = format!("table ip {table} {{ }}\ndelete table ip {table}\n");
    let _ = write!(text, "table ip {table} {{\n  comment \"{COMMENT}{was}\"\n");
    sets(&mut text, networks);
    // Guests reach no service of the host, but a name server of their network may be one of its addresses.
    // Networks do not reach each other by way of the host, and leave with their own addresses only.
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
    iifname \"{TRANSIT_PREFIX}*\" oifname \"{TRANSIT_PREFIX}*\" drop
    iifname \"{TRANSIT_PREFIX}*\" ip saddr != 100.64.0.0/16 drop
  }}
  chain source_address {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname != \"{TRANSIT_PREFIX}*\" ip saddr @transit masquerade
  }}
}}"
    );
    text
}

/// The networks' addresses and links on the host, and which name servers each may ask.
fn sets<'a>(text: &mut String, networks: impl Iterator<Item = &'a Network>) {
    let (mut prefixes, mut links, mut servers) = (Vec::new(), Vec::new(), Vec::new());
    for network in networks {
        let link = transit_link(network.spec.id);
        prefixes.push(network.transit.prefix().to_string());
        servers.extend(
            network
                .spec
                .dns
                .iter()
                .map(|server| format!("\"{link}\" . {server}")),
        );
        links.push(format!("\"{link}\""));
    }
    for (name, of, elements) in [
        ("transit", "ipv4_addr; flags interval", prefixes),
        ("links", "ifname", links),
        ("name_servers", "ifname . ipv4_addr", servers),
    ] {
        let _ = writeln!(text, "  set {name} {{\n    type {of}");
        if !elements.is_empty() {
            let _ = writeln!(text, "    elements = {{ {} }}", elements.join(", "));
        }
        let _ = writeln!(text, "  }}");
    }
}

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
    use skybus_model::id::NetworkId;

    use super::*;
    use crate::{testing, transit::Transit};

    #[test]
    fn the_first_cloud_s_note_is_handed_on() {
        let network = testing::network(&[testing::port(7)]);
        let text = render("c1", "0", std::iter::once(&network));
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
        let mut one = testing::network(&[testing::port(7)]);
        one.spec.dns.push([10, 0, 0, 53].into());
        let mut other = one.clone();
        other.spec.id = NetworkId::random();
        other.transit = Transit::choose(other.spec.id, &[one.transit.prefix()]).unwrap();
        for networks in [vec![], vec![&one], vec![&one, &other]] {
            let text = render("c1", "1", networks.into_iter());
            let listed = || crate::ruleset::listing_of(&text, &[("ip", &table("c1"))]).unwrap();
            let listing = listed();
            assert_eq!(was(&listing), Some("1"), "{listing}");
            // Or the rules would be loaded anew with each look.
            assert_eq!(listing, listed());
        }
    }
}
