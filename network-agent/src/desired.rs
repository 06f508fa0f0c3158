//! What should be on the host: networks and their ports, checked so that everything after this may
//! write them into files and rules without a second look.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, str::FromStr};

use skybus_model::{
    id::{NetworkId, PortId},
    network::{NetworkSpec, PortSpec, RuleSpec},
    server::spec,
};

use crate::transit::Transit;

/// A hardware address of one machine (not a group's).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac([u8; 6]);

/// A port that cannot be made as described; the control plane's mistake, not the host's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The hardware address is none.
    #[error("{0:?} is not the hardware address of a machine")]
    Mac(String),
    /// The address lies outside the network, or is the gateway's, or the network's own.
    #[error("the address {address} cannot be a machine's in {cidr} with the gateway {gateway}")]
    Address {
        /// The port's address.
        address: Ipv4Addr,
        /// The network's addresses.
        cidr: ipnet::Ipv4Net,
        /// The network's gateway.
        gateway: Ipv4Addr,
    },
    /// The floating IP cannot be one of the outside.
    #[error("{floating} cannot be a floating IP of a port in {cidr}")]
    Floating {
        /// The floating IP.
        floating: Ipv4Addr,
        /// The network's addresses.
        cidr: ipnet::Ipv4Net,
    },
    /// The network itself cannot be made.
    #[error("the network {cidr} with the gateway {gateway} and packets of {mtu} cannot be made")]
    Network {
        /// The network's addresses.
        cidr: ipnet::Ipv4Net,
        /// The network's gateway.
        gateway: Ipv4Addr,
        /// The largest packet.
        mtu: u16,
    },
}

/// A network of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// What the control plane said of it.
    pub spec: NetworkSpec,
    /// Its way out.
    pub transit: Transit,
    /// Its ports on this host.
    pub ports: BTreeMap<PortId, Port>,
}

/// A port of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its id.
    pub id: PortId,
    /// Its hardware address.
    pub mac: Mac,
    /// Its fixed IP.
    pub address: Ipv4Addr,
    /// Its floating IPs, sorted; it goes out under the first.
    pub floating: Vec<Ipv4Addr>,
    /// The guest's host name, fit for DHCP.
    pub hostname: String,
    /// What may pass.
    pub rules: Vec<RuleSpec>,
}

impl Network {
    /// The network's namespace.
    #[must_use]
    pub fn namespace(&self) -> String {
        spec::namespace(self.spec.id)
    }
}

/// The host's end of a network's transit link: `sbt` and the first twelve digits of the id.
#[must_use]
pub fn transit_link(network: NetworkId) -> String {
    format!(
        "{TRANSIT_PREFIX}{}",
        &network.uuid().simple().to_string()[..12]
    )
}

/// What the names of all transit links on the host begin with.
pub const TRANSIT_PREFIX: &str = "sbt";

impl Port {
    /// Its tap.
    #[must_use]
    pub fn tap(&self) -> String {
        spec::tap(self.id)
    }
}

impl TryFrom<&PortSpec> for Port {
    type Error = Unfit;

    fn try_from(spec: &PortSpec) -> Result<Self, Unfit> {
        let network = &spec.network;
        let (cidr, gateway) = (network.cidr, network.gateway);
        let inside = |address: Ipv4Addr| {
            cidr.contains(&address) && address != cidr.network() && address != cidr.broadcast()
        };
        if !inside(gateway) || cidr.prefix_len() > 30 || network.mtu < 576 {
            return Err(Unfit::Network {
                cidr,
                gateway,
                mtu: network.mtu,
            });
        }
        if !inside(spec.address) || spec.address == gateway {
            return Err(Unfit::Address {
                address: spec.address,
                cidr,
                gateway,
            });
        }
        let mut floating = spec.floating.clone();
        floating.sort_unstable();
        floating.dedup();
        if let Some(&floating) = floating.iter().find(|ip| !may_float(**ip, cidr)) {
            return Err(Unfit::Floating { floating, cidr });
        }
        Ok(Self {
            id: spec.id,
            mac: spec.mac.parse()?,
            address: spec.address,
            floating,
            hostname: host_name(&spec.hostname),
            rules: spec.rules.clone(),
        })
    }
}

/// Whether the outside may know a port of the network `cidr` by this address.
fn may_float(ip: Ipv4Addr, cidr: ipnet::Ipv4Net) -> bool {
    let special = ip.is_loopback() || ip.is_link_local() || ip.octets()[0] == 0;
    // From 224 on addresses are groups', or nobody's.
    !special && ip.octets()[0] < 224 && !cidr.contains(&ip) && Transit::of(ip).is_none()
}

/// A user's text as a DHCP host name: a label, or nothing.
fn host_name(text: &str) -> String {
    let label = text.split('.').next().unwrap_or_default();
    let clean: String = label
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(63)
        .collect();
    clean.trim_matches('-').to_owned()
}

impl FromStr for Mac {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        let unfit = || Unfit::Mac(text.chars().take(40).collect());
        let mut bytes = [0_u8; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let two_digits =
                |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            let part = parts.next().filter(two_digits).ok_or_else(unfit)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| unfit())?;
        }
        // The lowest bit of the first byte marks a group; all zero is nobody.
        if parts.next().is_some() || bytes[0] & 1 == 1 || bytes == [0; 6] {
            return Err(unfit());
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests;
