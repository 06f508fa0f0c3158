//! The host has enough ram left, with its allocation ratio.

use super::{Ask, Filter, fits, times};
use crate::fleet::HostView;

/// Refuses hosts without enough ram.
pub(super) struct Ram;

impl Filter for Ram {
    fn name(&self) -> &'static str {
        "ram"
    }

    fn refuse(&self, host: &HostView, ask: &Ask) -> Option<String> {
        let (there, used) = (host.capacity.ram_mib, host.used.ram_mib);
        let (wanted, ratio) = (ask.resources.ram_mib, ask.ratios.ram);
        (!fits(used, wanted, there, ratio)).then(|| {
            format!(
                "{wanted} MiB wanted; {there} there, times {}, of which {used} used",
                times(ratio)
            )
        })
    }
}
