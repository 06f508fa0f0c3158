//! Weighers: they put the hosts that can take a server into an order.
//!
//! Each gives a host a share between 0 (full) and 1 (empty); the sum decides. Packing turns the order
//! around. Equal hosts are ordered at random, so that several schedulers do not all try the same one.

mod ram;
mod servers;
mod vcpus;

use crate::{config::Placement, filters::Ask, fleet::HostView};

/// How empty a host would be with the server on it, between 0 and 1.
pub trait Weigher: Send + Sync {
    /// The share that stays free.
    fn free_share(&self, host: &HostView, ask: &Ask) -> f64;
}

const ALL: &[&dyn Weigher] = &[&ram::Ram, &vcpus::Vcpus, &servers::Servers];

/// Best first.
#[must_use]
pub fn in_order(hosts: Vec<HostView>, ask: &Ask, placement: Placement) -> Vec<HostView> {
    let mut weighed: Vec<(f64, u32, HostView)> = hosts
        .into_iter()
        .map(|host| {
            let free: f64 = ALL
                .iter()
                .map(|weigher| weigher.free_share(&host, ask))
                .sum();
            let weight = if placement == Placement::Spread {
                -free
            } else {
                free
            };
            (weight, rand::random(), host)
        })
        .collect();
    weighed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    weighed.into_iter().map(|(_, _, host)| host).collect()
}

/// What is left of `there` after `taken`, as a share.
#[allow(clippy::cast_precision_loss, reason = "a weight need not be exact")]
fn share(taken: i64, there: i64) -> f64 {
    if there <= 0 {
        0.0
    } else {
        (1.0 - taken as f64 / there as f64).clamp(0.0, 1.0)
    }
}
