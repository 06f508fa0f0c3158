//! By virtual CPUs.

use super::{Weigher, share};
use crate::{filters::Ask, fleet::HostView};

/// The share of virtual CPUs that stays free.
pub(super) struct Vcpus;

impl Weigher for Vcpus {
    fn free_share(&self, host: &HostView, ask: &Ask) -> f64 {
        let there = host.capacity.vcpus.saturating_mul(ask.ratios.vcpus) / 1000;
        share(host.used.vcpus + ask.resources.vcpus, there)
    }
}
