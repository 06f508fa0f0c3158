//! Which address comes next: pure arithmetic on pools of IPv4 addresses.
//!
//! Addresses are given out in turn, so that one that was just released rests for as long as possible
//! before another guest gets it. The database supplies what is taken; nothing here reads it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// A run of addresses that ports may get, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The first.
    pub start: Ipv4Addr,
    /// The last.
    pub end: Ipv4Addr,
}

impl Pool {
    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.start..=self.end).contains(&address)
    }

    /// How many addresses it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::from(u32::from(self.end).saturating_sub(u32::from(self.start))) + 1
    }
}

/// The pools do not fit the subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPools {
    /// No room for the subnet's own addresses and a guest.
    #[error(
        "{0} is too small: a subnet needs room for its gateway and at least one guest; use /30 or larger"
    )]
    TooSmall(Ipv4Net),
    /// The gateway is not an address that a host of the subnet can have.
    #[error("the gateway {gateway} is not a usable address of {cidr}")]
    GatewayOutside {
        /// The gateway.
        gateway: Ipv4Addr,
        /// The subnet's addresses.
        cidr: Ipv4Net,
    },
    /// A pool begins after its end, or reaches outside the subnet.
    #[error("the allocation pool {}-{} does not lie within {cidr}", pool.start, pool.end)]
    PoolOutside {
        /// The pool.
        pool: Pool,
        /// The subnet's addresses.
        cidr: Ipv4Net,
    },
    /// Two pools share addresses.
    #[error("the allocation pools {}-{} and {}-{} overlap", first.start, first.end, second.start, second.end)]
    Overlap {
        /// The one that begins first.
        first: Pool,
        /// The other.
        second: Pool,
    },
    /// A pool would give the gateway's address to a guest.
    #[error("the gateway {gateway} lies within the allocation pool {}-{}", pool.start, pool.end)]
    HoldsGateway {
        /// The gateway.
        gateway: Ipv4Addr,
        /// The pool.
        pool: Pool,
    },
}

/// The addresses of `cidr` that hosts can have: all but the network's and the broadcast address.
///
/// # Errors
/// [`BadPools::TooSmall`] for a /31 or /32.
pub fn usable(cidr: Ipv4Net) -> Result<Pool, BadPools> {
    if cidr.prefix_len() > 30 {
        return Err(BadPools::TooSmall(cidr));
    }
    let (network, broadcast) = (u32::from(cidr.network()), u32::from(cidr.broadcast()));
    Ok(Pool {
        start: (network + 1).into(),
        end: (broadcast - 1).into(),
    })
}

/// The pools of a subnet for which nobody named any: everything but the gateway.
///
/// # Errors
/// [`BadPools`] when the subnet is too small or the gateway is outside it.
pub fn default_pools(cidr: Ipv4Net, gateway: Ipv4Addr) -> Result<Vec<Pool>, BadPools> {
    let all = usable(cidr)?;
    if !all.contains(gateway) {
        return Err(BadPools::GatewayOutside { gateway, cidr });
    }
    let gateway = u32::from(gateway);
    let below = Pool {
        start: all.start,
        end: (gateway - 1).into(),
    };
    let above = Pool {
        start: gateway.saturating_add(1).into(),
        end: all.end,
    };
    Ok([below, above]
        .into_iter()
        .filter(|pool| pool.start <= pool.end)
        .collect())
}

/// The given pools in order of their addresses, if they fit the subnet.
///
/// # Errors
/// [`BadPools`] with the first thing that is wrong.
pub fn checked_pools(
    cidr: Ipv4Net,
    gateway: Ipv4Addr,
    mut pools: Vec<Pool>,
) -> Result<Vec<Pool>, BadPools> {
    let all = usable(cidr)?;
    if !all.contains(gateway) {
        return Err(BadPools::GatewayOutside { gateway, cidr });
    }
    for pool in &pools {
        if pool.start > pool.end || !all.contains(pool.start) || !all.contains(pool.end) {
            return Err(BadPools::PoolOutside { pool: *pool, cidr });
        }
        if pool.contains(gateway) {
            return Err(BadPools::HoldsGateway {
                gateway,
                pool: *pool,
            });
        }
    }
    pools.sort_by_key(|pool| pool.start);
    for pair in pools.windows(2) {
        if let [first, second] = pair
            && first.end >= second.start
        {
            return Err(BadPools::Overlap {
                first: *first,
                second: *second,
            });
        }
    }
    Ok(pools)
}

/// The address after `cursor` in the pools, going round at the end. `None` when there are no pools.
#[must_use]
pub fn next(pools: &[Pool], cursor: Ipv4Addr) -> Option<Ipv4Addr> {
    for pool in pools {
        if cursor < pool.start {
            return Some(pool.start);
        }
        if cursor < pool.end {
            return Some((u32::from(cursor) + 1).into());
        }
    }
    pools.first().map(|pool| pool.start)
}

/// The first address after `cursor` that is in the pools and not taken, going round at the end.
/// `taken` is sorted.
#[must_use]
pub fn first_free(pools: &[Pool], cursor: Ipv4Addr, taken: &[Ipv4Addr]) -> Option<Ipv4Addr> {
    let size: u64 = pools.iter().map(Pool::size).sum();
    let mut candidate = cursor;
    // Each turn either ends or passes over one taken address, so there are at most so many.
    for _ in 0..=size.min(taken.len() as u64) {
        candidate = next(pools, candidate)?;
        if taken.binary_search(&candidate).is_err() {
            return Some(candidate);
        }
    }
    None
}

#[cfg(test)]
#[path = "allocation/tests.rs"]
mod tests;
