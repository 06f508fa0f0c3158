//! Networks and taps on the host that no record accounts for. They are left alone for a while: a worker
//! whose journal was lost is told again what should be, and must not have cut off running guests by
//! then. Meanwhile an unknown tap is cut off by the filter, not removed. And nothing counts as a left-over
//! for a worker without any memory to which the control plane has not spoken yet: it cannot know.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use skybus_model::{HostName, server::spec};

use crate::record::Records;

/// Since when each left-over has been seen.
#[derive(Debug)]
pub struct Orphans {
    grace: Duration,
    can_tell: bool,
    since: BTreeMap<String, Instant>,
}

/// What has been a left-over for long enough.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Whole networks, by namespace.
    pub namespaces: BTreeSet<String>,
    /// Taps in networks that are wanted.
    pub taps: BTreeSet<String>,
}

impl Orphans {
    /// Left-overs are kept for `grace`. `can_tell` says whether the records are known to be whole.
    #[must_use]
    pub const fn new(grace: Duration, can_tell: bool) -> Self {
        Self {
            grace,
            can_tell,
            since: BTreeMap::new(),
        }
    }

    /// The control plane has spoken.
    pub const fn heard(&mut self) {
        self.can_tell = true;
    }

    /// What to remove now, of what this cloud `made`.
    pub fn due(
        &mut self,
        made: &BTreeMap<String, BTreeSet<String>>,
        records: &BTreeMap<HostName, Records>,
    ) -> Due {
        if !self.can_tell {
            return Due::default();
        }
        let ports = || records.values().flat_map(|records| records.ports.values());
        let taps: BTreeSet<String> = ports().map(|port| spec::tap(port.spec.id)).collect();
        let namespaces: BTreeSet<String> = ports()
            .map(|port| spec::namespace(port.spec.network.id))
            .collect();
        let mut seen = BTreeSet::new();
        let mut due = Due::default();
        for (namespace, its_taps) in made {
            if !namespaces.contains(namespace) {
                seen.insert(namespace.clone());
                if self.long_enough(namespace) {
                    due.namespaces.insert(namespace.clone());
                }
                continue;
            }
            for tap in its_taps.difference(&taps) {
                seen.insert(tap.clone());
                if self.long_enough(tap) {
                    due.taps.insert(tap.clone());
                }
            }
        }
        self.since.retain(|name, _| seen.contains(name));
        due
    }

    fn long_enough(&mut self, name: &str) -> bool {
        let since = self.since.entry(name.to_owned()).or_insert_with(|| {
            tracing::warn!(name, grace = ?self.grace, "a left-over that nobody knows of");
            Instant::now()
        });
        since.elapsed() >= self.grace
    }
}

#[cfg(test)]
mod tests {
    use skybus_model::Generation;

    use super::*;
    use crate::{record::PortRecord, testing};

    fn made(namespace: &str, taps: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
        BTreeMap::from([(
            namespace.to_owned(),
            taps.iter().map(|&tap| tap.to_owned()).collect(),
        )])
    }

    fn records() -> BTreeMap<HostName, Records> {
        let spec = testing::port(7);
        let mut records = Records::default();
        records.ports.insert(
            spec.id,
            PortRecord {
                generation: Generation(1),
                spec,
                claim: 0,
            },
        );
        BTreeMap::from([("node-1".parse().unwrap(), records)])
    }

    #[test]
    fn what_is_recorded_is_never_due_and_what_is_not_is_due_after_its_grace() {
        let known = spec::namespace(testing::network_spec().id);
        let tap = spec::tap(testing::port(7).id);
        let mut none = Orphans::new(Duration::ZERO, true);
        assert_eq!(none.due(&made(&known, &[&tap]), &records()), Due::default());
        let due = none.due(&made(&known, &[&tap, "tapother"]), &records());
        assert_eq!(due.taps, BTreeSet::from(["tapother".to_owned()]));
        let due = none.due(&made("skybus-other", &["tapother"]), &records());
        assert_eq!(due.namespaces, BTreeSet::from(["skybus-other".to_owned()]));

        let mut long = Orphans::new(Duration::from_secs(600), true);
        assert_eq!(
            long.due(&made("skybus-other", &[]), &records()),
            Due::default()
        );
    }

    #[test]
    fn without_any_memory_nothing_is_due_before_the_control_plane_has_spoken() {
        let mut orphans = Orphans::new(Duration::ZERO, false);
        let (made, nothing) = (made("skybus-other", &["tapother"]), BTreeMap::new());
        assert_eq!(orphans.due(&made, &nothing), Due::default());
        orphans.heard();
        assert_eq!(orphans.due(&made, &nothing).namespaces.len(), 1);
    }
}
