//! The two counters that make order of arrival and repetition harmless.
//!
//! A [`Generation`] belongs to the control plane: it grows with each accepted change of a resource and
//! travels in commands. An [`Order`] belongs to one agent on one host: it is kept in the agent's journal
//! and orders the facts that only the agent knows. An event changes a resource only if its generation is
//! current and its order is newer than the last one recorded.

use serde::{Deserialize, Serialize};

/// How many changes of a resource the control plane has accepted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub i64);

impl Generation {
    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// An agent's own counter. `epoch` grows each time the agent starts, `seq` with each event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Order {
    /// Counts the agent's starts; kept in its journal.
    pub epoch: i64,
    /// Counts the agent's events; kept in its journal, never reset.
    pub seq: i64,
}

/// What to do with an event, by the two counters alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Newer than what is recorded and about the current generation: record it.
    Apply,
    /// It speaks of an older generation: what it says has been overtaken by a newer wish.
    Overtaken,
    /// It, or a later one, was recorded already.
    Repeated,
}

/// Whether an event of `generation` and `order` may change a resource that is at `current` and whose
/// last recorded event was `recorded`.
#[must_use]
pub fn judge(
    current: Generation,
    recorded: Order,
    generation: Generation,
    order: Order,
) -> Verdict {
    if order <= recorded {
        Verdict::Repeated
    } else if generation < current {
        Verdict::Overtaken
    } else {
        Verdict::Apply
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_order_of_arrival_ends_in_the_newest_fact(seqs in proptest::collection::vec(1i64..50, 1..30)) {
            let mut recorded = Order::default();
            for seq in &seqs {
                let order = Order { epoch: 1, seq: *seq };
                if judge(Generation(1), recorded, Generation(1), order) == Verdict::Apply {
                    prop_assert!(order > recorded);
                    recorded = order;
                }
            }
            prop_assert_eq!(recorded.seq, *seqs.iter().max().unwrap());
        }
    }

    #[test]
    fn a_restarted_agent_is_newer_than_its_former_life() {
        let before = Order { epoch: 1, seq: 900 };
        let after = Order { epoch: 2, seq: 1 };
        assert_eq!(
            judge(Generation(1), before, Generation(1), after),
            Verdict::Apply
        );
    }

    #[test]
    fn an_event_about_an_older_wish_changes_nothing() {
        let verdict = judge(
            Generation(3),
            Order::default(),
            Generation(2),
            Order { epoch: 1, seq: 1 },
        );
        assert_eq!(verdict, Verdict::Overtaken);
    }
}
