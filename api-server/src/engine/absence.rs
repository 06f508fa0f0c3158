//! When operations may be looked after, and what they are owed.
//!
//! While messages cannot come and go, nobody can be told anything and nobody's silence means anything. When
//! they can again, every open operation gets the time that was lost, and hosts get the time of a few beats.
//! A wall clock that was set forward is such an absence as well: deadlines are wall times.

use std::time::{Duration, Instant};

use skybus_model::clock::{ClockWatch, Jump, Moment};

/// What a turn is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing can be told or heard.
    Wait,
    /// Operations are owed so much time; then [`Absence::forgiven`].
    Forgive(Duration),
    /// Silence means something.
    LookAfter,
}

/// What is not forgiven yet.
#[derive(Debug)]
pub(super) struct Absence {
    clock: ClockWatch,
    away_since: Option<Instant>,
    /// How far the wall clock was set forward. Nothing is owed for one that was set back, but hosts are heard
    /// out again all the same.
    ahead: Option<Duration>,
}

impl Absence {
    pub(super) const fn new(now: Moment) -> Self {
        Self {
            clock: ClockWatch::new(now),
            away_since: None,
            ahead: None,
        }
    }

    /// What is to be done now; `well` says whether messages can come and go.
    pub(super) fn turn(&mut self, well: bool, now: Moment) -> Turn {
        if let Some(jump) = self.clock.look(now) {
            tracing::warn!(?jump, "the wall clock was set");
            let ahead = match jump {
                Jump::Ahead(by) => by,
                Jump::Back(_) => Duration::ZERO,
            };
            self.ahead = Some(self.ahead.unwrap_or_default() + ahead);
        }
        if !well {
            self.away_since.get_or_insert(now.steady);
            return Turn::Wait;
        }
        if self.away_since.is_none() && self.ahead.is_none() {
            return Turn::LookAfter;
        }
        let away = self.away_since.map_or(Duration::ZERO, |since| {
            now.steady.saturating_duration_since(since)
        });
        Turn::Forgive(away + self.ahead.unwrap_or_default())
    }

    /// What was owed is written down. If that fails, it is owed still.
    pub(super) fn forgiven(&mut self) {
        (self.away_since, self.ahead) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Both clocks, so many seconds after the start.
    fn at(start: Moment, steady: u32, wall: i64) -> Moment {
        Moment {
            wall: skybus_model::Timestamp(start.wall.micros() + wall * 1_000_000),
            steady: start.steady + steady * SECOND,
        }
    }

    #[test]
    fn an_absence_is_owed_until_it_is_written_down() {
        let start = Moment::now();
        let mut absence = Absence::new(start);
        assert_eq!(absence.turn(true, at(start, 1, 1)), Turn::LookAfter);
        assert_eq!(absence.turn(false, at(start, 2, 2)), Turn::Wait);
        assert_eq!(absence.turn(false, at(start, 3, 3)), Turn::Wait);
        assert_eq!(
            absence.turn(true, at(start, 42, 42)),
            Turn::Forgive(40 * SECOND)
        );
        // The database was away.
        assert_eq!(
            absence.turn(true, at(start, 43, 43)),
            Turn::Forgive(41 * SECOND)
        );
        absence.forgiven();
        assert_eq!(absence.turn(true, at(start, 44, 44)), Turn::LookAfter);
    }

    #[test]
    fn a_clock_that_was_set_forward_is_forgiven_and_one_that_was_set_back_costs_a_pause() {
        let start = Moment::now();
        let mut absence = Absence::new(start);
        let ahead = at(start, 1, 61);
        assert_eq!(absence.turn(true, ahead), Turn::Forgive(60 * SECOND));
        absence.forgiven();
        assert_eq!(absence.turn(true, at(start, 2, 62)), Turn::LookAfter);
        let back = at(start, 3, -3600);
        assert_eq!(absence.turn(true, back), Turn::Forgive(Duration::ZERO));
        absence.forgiven();
        assert_eq!(absence.turn(true, at(start, 4, -3599)), Turn::LookAfter);
    }

    #[test]
    fn a_jump_while_the_broker_is_away_is_owed_on_top() {
        let start = Moment::now();
        let mut absence = Absence::new(start);
        assert_eq!(absence.turn(false, at(start, 1, 1)), Turn::Wait);
        assert_eq!(absence.turn(false, at(start, 2, 602)), Turn::Wait);
        assert_eq!(
            absence.turn(true, at(start, 11, 611)),
            Turn::Forgive(610 * SECOND)
        );
    }
}
