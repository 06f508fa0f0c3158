//! When operations may be looked after, and what they are owed.
//!
//! While messages cannot come and go, nobody can be told anything and nobody's silence means anything. When
//! they can again, every open operation gets the time that was lost, and hosts get the time of a few beats. How
//! long it was is kept in the database ([`skybus_store::lifecycle::absence`]). A wall clock that was set forward
//! is such an absence as well, of this process alone: deadlines are wall times.

use std::time::Duration;

use skybus_model::{
    Timestamp,
    clock::{ClockWatch, Jump, Moment},
};
use skybus_store::lifecycle::absence::Witness;

/// What a turn is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing can be told or heard, since then: that is to be noted.
    Wait(Timestamp),
    /// Messages come and go. An absence is to be ended as this witness knows it; then [`Absence::ended`].
    LookAfter(Witness),
    /// The wall clock was set, forward by so much: that is to be forgiven; then [`Absence::forgiven`].
    Forgive(Duration),
}

/// What is not forgiven yet.
#[derive(Debug)]
pub(super) struct Absence {
    clock: ClockWatch,
    witness: Witness,
    /// How far the wall clock was set forward. Nothing is owed for one that was set back, but hosts are heard
    /// out again all the same.
    ahead: Option<Duration>,
}

impl Absence {
    pub(super) const fn new(now: Moment) -> Self {
        Self {
            clock: ClockWatch::new(now),
            witness: Witness::New,
            ahead: None,
        }
    }

    /// What is to be done now; `well` says whether messages can come and go.
    pub(super) fn turn(&mut self, well: bool, now: Moment) -> Turn {
        if let Some(jump) = self.clock.look(now) {
            tracing::warn!(?jump, "the wall clock was set");
            let ahead = match (jump, self.witness) {
                // An absence is measured by wall clocks, and has the jump in it.
                (Jump::Back(_), _) | (_, Witness::Missed(_)) => Duration::ZERO,
                (Jump::Ahead(by), _) => by,
            };
            self.ahead = Some(self.ahead.unwrap_or_default() + ahead);
        }
        if !well {
            let since = match self.witness {
                Witness::Missed(since) => since,
                Witness::New | Witness::Had => now.wall,
            };
            self.witness = Witness::Missed(since);
            return Turn::Wait(since);
        }
        match self.ahead {
            Some(ahead) => Turn::Forgive(ahead),
            None => Turn::LookAfter(self.witness),
        }
    }

    /// What the clock owed is written down. If that fails, it is owed still.
    pub(super) const fn forgiven(&mut self) {
        self.ahead = None;
    }

    /// The absence is over, or there was none.
    pub(super) const fn ended(&mut self) {
        self.witness = Witness::Had;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Both clocks, so many seconds after the start.
    fn at(start: Moment, steady: u32, wall: i64) -> Moment {
        Moment {
            wall: Timestamp(start.wall.micros() + wall * 1_000_000),
            steady: start.steady + steady * SECOND,
        }
    }

    fn missed(since: Moment) -> Witness {
        Witness::Missed(since.wall)
    }

    #[test]
    fn an_absence_counts_from_its_beginning_until_it_is_written_down() {
        let start = Moment::now();
        let mut absence = Absence::new(start);
        let turn = absence.turn(true, at(start, 1, 1));
        assert_eq!(turn, Turn::LookAfter(Witness::New));
        absence.ended();
        let since = at(start, 2, 2);
        assert_eq!(absence.turn(false, since), Turn::Wait(since.wall));
        let later = at(start, 3, 3);
        assert_eq!(absence.turn(false, later), Turn::Wait(since.wall));
        // The database was away.
        for second in [42, 43] {
            let turn = absence.turn(true, at(start, second, i64::from(second)));
            assert_eq!(turn, Turn::LookAfter(missed(since)));
        }
        absence.ended();
        let turn = absence.turn(true, at(start, 44, 44));
        assert_eq!(turn, Turn::LookAfter(Witness::Had));
    }

    #[test]
    fn a_clock_that_was_set_forward_is_forgiven_and_one_that_was_set_back_costs_a_pause() {
        let start = Moment::now();
        let mut absence = Absence::new(start);
        absence.ended();
        let ahead = at(start, 1, 61);
        assert_eq!(absence.turn(true, ahead), Turn::Forgive(60 * SECOND));
        absence.forgiven();
        let turn = absence.turn(true, at(start, 2, 62));
        assert_eq!(turn, Turn::LookAfter(Witness::Had));
        let back = at(start, 3, -3600);
        assert_eq!(absence.turn(true, back), Turn::Forgive(Duration::ZERO));
        absence.forgiven();
        let turn = absence.turn(true, at(start, 4, -3599));
        assert_eq!(turn, Turn::LookAfter(Witness::Had));
    }

    #[test]
    fn a_jump_while_the_broker_is_away_is_part_of_its_absence() {
        let start = Moment::now();
        let mut absence = Absence::new(start);
        let since = at(start, 1, 1);
        assert_eq!(absence.turn(false, since), Turn::Wait(since.wall));
        let jumped = at(start, 2, 602);
        assert_eq!(absence.turn(false, jumped), Turn::Wait(since.wall));
        let back = at(start, 11, 611);
        assert_eq!(absence.turn(true, back), Turn::Forgive(Duration::ZERO));
        absence.forgiven();
        let turn = absence.turn(true, at(start, 12, 612));
        assert_eq!(turn, Turn::LookAfter(missed(since)));
    }
}
