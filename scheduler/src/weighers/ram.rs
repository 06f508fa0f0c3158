//! By memory.

use super::{Weigher, share};
use crate::{filters::Ask, fleet::HostView};

/// The share of memory that stays free.
pub(super) struct Ram;

impl Weigher for Ram {
    fn free_share(&self, host: &HostView, ask: &Ask) -> f64 {
        let there = host.capacity.ram_mib.saturating_mul(ask.ratios.ram) / 1000;
        share(host.used.ram_mib + ask.resources.ram_mib, there)
    }
}
