//! The two counters that make order of arrival and repetition harmless.
//!
//! A [`Generation`] belongs to the control plane: it grows with each accepted change of a resource and
//! travels in commands. An [`Order`] belongs to one agent on one host: it is kept in the agent's journal
//! and orders the facts that only the agent knows. An event changes a resource only if its generation is
//! current and its order is newer than the last one recorded.
//!
//! Both counters come from hosts, and a host's account may be in foreign hands. What no honest host can have
//! counted to is not believed: written down, it could never be outweighed again.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// So many more changes than the control plane remembers a host may have heard of: a database that was put
/// back to an older state has forgotten some, and never as many.
const CHANGES_AHEAD: i64 = 1_000_000_000;
/// So far an epoch may be ahead of the clock: it is taken from a host's, and clocks differ.
const SECONDS_AHEAD: i64 = 24 * 3600;

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
        Self(self.0.saturating_add(1))
    }

    /// The first generation that outweighs this one and what a host has `heard`, for the host to be told
    /// anew. None when the host cannot have heard that.
    #[must_use]
    pub fn outweighing(self, heard: Self) -> Option<Self> {
        let believed = heard.0.saturating_sub(self.0) <= CHANGES_AHEAD;
        believed.then(|| self.max(heard.next()))
    }
}

/// An agent's own counter. `epoch` grows each time the agent starts, `seq` with each event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Order {
    /// Grows with each start of the agent, to the clock's seconds at least; kept in its journal.
    pub epoch: i64,
    /// Counts the agent's events; kept in its journal, never reset.
    pub seq: i64,
}

impl Order {
    /// Whether an agent can have counted so far `now`.
    #[must_use]
    pub fn is_credible(self, now: Timestamp) -> bool {
        let now = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
        self.epoch <= now.saturating_add(SECONDS_AHEAD)
    }

    /// Whether this is newer than what is `recorded`. What is recorded and cannot be believed (any more, for
    /// a clock was wrong) counts for nothing, or its host would not be heard for as long.
    #[must_use]
    pub fn is_news(self, recorded: Self, now: Timestamp) -> bool {
        self > recorded || !recorded.is_credible(now)
    }
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
    /// No honest host counts so far: drop it.
    Incredible,
}

