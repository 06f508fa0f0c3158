//! Two clocks: the wall's, which people and their tools set, and the steady one, which only goes on.
//!
//! How long something has been silent is a matter of the steady one. What is written down for others has to
//! be wall time, so a process that judges or is judged by it watches its wall clock being set.

use std::time::{Duration, Instant};

use crate::Timestamp;

/// What is less than this between two looks is the clocks' own drift, or a machine that is busy.
const DRIFT: Duration = Duration::from_secs(1);
/// Both clocks were read in one moment if no more than this passed.
const ONE_MOMENT: Duration = Duration::from_millis(100);

/// Both clocks in one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: Timestamp,
    /// The steady clock.
    pub steady: Instant,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        loop {
            let (steady, wall) = (Instant::now(), Timestamp::now());
            // A process that was held up between the two would take that for a clock that was set.
            if steady.elapsed() < ONE_MOMENT {
                return Self { wall, steady };
            }
        }
    }

    /// The wall time of a moment of this process, as the wall clock now tells it.
    #[must_use]
    pub fn wall_of(self, steady: Instant) -> Timestamp {
        let ago = self.steady.saturating_duration_since(steady);
        let micros = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.wall.micros().saturating_sub(micros))
    }

    /// The moment of a wall time, as far as that can be told: now, when it is still to come. Nothing when it
    /// is longer ago than the steady clock goes back.
    #[must_use]
    pub fn steady_of(self, wall: Timestamp) -> Option<Instant> {
        self.steady.checked_sub(self.wall.since(wall))
    }
}

/// How a wall clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// Forward, by so much.
    Ahead(Duration),
    /// Back, by so much.
    Back(Duration),
}

/// Notices that the wall clock was set.
#[derive(Debug, Clone, Copy)]
pub struct ClockWatch {
    last: Moment,
}

impl ClockWatch {
    /// Watches from `now` on.
    #[must_use]
    pub const fn new(now: Moment) -> Self {
        Self { last: now }
    }

    /// Whether, and how, the wall clock was set since the last look.
    pub fn look(&mut self, now: Moment) -> Option<Jump> {
        let passed = now.steady.saturating_duration_since(self.last.steady);
        let expected = self.last.wall.after(passed);
        self.last = now;
        let (ahead, back) = (now.wall.since(expected), expected.since(now.wall));
        if ahead > DRIFT {
            Some(Jump::Ahead(ahead))
        } else {
            (back > DRIFT).then_some(Jump::Back(back))
        }
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
    fn a_clock_that_was_set_is_told_from_one_that_goes_on() {
        let start = Instant::now();
        let mut watch = ClockWatch::new(at(NOON, start));
        let later = at(NOON.after(60 * SECOND), start + 60 * SECOND);
        assert_eq!(watch.look(later), None);
        let ahead = at(NOON.after(121 * SECOND), start + 61 * SECOND);
        assert_eq!(watch.look(ahead), Some(Jump::Ahead(60 * SECOND)));
        assert_eq!(watch.look(ahead), None, "a jump is told once");
        let back = at(NOON.after(62 * SECOND), start + 62 * SECOND);
        assert_eq!(watch.look(back), Some(Jump::Back(60 * SECOND)));
        let slewed = at(NOON.after(63 * SECOND + SECOND / 2), start + 63 * SECOND);
        assert_eq!(watch.look(slewed), None);
    }

    #[test]
    fn times_are_told_by_the_other_clock() {
        let start = Instant::now();
        let now = at(NOON, start + 10 * SECOND);
        assert_eq!(now.wall_of(start), Timestamp(NOON.micros() - 10_000_000));
        assert_eq!(
            now.steady_of(Timestamp(NOON.micros() - 10_000_000)),
            Some(start)
        );
        let to_come = NOON.after(3600 * SECOND);
        assert_eq!(now.steady_of(to_come), Some(now.steady), "never negative");
    }
}
