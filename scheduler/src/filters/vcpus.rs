//! The host has enough vcpus left, with its allocation ratio.

use super::{Ask, Filter, fits, times};
use crate::fleet::HostView;

/// Refuses hosts without enough vcpus.
pub(super) struct Vcpus;

impl Filter for Vcpus {
    fn name(&self) -> &'static str {
        "vcpus"
    }

    fn refuse(&self, host: &HostView, ask: &Ask) -> Option<String> {
        let (there, used) = (host.capacity.vcpus, host.used.vcpus);
        let (wanted, ratio) = (ask.resources.vcpus, ask.ratios.vcpus);
        (!fits(used, wanted, there, ratio)).then(|| {
            format!(
                "{wanted} vCPUs wanted; {there} there, times {}, of which {used} used",
                times(ratio)
            )
        })
    }
}