/// Whether an event of `generation` and `order` may change a resource that is at `current` and whose
/// last recorded event was `recorded`.
#[must_use]
pub fn judge(
    current: Generation,
    recorded: Order,
    generation: Generation,
    order: Order,
    now: Timestamp,
) -> Verdict {
    if !order.is_credible(now) || current.outweighing(generation).is_none() {
        Verdict::Incredible
    } else if !order.is_news(recorded, now) {
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

    const NOW: Timestamp = Timestamp(1_795_000_000_000_000);

    proptest! {
        #[test]
        fn any_order_of_arrival_ends_in_the_newest_fact(seqs in proptest::collection::vec(1i64..50, 1..30)) {
            let mut recorded = Order::default();
            for seq in &seqs {
                let order = Order { epoch: 1, seq: *seq };
                if judge(Generation(1), recorded, Generation(1), order, NOW) == Verdict::Apply {
                    prop_assert!(order > recorded);
                    recorded = order;
                }
            }
            prop_assert_eq!(recorded.seq, *seqs.iter().max().unwrap());
        }
    }

    type Report = (Generation, Order);

    /// A resource as the control plane records it: what it is at, what was told last, by which report.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Recorded {
        current: Generation,
        order: Order,
        fact: Option<i64>,
    }

    impl Recorded {
        fn hear(&mut self, (generation, order): Report) -> Verdict {
            let verdict = judge(self.current, self.order, generation, order, NOW);
            if verdict == Verdict::Apply {
                self.order = order;
                self.fact = Some(order.epoch * 1000 + order.seq);
            }
            verdict
        }
    }

    /// Reports of one agent in the order in which it made them: it may start anew in between, and what it
    /// speaks of grows, for commands that were overtaken are not worked on.
    fn reports() -> impl Strategy<Value = Vec<Report>> {
        proptest::collection::vec((any::<bool>(), 0i64..2), 1..20).prop_map(|steps| {
            let (mut generation, mut epoch) = (1, 1);
            let mut made = Vec::new();
            for (seq, (starts, newer)) in (1..).zip(steps) {
                epoch += i64::from(starts);
                generation += newer;
                made.push((Generation(generation), Order { epoch, seq }));
            }
            made
        })
    }

    /// The same, and how they arrive: each at least once, in any order.
    fn arrivals() -> impl Strategy<Value = (Vec<Report>, Vec<Report>)> {
        reports().prop_flat_map(|made| {
            let again = proptest::sample::subsequence(made.clone(), 0..=made.len());
            again.prop_flat_map(move |again| {
                let all: Vec<_> = made.iter().chain(&again).copied().collect();
                (Just(made.clone()), Just(all).prop_shuffle())
            })
        })
    }

    proptest! {
        #[test]
        fn however_reports_arrive_the_same_is_recorded((made, arrived) in arrivals(), at in 1i64..6) {
            let fresh = Recorded { current: Generation(at), order: Order::default(), fact: None };
            let (mut in_order, mut by_chance) = (fresh.clone(), fresh);
            for report in made {
                in_order.hear(report);
            }
            for report in arrived {
                by_chance.hear(report);
            }
            prop_assert_eq!(in_order, by_chance);
        }

        #[test]
        fn nothing_older_than_the_newest_wish_is_recorded(
            (_, arrived) in arrivals(), wishes in proptest::collection::vec(any::<bool>(), 40)
        ) {
            let mut server = Recorded { current: Generation(1), order: Order::default(), fact: None };
            for (report, wish) in arrived.into_iter().zip(wishes) {
                if wish {
                    let next = server.current.next();
                    prop_assert!(next > server.current);
                    server.current = next;
                }
                let before = server.clone();
                match server.hear(report) {
                    Verdict::Apply => prop_assert!(report.0 >= server.current && report.1 > before.order),
                    Verdict::Overtaken => prop_assert!(report.0 < server.current && server == before),
                    Verdict::Repeated => prop_assert!(report.1 <= before.order && server == before),
                    Verdict::Incredible => prop_assert!(false, "an honest host is believed"),
                }
                prop_assert_eq!(server.hear(report) == Verdict::Apply, false, "it came again");
            }
        }
    }

    #[test]
    fn each_accepted_change_is_one_generation() {
        assert_eq!(Generation::default().next(), Generation(1));
        assert_eq!(Generation(7).next(), Generation(8));
    }

    #[test]
    fn a_restarted_agent_is_newer_than_its_former_life() {
        let before = Order { epoch: 1, seq: 900 };
        let after = Order { epoch: 2, seq: 1 };
        assert_eq!(
            judge(Generation(1), before, Generation(1), after, NOW),
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
            NOW,
        );
        assert_eq!(verdict, Verdict::Overtaken);
    }

    #[test]
    fn a_generation_that_no_host_can_have_heard_is_not_followed() {
        let ours = Generation(5);
        let farthest = Generation(5 + CHANGES_AHEAD);
        assert_eq!(ours.outweighing(Generation(3)), Some(ours));
        assert_eq!(ours.outweighing(ours), Some(Generation(6)));
        assert_eq!(ours.outweighing(farthest), Some(farthest.next()));
        let order = Order { epoch: 1, seq: 1 };
        let verdict = |heard| judge(ours, Order::default(), heard, order, NOW);
        assert_eq!(verdict(farthest), Verdict::Apply);
        for heard in [farthest.next(), Generation(i64::MAX)] {
            assert_eq!(ours.outweighing(heard), None);
            assert_eq!(verdict(heard), Verdict::Incredible);
        }
        let last = Generation(i64::MAX);
        assert_eq!(last.next(), last, "the end is no way back to the beginning");
        assert_eq!(Generation(i64::MIN).outweighing(last), None);
    }

    fn in_seconds(ahead: i64) -> Order {
        let epoch = NOW.micros() / 1_000_000 + ahead;
        Order { epoch, seq: 1 }
    }

    #[test]
    fn an_epoch_of_a_future_that_is_far_is_not_recorded() {
        let verdict = |order| {
            let (one, none) = (Generation(1), Order::default());
            judge(one, none, one, order, NOW)
        };
        assert_eq!(verdict(in_seconds(SECONDS_AHEAD)), Verdict::Apply);
        assert_eq!(verdict(in_seconds(SECONDS_AHEAD + 1)), Verdict::Incredible);
        let (epoch, seq) = (i64::MAX, i64::MAX);
        assert_eq!(verdict(Order { epoch, seq }), Verdict::Incredible);
    }

    #[test]
    fn what_was_recorded_of_a_far_future_makes_nobody_deaf() {
        let true_word = in_seconds(0);
        let verdict = |recorded| judge(Generation(1), recorded, Generation(1), true_word, NOW);
        assert_eq!(verdict(in_seconds(SECONDS_AHEAD)), Verdict::Repeated);
        assert_eq!(verdict(in_seconds(SECONDS_AHEAD + 1)), Verdict::Apply);
    }
}
