//! What dnsmasq reads: its configuration and the list of machines that it knows. Pure functions.
//!
//! It answers known machines only, each with its one address, and serves no names: guests get the
//! network's name servers.

use std::{collections::BTreeSet, fmt::Write, path::Path};

use crate::{desired::Network, links::BRIDGE};

/// How long a lease lasts. Addresses never move to another machine within a lease, because dnsmasq is
/// started afresh when one is given back.
const LEASE: &str = "86400s";

/// The configuration; `directory` holds everything of this one dnsmasq.
#[must_use]
pub fn configuration(network: &Network, directory: &Path) -> String {
    let (spec, at) = (&network.spec, directory.display());
    let mut text = format!(
        "port=0
interface={BRIDGE}
except-interface=lo
bind-interfaces
no-resolv
no-hosts
no-ping
user=nobody
group=nogroup
leasefile-ro
quiet-dhcp
dhcp-authoritative
dhcp-range={},static,{},{LEASE}
dhcp-hostsfile={at}/machines
dhcp-option=option:router,{}
dhcp-option=option:mtu,{}
pid-file={at}/pid
log-facility={at}/log
",
        spec.cidr.network(),
        spec.cidr.netmask(),
        spec.gateway,
        spec.mtu,
    );
    let servers: Vec<String> = spec.dns.iter().map(ToString::to_string).collect();
    // Without a value the option is not sent; left out, dnsmasq would name itself.
    let comma = if servers.is_empty() { "" } else { "," };
    let _ = writeln!(
        text,
        "dhcp-option=option:dns-server{comma}{}",
        servers.join(",")
    );
    text
}

/// The machines, one a line, by port.
#[must_use]
pub fn machines(network: &Network) -> String {
    network
        .ports
        .values()
        .fold(String::new(), |mut text, port| {
            let comma = if port.hostname.is_empty() { "" } else { "," };
            let _ = writeln!(
                text,
                "{},{}{comma}{}",
                port.mac, port.address, port.hostname
            );
            text
        })
}

/// What a running dnsmasq needs to take over a new list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Nothing changed.
    Nothing,
    /// Machines came: it reads the list anew.
    Reread,
    /// Machines went: it would hold on to their leases, so it has to begin anew.
    Restart,
}

/// How the list `new` is taken over by one that may have read any of the lists in `known`.
#[must_use]
pub fn takeover(known: &[&str], new: &str) -> Takeover {
    if known.iter().all(|known| *known == new) {
        return Takeover::Nothing;
    }
    let listed: BTreeSet<&str> = new.lines().collect();
    let mut lines = known.iter().flat_map(|known| known.lines());
    if lines.all(|line| listed.contains(line)) {
        Takeover::Reread
    } else {
        Takeover::Restart
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn known_machines_with_their_one_address() {
        let network = testing::network(&[testing::port(7), testing::port(8)]);
        assert_eq!(
            machines(&network),
            "fa:16:3e:00:00:07,10.9.0.7,vm-7\nfa:16:3e:00:00:08,10.9.0.8,vm-8\n"
        );
        let text = configuration(&network, Path::new("/run/x"));
        for line in [
            "dhcp-range=10.9.0.0,static,255.255.254.0,86400s",
            "dhcp-option=option:router,10.9.0.1",
            "dhcp-option=option:dns-server,9.9.9.9",
            "dhcp-hostsfile=/run/x/machines",
            // Or each question of a guest would be a line in a file on /run.
            "quiet-dhcp",
        ] {
            assert!(
                text.lines().any(|other| other == line),
                "{line} is not in\n{text}"
            );
        }
    }

    #[test]
    fn a_machine_that_went_must_not_keep_its_lease() {
        let after = |known: &str, new| takeover(&[known, known], new);
        assert_eq!(after("a\nb\n", "a\nb\n"), Takeover::Nothing);
        assert_eq!(after("a\n", "a\nb\n"), Takeover::Reread);
        assert_eq!(after("a\nb\n", "a\n"), Takeover::Restart);
        assert_eq!(after("a,10.0.0.2\n", "b,10.0.0.2\n"), Takeover::Restart);
    }

    #[test]
    fn of_two_lists_that_it_may_have_read_both_count() {
        // It was told of a, and perhaps of a and b.
        assert_eq!(takeover(&["a\n", "a\nb\n"], "a\n"), Takeover::Restart);
        assert_eq!(takeover(&["a\n", "a\nb\n"], "a\nb\n"), Takeover::Reread);
    }
}
