//! The host's part of NAT: a table of nft's own for each cloud, and forwarding switched on.
//!
//! The table also remembers whether forwarding was on before, in its comment, because the host is the one
//! place that is still there when the agent's own directory has been lost.

use std::fmt::Write;

use crate::{
    desired::{Network, TRANSIT_PREFIX},
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
    let prefixes: Vec<String> = networks
        .map(|network| network.transit.prefix().to_string())
        .collect();
    let mut text = format!("table ip {table} {{ }}\ndelete table ip {table}\n");
    let _ = write!(text, "table ip {table} {{\n  comment \"{COMMENT}{was}\"\n");
    let _ = writeln!(text, "  set transit {{\n    type ipv4_addr; flags interval");
    if !prefixes.is_empty() {
        let _ = writeln!(text, "    elements = {{ {} }}", prefixes.join(", "));
    }
    // Networks do not reach each other by way of the host, and leave with their own addresses only.
    let _ = writeln!(
        text,
        "  }}
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
    use super::*;
    use crate::testing;

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
        let network = testing::network(&[testing::port(7)]);
        for networks in [vec![], vec![&network]] {
            let text = render("c1", "1", networks.into_iter());
            let listing = crate::ruleset::listing_of(&text, &[("ip", &table("c1"))]).unwrap();
            assert_eq!(was(&listing), Some("1"), "{listing}");
        }
    }
}
