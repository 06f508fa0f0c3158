//! The host has enough disk left, with its allocation ratio.

use super::{Ask, Filter, fits, times};
use crate::fleet::HostView;

/// Refuses hosts without enough disk.
pub(super) struct Disk;

impl Filter for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn refuse(&self, host: &HostView, ask: &Ask) -> Option<String> {
        let (there, used) = (host.capacity.disk_gib, host.used.disk_gib);
        let (wanted, ratio) = (ask.resources.disk_gib, ask.ratios.disk);
        (!fits(used, wanted, there, ratio)).then(|| {
            format!(
                "{wanted} GiB wanted; {there} there, times {}, of which {used} used",
                times(ratio)
            )
        })
    }
}
