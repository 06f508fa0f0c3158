//! Whether networks are real: the host's, or only imagined.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
};

use skybus_model::id::NetworkId;

use skybus_model::segment::Carries;

use crate::{
    carries::Wiring, changes::Changes, desired::Network, failure::Error, linux::Linux,
    outside::Reached, transit::Transit,
};

/// What makes networks. Its calls block.
#[derive(Debug)]
pub enum Driver {
    /// This Linux host.
    Linux(Linux),
    /// Records only, for simulations with many hosts, which are wired like this.
    Fake(Wiring),
}

impl Driver {
    /// Makes a network be as described; see [`Linux::converge`].
    ///
    /// # Errors
    /// When the host refuses.
    pub fn converge(
        &self,
        network: &Network,
        doomed: &BTreeSet<String>,
        changes: &mut Changes,
    ) -> Result<bool, Error> {
        match self {
            Self::Linux(linux) => linux.converge(network, doomed, changes),
            Self::Fake(wiring) => match wiring.imagined(0).refusal(&network.spec.segment) {
                Some(why) => Err(Error::Segment(why)),
                None => Ok(false),
            },
        }
    }

    /// Plugs a network into its segment; see [`Linux::plug`].
    ///
    /// # Errors
    /// When the host cannot carry it, or refuses.
    pub fn plug(&self, network: &Network, changes: &mut Changes) -> Result<(), Error> {
        match self {
            Self::Linux(linux) => linux.plug(network, changes),
            Self::Fake(_) => Ok(()),
        }
    }

    /// What the n-th of its hosts, from 0 on, carries.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn carries(&self, n: u32) -> Result<Carries, Error> {
        match self {
            Self::Linux(linux) => Ok(linux.carrier().look()?),
            Self::Fake(wiring) => Ok(wiring.imagined(n)),
        }
    }

    /// Makes the host's own part be as the networks want it, without the floating IPs that are `lost`; says how
    /// the others fare.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn converge_host(
        &self,
        networks: &[Network],
        lost: &BTreeSet<Ipv4Addr>,
        changes: &mut Changes,
    ) -> Result<Reached, Error> {
        match self {
            Self::Linux(linux) => linux.converge_host(networks, lost, changes),
            Self::Fake(_) => Ok(Reached::default()),
        }
    }

    /// The floating IPs that lead into networks now; nothing where nothing is ever led.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn served(&self) -> Result<Option<BTreeSet<Ipv4Addr>>, Error> {
        match self {
            Self::Linux(linux) => linux.served().map(Some),
            Self::Fake(_) => Ok(None),
        }
    }

    /// Ends the connections through a floating IP; see [`Linux::end_connections`].
    ///
    /// # Errors
    /// When the host refuses.
    pub fn end_connections(
        &self,
        namespace: &str,
        floating: Ipv4Addr,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        match self {
            Self::Linux(linux) => linux.end_connections(namespace, floating, changes),
            Self::Fake(_) => Ok(()),
        }
    }

    /// Takes a network away unless taps other than the `doomed` are in it; see [`Linux::withdraw`].
    ///
    /// # Errors
    /// When something cannot be taken away.
    pub fn withdraw(
        &self,
        namespace: &str,
        doomed: &BTreeSet<String>,
        changes: &mut Changes,
    ) -> Result<bool, Error> {
        match self {
            Self::Linux(linux) => linux.withdraw(namespace, doomed, changes),
            Self::Fake(_) => Ok(true),
        }
    }

    /// Takes a network away, whatever is in it.
    ///
    /// # Errors
    /// When something cannot be taken away.
    pub fn remove(&self, namespace: &str, changes: &mut Changes) -> Result<(), Error> {
        match self {
            Self::Linux(linux) => linux.remove(namespace, changes),
            Self::Fake(_) => Ok(()),
        }
    }

    /// A pair of transit addresses for a network.
    ///
    /// # Errors
    /// When none is free.
    pub fn transit(&self, network: NetworkId, held: &[Transit]) -> Result<Transit, Error> {
        match self {
            Self::Linux(linux) => linux.transit(network, held),
            // Imagined networks never meet.
            Self::Fake(_) => Ok(Transit::choose(network, &[])?),
        }
    }

    /// Which namespaces this cloud made, and the taps in each.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn made(&self) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
        match self {
            Self::Linux(linux) => linux.made(),
            Self::Fake(_) => Ok(BTreeMap::new()),
        }
    }

    /// Keeps what the network's DHCP server has to say within bounds.
    ///
    /// # Errors
    /// When its log cannot be emptied.
    pub fn shorten_log(&self, namespace: &str) -> io::Result<()> {
        match self {
            Self::Linux(linux) => linux.dnsmasq(namespace).shorten_log(),
            Self::Fake(_) => Ok(()),
        }
    }

    /// Whether the network's DHCP server runs.
    #[must_use]
    pub fn serves_dhcp(&self, namespace: &str) -> bool {
        match self {
            Self::Linux(linux) => linux.dnsmasq(namespace).running().is_some(),
            Self::Fake(_) => true,
        }
    }
}
