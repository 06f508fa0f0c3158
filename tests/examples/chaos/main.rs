//! A campaign: random wishes about tens of servers while random processes die at random moments, several
//! at once, the broker among them. In the end everything must have ended as asked or in ERROR with a
//! reason, and nothing may be left. `make chaos` runs it; `SEED=n make chaos` carries out the same plan
//! again. `SEEDS`, `ROUNDS`, `SERVERS` and `HOSTS` say how much; `DATABASE` is the address of a
//! PostgreSQL database, or `private` for a PostgreSQL of its own.

mod act;
mod plan;

use std::time::{Duration, Instant};

use act::Actor;
use anyhow::{Context, Result, ensure};
use skybus_tests::{
    campaign::{Client, stage::Stage},
    cloud::Cloud,
    database,
    truth::{Finding, Wrong},
};

/// How long it may take until everything has ended: a boot's whole deadline, and what the broker's
/// absence added to it.
const QUIET: Duration = Duration::from_secs(700);

fn main() -> Result<()> {
    let first = number("SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let seeds = number("SEEDS").unwrap_or(1);
    let mut wrong = 0;
    tell(
        "seed     | rounds | accepted | refused | unanswered | settled | lost | doubled | leaked | stuck",
    );
    for seed in first..first + seeds {
        wrong += campaign(seed)?.len();
    }
    ensure!(wrong == 0, "{wrong} findings; see above");
    Ok(())
}

fn campaign(seed: u64) -> Result<Vec<Finding>> {
    let size = |name, usual| number(name).map_or(usual, |n| usize::try_from(n).unwrap_or(usual));
    let (rounds, servers) = (size("ROUNDS", 40), size("SERVERS", 30));
    let mut actor = Actor::new(stage(size("HOSTS", 6))?);
    for (n, round) in plan::plan(seed, rounds, servers).iter().enumerate() {
        actor
            .round(round)
            .with_context(|| format!("seed {seed}, round {n}: {round:?}"))
            .with_context(|| actor.stage.cloud.logs())?;
    }
    let begun = Instant::now();
    let mut findings = actor.settle(QUIET)?;
    let settled = begun.elapsed();
    findings.extend(actor.clear(QUIET)?);
    let (counts, all) = (&actor.counts, &findings);
    let count = |wrong| all.iter().filter(|finding| finding.wrong == wrong).count();
    tell(&format!(
        "{seed:8} | {rounds:6} | {:8} | {:7} | {:10} | {:5} s | {:4} | {:7} | {:6} | {:5}",
        counts.accepted,
        counts.refused,
        counts.unanswered,
        settled.as_secs(),
        count(Wrong::Lost),
        count(Wrong::Doubled),
        count(Wrong::Leaked),
        count(Wrong::Stuck)
    ));
    tell(&format!("           {:?}", counts.deaths));
    for finding in all {
        tell(&format!("           {finding}"));
    }
    if !all.is_empty() {
        tell(&actor.stage.cloud.logs());
        actor.stage.cloud.keep();
        tell(&format!(
            "the cloud is left running in {}",
            actor.stage.cloud.data_dir().display()
        ));
    }
    Ok(findings)
}

fn stage(hosts: usize) -> Result<Stage> {
    let hosts = hosts.to_string();
    let mut options = vec!["--virt-type", "fake", "--fake-hosts", &hosts];
    let database = match std::env::var("DATABASE").ok() {
        Some(word) if word == "private" => Some(database::new_postgres()?),
        other => other.filter(|url| !url.is_empty()),
    };
    if let Some(url) = &database {
        options.extend(["--database", url.as_str()]);
    }
    let (cloud, faults) = Cloud::with_fault_points(&options)?;
    cloud.add_small_image()?;
    let client = Client::of(&cloud, database.as_deref())?;
    // What was chosen at the first start is remembered.
    Stage::set(cloud, faults, client, &options[..4])
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[allow(clippy::print_stdout, reason = "it is a program for a terminal")]
fn tell(text: &str) {
    println!("{text}");
}
