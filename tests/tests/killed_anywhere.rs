//! Whatever dies whenever, every accepted request ends as asked or in ERROR with a reason, and nothing is
//! left behind.
//!
//! First every operation is done once, to see which fault points it comes to in which processes. Then it
//! is done again for each of them, with that process killed there: each round arms one point in every
//! role that still has some. Two clouds share the work, since a round is mostly waiting.

#[path = "killed_anywhere/series.rs"]
mod series;

use std::{collections::BTreeSet, thread, time::Instant};

use anyhow::{Context, Result, ensure};
use series::Series;
use skybus_fault::Point;
use skybus_tests::campaign::{
    stage::{Deed, Stage},
    tally::{self, Row},
};

const CLOUDS: usize = 2;
const HOSTS: u32 = 3;
/// Points that hosts in memory never come to: they lie between changes to a real host's networks.
/// `killed_with_real_guests` comes to them.
const REAL_HOSTS_ONLY: [Point; 3] = [
    Point::NetworkNamespaceMade,
    Point::NetworkFiltered,
    Point::NetworkLinked,
];
/// Points of machines that come and go, to which no server's operation comes. `second_host` comes to them.
const OF_MACHINES: [Point; 5] = [
    Point::HostLeaving,
    Point::HostDismissed,
    Point::JoinKeyKept,
    Point::JoinGranted,
    Point::JoinKept,
];

/// Points of a machine's interfaces that come and go, to which none of the campaign's operations comes.
/// `interface` comes to them.
const OF_INTERFACES: [Point; 5] = [
    Point::ComputeBeforePlug,
    Point::ComputeCabled,
    Point::ComputeAfterPlug,
    Point::ComputeBeforeUnplug,
    Point::ComputeAfterUnplug,
];

#[test]
fn whatever_dies_whenever_every_request_ends_and_nothing_is_left() -> Result<()> {
    let stages: Vec<Result<Stage>> = thread::scope(|scope| {
        let all = (0..CLOUDS).map(|_| scope.spawn(|| Stage::with_fake_hosts(HOSTS)));
        let all: Vec<_> = all.collect();
        all.into_iter().map(joined).collect()
    });
    let mut stages = stages.into_iter().collect::<Result<Vec<_>>>()?;
    let first = stages.first_mut().context("a cloud")?;
    let plan = series::rehearse(first)?;

    let parts: Vec<Result<Vec<Row>>> = thread::scope(|scope| {
        let all = stages.into_iter().enumerate().map(|(n, stage)| {
            let share = series::share(&plan, n, CLOUDS);
            scope.spawn(move || run(stage, share))
        });
        let all: Vec<_> = all.collect();
        all.into_iter().map(joined).collect()
    });
    let mut rows: Vec<Row> = Vec::new();
    for part in parts {
        for (n, row) in part?.into_iter().enumerate() {
            match rows.get_mut(n) {
                Some(sum) => sum.add(row),
                None => rows.push(row),
            }
        }
    }
    let table = tally::table(&rows);
    tell(&table);
    ensure!(rows.iter().all(|row| row.findings.is_empty()), "{table}");

    let hit: BTreeSet<Point> = plan
        .iter()
        .flat_map(|one| &one.hits)
        .map(|h| h.point)
        .collect();
    let never: Vec<&Point> = Point::ALL
        .iter()
        .filter(|point| !hit.contains(point))
        .filter(|point| !REAL_HOSTS_ONLY.contains(point) && !OF_MACHINES.contains(point))
        .filter(|point| !OF_INTERFACES.contains(point))
        .collect();
    ensure!(never.is_empty(), "no operation comes to {never:?}");
    Ok(())
}

/// One cloud's share, in the order of [`DEEDS`], with the clearing away at the end as the last row.
fn run(stage: Stage, share: Vec<Series>) -> Result<Vec<Row>> {
    let mut troupe = series::Troupe::new(stage);
    let played = play(&mut troupe, share);
    // The logs go with the cloud.
    played.with_context(|| troupe.logs())
}

fn play(troupe: &mut series::Troupe, share: Vec<Series>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for series in share {
        let begun = Instant::now();
        let row = troupe.play(&series)?;
        let so_far = tally::table(std::slice::from_ref(&row));
        tell(&format!("{:.0?}\n{so_far}", begun.elapsed()));
        rows.push(row);
    }
    rows.push(troupe.leave()?);
    Ok(rows)
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// How a deed is called in the table.
fn called(deed: Deed) -> String {
    match deed {
        Deed::Ask(operation) => format!("{operation:?}"),
        Deed::Restart(role) => format!("{role} starts"),
    }
}

/// Seen with `--nocapture`, and when the test fails.
#[allow(clippy::print_stderr, reason = "for who runs the test")]
fn tell(text: &str) {
    eprintln!("{text}");
}
