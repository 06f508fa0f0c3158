//! When a host's service was last heard, by the steady clock.
//!
//! What this process heard itself needs no wall clock. What only the database knows was written by the wall
//! clock of whoever heard it; it counts as heard so long ago as the two wall times are apart, at most at the
//! moment at which it is read, and only where it is news: a time that is still to come would otherwise be
//! heard with each reading.

use std::time::{Duration, Instant};

use skybus_model::{Timestamp, clock::Moment, message::heartbeat::DOWN_AFTER};

/// When it was heard; not at all so far, by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hearing {
    at: Option<Instant>,
    /// What the database said last.
    told: Timestamp,
}

impl Hearing {
    /// A beat was heard.
    pub fn beat(&mut self, now: Instant) {
        self.at = self.at.max(Some(now));
    }

    /// The database says that it was heard then.
    pub fn told(&mut self, last_seen: Timestamp, now: Moment) {
        if last_seen != self.told {
            self.told = last_seen;
            self.at = self.at.max(now.steady_of(last_seen));
        }
    }

    /// For how long it has been silent; nothing when it was never heard.
    #[must_use]
    pub fn silent_for(&self, now: Instant) -> Option<Duration> {
        self.at.map(|at| now.saturating_duration_since(at))
    }

    /// Whether it is alive.
    #[must_use]
    pub fn is_up(&self, now: Instant) -> bool {
        self.silent_for(now).is_some_and(|time| time < DOWN_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NOON: Timestamp = Timestamp(1_795_342_830_000_000);

    fn at(wall: Timestamp, steady: Instant) -> Moment {
        Moment { wall, steady }
    }

    #[test]
    fn what_was_heard_here_does_not_age_with_the_wall_clock() {
        let start = Instant::now();
        let mut heard = Hearing::default();
        assert!(!heard.is_up(start), "never heard");
        heard.told(NOON, at(NOON, start));
        heard.beat(start);
        // The wall clock jumps a minute forward, and what was written before is read again.
        heard.told(NOON, at(NOON.after(61 * SECOND), start + SECOND));
        assert_eq!(heard.silent_for(start + SECOND), Some(SECOND));
        assert!(heard.is_up(start + 29 * SECOND));
        assert!(!heard.is_up(start + 30 * SECOND));
    }

    #[test]
    fn a_clock_that_jumped_back_keeps_nobody_alive() {
        let start = Instant::now();
        let mut heard = Hearing::default();
        let to_come = NOON.after(3600 * SECOND);
        for second in 0..40 {
            let steady = start + second * SECOND;
            heard.told(to_come, at(NOON.after(second * SECOND), steady));
        }
        assert_eq!(heard.silent_for(start + 39 * SECOND), Some(39 * SECOND));
        assert!(!heard.is_up(start + 30 * SECOND));
    }

    #[test]
    fn what_another_process_heard_counts_as_long_ago_as_it_was_written() {
        let start = Instant::now();
        let mut heard = Hearing::default();
        heard.told(NOON, at(NOON.after(20 * SECOND), start));
        assert_eq!(heard.silent_for(start), Some(20 * SECOND));
        heard.told(
            NOON.after(15 * SECOND),
            at(NOON.after(21 * SECOND), start + SECOND),
        );
        assert_eq!(heard.silent_for(start + SECOND), Some(6 * SECOND));
        heard.beat(start);
        heard.told(
            Timestamp(1),
            at(NOON.after(22 * SECOND), start + 2 * SECOND),
        );
        assert!(
            heard.is_up(start + 2 * SECOND),
            "what is older changes nothing"
        );
    }
}
