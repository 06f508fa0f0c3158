//! By the number of servers: among hosts that are equally full, the one with fewer servers.

use super::Weigher;
use crate::{filters::Ask, fleet::HostView};

/// A share that shrinks with each server and never decides against memory and CPUs.
pub(super) struct Servers;

impl Weigher for Servers {
    #[allow(clippy::cast_precision_loss, reason = "a weight need not be exact")]
    fn free_share(&self, host: &HostView, _: &Ask) -> f64 {
        0.01 / (1.0 + host.servers.max(0) as f64)
    }
}
