//! Queues that did not confirm.
//!
//! A queue that has lost the majority of its nodes, or its leader, confirms nothing, and each attempt costs the
//! connection that everything else leaves through as well. While that is made anew nobody can be judged by
//! their silence, so attempts become rare: what goes such a way waits longer and longer. All such queues are tried
//! in the same moment, for many of them must not cost more connections than one. A confirm ends it.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use skybus_model::message::Outgoing;

use super::LONGEST_PAUSE;

const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// What waits because its queue did not confirm.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    ways: HashSet<String>,
    failures: u32,
    next: Option<Instant>,
    held: usize,
}

impl Unconfirmed {
    /// Whether this goes where something was not confirmed.
    pub(super) fn concerns(&self, row: &Outgoing) -> bool {
        !self.ways.is_empty() && self.ways.contains(&way(row))
    }

    /// Whether this is to wait still.
    pub(super) fn holds(&self, row: &Outgoing, now: Instant) -> bool {
        self.next.is_some_and(|next| now < next) && self.concerns(row)
    }

    /// How many rows waited at the last look.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Looks at what is to be sent; `all` says whether that is everything. Whether more waits than at the last
    /// look.
    pub(super) fn look(&mut self, rows: &[Outgoing], all: bool, now: Instant) -> bool {
        if all && !self.ways.is_empty() {
            // What is not there any more was sent by another process, or is void.
            let there: HashSet<String> = rows.iter().map(way).collect();
            self.ways.retain(|way| there.contains(way));
            self.end_if_empty();
        }
        let before = self.held;
        self.held = rows.iter().filter(|row| self.holds(row, now)).count();
        self.held > before
    }

    /// What became of an attempt.
    pub(super) fn tried(&mut self, confirmed: &[&Outgoing], not: &[&Outgoing], now: Instant) {
        if !self.ways.is_empty() {
            for row in confirmed {
                self.ways.remove(&way(row));
            }
        }
        self.end_if_empty();
        if !not.is_empty() {
            self.ways.extend(not.iter().map(|row| way(row)));
            let pause = FIRST_PAUSE * 2u32.saturating_pow(self.failures.min(5));
            self.next = Some(now + pause.min(LONGEST_PAUSE));
            self.failures = self.failures.saturating_add(1);
        }
    }

    fn end_if_empty(&mut self) {
        if self.ways.is_empty() {
            self.failures = 0;
            self.next = None;
        }
    }
}

/// As far as it can be told without the topology: the exchange, the service and the host.
fn way(row: &Outgoing) -> String {
    let mut words = row.routing_key.splitn(3, '.');
    let (service, host) = (words.next(), words.next());
    format!(
        "{} {}.{}",
        row.exchange,
        service.unwrap_or_default(),
        host.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use skybus_model::{
        Generation,
        id::ServerId,
        message::{Context, command::ServerRemove},
    };

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn to(host: &str) -> Outgoing {
        let remove = ServerRemove {
            operation: None,
            server: ServerId::random(),
            generation: Generation(1),
        };
        Outgoing::to_host(&host.parse().unwrap(), &remove, &Context::begin())
    }

    #[test]
    fn what_goes_the_same_way_waits_longer_and_longer_and_nothing_else_does() {
        let (mut unconfirmed, mut now) = (Unconfirmed::default(), Instant::now());
        let (first, later, other) = (to("a"), to("a"), to("b"));
        for pause in [2, 4, 8, 16, 30, 30] {
            unconfirmed.tried(&[&other], &[&first], now);
            now += pause * SECOND;
            for row in [&first, &later] {
                assert!(unconfirmed.holds(row, now - SECOND / 2));
                assert!(!unconfirmed.holds(row, now));
                assert!(unconfirmed.concerns(row));
            }
            assert!(!unconfirmed.concerns(&other));
        }
        // Another queue falls silent: the next attempt is one for both.
        unconfirmed.tried(&[], &[&other], now);
        assert!(unconfirmed.holds(&first, now + 29 * SECOND));
        assert!(unconfirmed.holds(&other, now + 29 * SECOND));
        unconfirmed.tried(&[&first, &other], &[], now);
        assert!(!unconfirmed.holds(&first, now) && !unconfirmed.concerns(&other));
        unconfirmed.tried(&[], &[&first], now);
        assert!(
            !unconfirmed.holds(&first, now + 2 * SECOND),
            "it begins anew"
        );
    }

    #[test]
    fn what_waits_is_counted_and_a_way_that_nothing_goes_any_more_is_forgotten() {
        let (mut unconfirmed, now) = (Unconfirmed::default(), Instant::now());
        let rows = [to("a"), to("a"), to("b")];
        unconfirmed.tried(&[], &[&rows[0]], now);
        assert!(unconfirmed.look(&rows, false, now));
        assert_eq!(unconfirmed.held(), 2);
        assert!(!unconfirmed.look(&rows, true, now), "no more than before");
        unconfirmed.look(&rows[2..], false, now);
        assert!(unconfirmed.concerns(&rows[0]), "it may come later");
        unconfirmed.look(&rows[2..], true, now);
        assert!(!unconfirmed.concerns(&rows[0]));
    }
}
