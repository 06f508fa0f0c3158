//! What is going to happen, made from a seed alone: the same seed makes the same plan.

use std::time::Duration;

use skybus_fault::{Armed, Point};
use skybus_tests::{campaign::Operation, faults::ROLES};

/// A stream of numbers (SplitMix64), the same on every machine and in every version.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % limit).unwrap_or_default()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn millis(&mut self, most: usize) -> Duration {
        Duration::from_millis(u64::try_from(self.below(most)).unwrap_or_default())
    }
}

/// Something bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Death {
    /// A role dies when it comes to a point.
    At(&'static str, Armed),
    /// A role is killed.
    Killed(&'static str),
    /// A role stands still for so long.
    Frozen(&'static str, Duration),
    /// The broker stands still for so long.
    BrokerFrozen(Duration),
    /// The broker is killed.
    BrokerKilled,
    /// The supervisor is killed, and started again.
    SupervisorKilled,
}

/// One round: when what is asked of which server, by number, and when what goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) asks: Vec<(Duration, usize, Operation)>,
    pub(crate) deaths: Vec<(Duration, Death)>,
    pub(crate) pause: Duration,
}

/// How long a round is, in milliseconds.
const LENGTH: usize = 1500;
const WISHES: [Operation; 5] = [
    Operation::Stop,
    Operation::Start,
    Operation::RebootSoft,
    Operation::RebootHard,
    Operation::Delete,
];

/// The plan of a seed.
pub(crate) fn plan(seed: u64, rounds: usize, servers: usize) -> Vec<Round> {
    let mut dice = Dice::of(seed);
    (0..rounds).map(|_| round(&mut dice, servers)).collect()
}

fn round(dice: &mut Dice, servers: usize) -> Round {
    let asks = (0..4 + dice.below(8))
        .map(|_| (dice.millis(LENGTH), dice.below(servers), dice.one(&WISHES)))
        .collect();
    let deaths = (0..1 + dice.below(3))
        .map(|_| (dice.millis(LENGTH), death(dice)))
        .collect();
    let pause = dice.millis(3000);
    Round {
        asks,
        deaths,
        pause,
    }
}

fn death(dice: &mut Dice) -> Death {
    let role = dice.one(&ROLES);
    match dice.below(20) {
        0 => Death::BrokerKilled,
        1 | 2 => Death::BrokerFrozen(dice.millis(15_000)),
        3 => Death::SupervisorKilled,
        4 | 5 => Death::Frozen(role, dice.millis(8000)),
        6..=10 => Death::Killed(role),
        _ => {
            let points: Vec<Point> = Point::ALL
                .iter()
                .copied()
                .filter(|point| may_come_to(role, *point))
                .collect();
            let hit = 1 + u32::try_from(dice.below(3)).unwrap_or_default();
            let armed = Armed {
                point: dice.one(&points),
                what: None,
                hit,
            };
            Death::At(role, armed)
        }
    }
}

/// Whether a role has this point at all.
fn may_come_to(role: &str, point: Point) -> bool {
    let owner = point.as_str().split('.').next().unwrap_or_default();
    match owner {
        "store" => matches!(role, "api" | "scheduler"),
        "journal" => matches!(role, "compute" | "network"),
        "relay" | "consumer" => true,
        other => other == role,
    }
}
