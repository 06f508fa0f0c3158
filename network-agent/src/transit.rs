//! Transit addresses: each network's way to its host is a link of two addresses out of 100.64.0.0/16,
//! the range that is set aside for such use (RFC 6598) and that no tenant's route is expected to name.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use skybus_model::id::NetworkId;

/// Networks of four addresses in a /16.
const SLOTS: u16 = 1 << 14;

/// A network's pair of transit addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Transit(u16);

/// All transit addresses are taken or cut across by the host's own routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no pair of addresses in 100.64.0.0/16 is free on this host")]
pub struct Exhausted;

impl Transit {
    /// A free pair for `network`. The search begins at a place that depends on the network, so that two
    /// clouds on a host that choose at the same moment do not choose the same.
    ///
    /// # Errors
    /// [`Exhausted`] when `taken` leaves nothing.
    pub fn choose(network: NetworkId, taken: &[Ipv4Net]) -> Result<Self, Exhausted> {
        let bytes = network.uuid().into_bytes();
        let start = u16::from_be_bytes([bytes[0], bytes[1]]) % SLOTS;
        (0..SLOTS)
            .map(|step| Self((start + step) % SLOTS))
            .find(|slot| !taken.iter().any(|used| overlaps(*used, slot.prefix())))
            .ok_or(Exhausted)
    }

    /// The pair that holds `address`, if it is a transit address.
    #[must_use]
    pub fn of(address: Ipv4Addr) -> Option<Self> {
        let [a, b, c, d] = address.octets();
        ((a, b) == (100, 64)).then(|| Self(u16::from_be_bytes([c, d]) >> 2))
    }

    /// The four addresses.
    #[must_use]
    pub fn prefix(self) -> Ipv4Net {
        Ipv4Net::new_assert(self.nth(0), 30)
    }

    /// The host's end.
    #[must_use]
    pub fn host(self) -> Ipv4Addr {
        self.nth(1)
    }

    /// The network's end.
    #[must_use]
    pub fn network(self) -> Ipv4Addr {
        self.nth(2)
    }

    fn nth(self, n: u8) -> Ipv4Addr {
        let [c, d] = (self.0 << 2).to_be_bytes();
        Ipv4Addr::new(100, 64, c, d + n)
    }
}

/// A default route is on every host and says nothing about what is taken.
fn overlaps(used: Ipv4Net, slot: Ipv4Net) -> bool {
    used.prefix_len() > 0 && (used.contains(&slot) || slot.contains(&used))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(start: u16) -> NetworkId {
        let [a, b] = start.to_be_bytes();
        format!("{a:02x}{b:02x}0000-0000-4000-8000-000000000000")
            .parse()
            .unwrap()
    }

    #[test]
    fn a_pair_and_its_addresses() {
        let transit = Transit::choose(network(0x3fff), &[]).unwrap();
        assert_eq!(transit.prefix().to_string(), "100.64.255.252/30");
        assert_eq!(transit.host().to_string(), "100.64.255.253");
        assert_eq!(transit.network().to_string(), "100.64.255.254");
        assert_eq!(Transit::of(transit.network()), Some(transit));
        assert_eq!(Transit::of(Ipv4Addr::new(10, 64, 0, 1)), None);
    }

    #[test]
    fn what_the_host_uses_is_passed_over_and_the_default_route_is_not_in_the_way() {
        let taken = ["0.0.0.0/0", "100.64.0.0/24", "100.64.1.2/32"].map(|n| n.parse().unwrap());
        assert_eq!(
            Transit::choose(network(0), &taken)
                .unwrap()
                .prefix()
                .to_string(),
            "100.64.1.4/30"
        );
        let all = ["100.64.0.0/10".parse().unwrap()];
        assert_eq!(Transit::choose(network(0), &all), Err(Exhausted));
    }
}
