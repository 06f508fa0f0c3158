//! The networks that are there from the first day: a flat one, shared by all projects, and the outside, of
//! which projects hold addresses.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use skybus_model::{Timestamp, id::ProjectId, segment::Segment};

use super::{
    Network, Scope,
    allocation::{self, BadPools},
    network::{self, NewNetwork},
    subnets::{self, NewSubnet},
};
use crate::{Result, Tx, row::Columns};

/// The name of the network that is there from the first day.
pub const FLAT: &str = "flat";
/// The name of the outside.
pub const PUBLIC: &str = "public";

/// The part of the fixed range that becomes the first network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlatNetwork {
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// Its gateway: the first of them.
    pub gateway: Ipv4Addr,
    /// Name servers for its guests.
    pub dns: Vec<Ipv4Addr>,
    /// What carries its frames between hosts.
    pub segment: Segment,
}

/// The settings do not give a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFlatNetwork {
    /// The number of addresses is no power of two.
    #[error("network_size is {0}; it must be a power of two, such as 256 or 512, and at least 8")]
    Size(u32),
    /// The range is smaller than the network.
    #[error("fixed_range {range} has no room for a network of {size} addresses")]
    Range {
        /// The range.
        range: Ipv4Net,
        /// The wanted size.
        size: u32,
    },
    /// The addresses do not make a subnet.
    #[error(transparent)]
    Pools(#[from] BadPools),
}

impl FlatNetwork {
    /// The first `size` addresses of `range`; the gateway is the first that a host can have.
    ///
    /// # Errors
    /// [`BadFlatNetwork`] when the size is no power of two or the range is too small.
    pub fn first_of(
        range: Ipv4Net,
        size: u32,
        dns: Vec<Ipv4Addr>,
    ) -> std::result::Result<Self, BadFlatNetwork> {
        if !size.is_power_of_two() || size < 8 {
            return Err(BadFlatNetwork::Size(size));
        }
        let prefix = u8::try_from(32 - size.trailing_zeros()).unwrap_or(32);
        if prefix < range.prefix_len() {
            return Err(BadFlatNetwork::Range { range, size });
        }
        let too_small = |_| BadFlatNetwork::Range { range, size };
        let cidr = Ipv4Net::new(range.network(), prefix).map_err(too_small)?;
        let gateway = allocation::usable(cidr)?.start;
        Ok(Self {
            cidr,
            gateway,
            dns,
            segment: Segment::Local,
        })
    }

    /// The same network on this segment.
    #[must_use]
    pub fn carried_by(mut self, segment: Segment) -> Self {
        self.segment = segment;
        self
    }
}

/// The addresses of the outside that projects can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicNetwork {
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// The address of the way out: the first of them. It is never given out.
    pub gateway: Ipv4Addr,
}

impl PublicNetwork {
    /// All of `range`; the gateway is the first address that a host can have.
    ///
    /// # Errors
    /// [`BadPools::TooSmall`] for a /31 or /32.
    pub fn of(range: Ipv4Net) -> std::result::Result<Self, BadPools> {
        let cidr = range.trunc();
        let gateway = allocation::usable(cidr)?.start;
        Ok(Self { cidr, gateway })
    }
}

/// Makes the first network with its subnet unless it was made before. When it was, it is left as it is:
/// guests live on it, and its owner may have renamed it.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn ensure_flat(tx: &mut Tx, project: ProjectId, flat: &FlatNetwork) -> Result<Network> {
    let new = NewNetwork {
        project,
        name: FLAT.to_owned(),
        description: "The network that every project may use".to_owned(),
        shared: true,
        external: false,
        mtu: None,
        segment: flat.segment.clone(),
        waits: None,
    };
    ensure(tx, new, flat).await
}

/// Makes the outside with its addresses unless it was made before. When it was, it is left as it is.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn ensure_public(
    tx: &mut Tx,
    project: ProjectId,
    public: &PublicNetwork,
) -> Result<Network> {
    let new = NewNetwork {
        project,
        name: PUBLIC.to_owned(),
        description: "The outside: floating IPs are addresses of it".to_owned(),
        shared: false,
        external: true,
        mtu: None,
        segment: Segment::Local,
        waits: None,
    };
    let addresses = FlatNetwork {
        cidr: public.cidr,
        gateway: public.gateway,
        dns: Vec::new(),
        segment: Segment::Local,
    };
    ensure(tx, new, &addresses).await
}

/// A network is known by the name that it was first given, whatever it is called now.
async fn ensure(tx: &mut Tx, new: NewNetwork, addresses: &FlatNetwork) -> Result<Network> {
    let (project, name) = (new.project, new.name.clone());
    let known = sqlx::query("SELECT id FROM networks WHERE bootstrap = $1")
        .bind(name.clone())
        .fetch_optional(tx.conn())
        .await?;
    if let Some(row) = known {
        return network::get(tx.conn(), row.word("id")?, Scope::Everything).await;
    }
    let made = network::create(tx, new).await?;
    sqlx::query("UPDATE networks SET bootstrap = $2, updated_at = $3 WHERE id = $1")
        .bind(made.id.to_string())
        .bind(name.clone())
        .bind(Timestamp::now().micros())
        .execute(tx.conn())
        .await?;
    let pools = allocation::default_pools(addresses.cidr, addresses.gateway)
        .map_err(|error| crate::Error::Conflict(error.to_string()))?;
    let subnet = NewSubnet {
        network: made.id,
        project,
        name,
        description: String::new(),
        cidr: addresses.cidr,
        gateway: addresses.gateway,
        dns: addresses.dns.clone(),
        pools,
    };
    subnets::create(tx, subnet).await?;
    Ok(made)
}
