//! Filters: each says whether a host can take a server, and if not, why, with its numbers.

mod disk;
mod image;
mod network_segments;
mod ram;
mod service_up;
mod tried;
mod vcpus;
mod zone;

use std::{collections::BTreeMap, time::Instant};

use skybus_model::{HostName, host::Resources, segment::Segment};
use skybus_store::hosts::Ratios;

use crate::fleet::HostView;

/// What a server needs.
#[derive(Debug, Clone)]
pub struct Ask {
    /// How much.
    pub resources: Resources,
    /// The availability zone that was asked for.
    pub zone: Option<String>,
    /// The very host that was asked for (`zone:host`).
    pub host: Option<String>,
    /// What its image says of the machine that it needs.
    pub image: BTreeMap<String, String>,
    /// What carries the networks that it is on, but for local ones.
    pub segments: Vec<Segment>,
    /// Hosts that failed it.
    pub tried: Vec<HostName>,
    /// Allocation ratios.
    pub ratios: Ratios,
    /// Now.
    pub now: Instant,
}

impl Ask {
    /// Splits an availability zone as clients give it: `zone`, or `zone:host`.
    #[must_use]
    pub fn split_zone(asked: Option<&str>) -> (Option<String>, Option<String>) {
        let Some(asked) = asked else {
            return (None, None);
        };
        let (zone, host) = asked.split_once(':').unwrap_or((asked, ""));
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (some(zone), some(host))
    }
}

/// A reason to refuse a host.
pub trait Filter: Send + Sync {
    /// Its name, as it is shown.
    fn name(&self) -> &'static str;
    /// Why this host cannot take the server; `None` when it can.
    fn refuse(&self, host: &HostView, ask: &Ask) -> Option<String>;
    /// What the server's owner is told instead, when the reason is for operators alone.
    fn for_owner(&self, _ask: &Ask) -> Option<String> {
        None
    }
}

pub use network_segments::NAME as NETWORKS;

/// All filters, the cheap and telling ones first.
pub const ALL: &[&dyn Filter] = &[
    &service_up::ServiceUp,
    &tried::NotTried,
    &zone::Zone,
    &image::ImageProperties,
    &network_segments::NetworkSegments,
    &vcpus::Vcpus,
    &ram::Ram,
    &disk::Disk,
];

/// The first filter that refuses a host, and why.
#[must_use]
pub fn refusal(host: &HostView, ask: &Ask) -> Option<(&'static str, String)> {
    ALL.iter()
        .find_map(|filter| Some((filter.name(), filter.refuse(host, ask)?)))
}

/// What a server's owner is told of this filter's refusals, when not their reason.
#[must_use]
pub fn for_owner(filter: &str, ask: &Ask) -> Option<String> {
    let filter = ALL.iter().find(|known| known.name() == filter)?;
    filter.for_owner(ask)
}

/// Whether `wanted` more fits, in thousandths of what is there.
fn fits(used: i64, wanted: i64, there: i64, ratio: i64) -> bool {
    (used + wanted).saturating_mul(1000) <= there.saturating_mul(ratio)
}

/// A ratio as people read it.
fn times(ratio: i64) -> String {
    let whole = ratio / 1000;
    match ratio % 1000 {
        0 => whole.to_string(),
        part => format!("{whole}.{part:03}")
            .trim_end_matches('0')
            .to_owned(),
    }
}

#[cfg(test)]
mod tests;
