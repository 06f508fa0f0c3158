//! Heartbeats: small, frequent, and lossy by design.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Message;
use crate::{HostName, Order, Timestamp, host::Resources, segment::Carries};

/// How often a host beats.
pub const BEAT_EVERY: Duration = Duration::from_secs(5);
/// After so long without a beat a host's service is down.
pub const DOWN_AFTER: Duration = Duration::from_secs(30);

/// How long a worker waits after its `sent`th beat. The first ones come quickly: whoever listens to beats
/// may be starting at the same moment, and a new host should not wait to be seen.
#[must_use]
pub const fn pause_after(sent: i64) -> Duration {
    if sent <= 10 {
        Duration::from_millis(500)
    } else {
        BEAT_EVERY
    }
}

/// A worker on a host is alive, and so large.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostBeat {
    /// The host.
    pub host: HostName,
    /// `compute` or `network`.
    pub service: String,
    /// The availability zone that its operator put it in.
    pub zone: String,
    /// The agent's own counter; `epoch` tells two lives of an agent apart.
    pub order: Order,
    /// When it was sent, by the host's clock.
    pub at: Timestamp,
    /// What the host has. All zero for a network worker.
    pub capacity: Resources,
    /// What the host really has left now: memory and disk that are free, by the kernel.
    pub free: Resources,
    /// How guests are run: `kvm`, `tcg` or `fake`. Empty for a network worker.
    pub hypervisor: String,
    /// The program's version.
    pub version: String,
    /// What a network worker found that its host can carry. Empty for a compute worker.
    #[serde(default)]
    pub carries: Carries,
}

impl Message for HostBeat {
    const NAME: &'static str = "host.beat";
}
