//! Boots and deletes, one at a time and many at once, and what they cost.

use std::time::{Duration, Instant};

use anyhow::Result;
use skybus_tests::cloud::Cloud;

use crate::{client::Client, cpu};

/// Requests of a burst that are under way at a time.
const AT_ONCE: usize = 32;
/// A burst is asked for its end this often: seldom enough not to be a load of its own.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What boots one at a time took.
#[derive(Debug, Default)]
pub(crate) struct OneByOne {
    /// Milliseconds until the request was answered, each.
    pub(crate) answered: Vec<f64>,
    /// Milliseconds until the server was seen ACTIVE, each.
    pub(crate) active: Vec<f64>,
}

/// Boots `count` servers, each after the one before is ACTIVE, and looks every `pause`.
pub(crate) async fn one_by_one(client: &Client, count: usize, pause: Duration) -> Result<OneByOne> {
    let mut took = OneByOne::default();
    for n in 0..count {
        let began = Instant::now();
        let id = client.boot(&format!("one-{n}")).await?;
        took.answered.push(millis(began));
        client.until_active(&id, pause).await?;
        took.active.push(millis(began));
    }
    Ok(took)
}

/// What boots at once took.
#[derive(Debug)]
pub(crate) struct Booted {
    pub(crate) ids: Vec<String>,
    pub(crate) per_second: f64,
    /// CPU seconds of the cloud's processes per boot.
    pub(crate) cpu_each: f64,
    /// The same by role.
    pub(crate) by_role: Vec<(String, f64)>,
}

/// Boots `count` servers at once and waits for the last.
pub(crate) async fn boots(cloud: &Cloud, client: &Client, count: usize) -> Result<Booted> {
    let processes = cpu::of_cloud(&cloud.data_dir())?;
    let (before, began) = (each(&processes), Instant::now());
    let ids = client.boot_many(count, AT_ONCE).await?;
    client.until_built(LOOK_EVERY).await?;
    let took = began.elapsed();
    let after = each(&processes);
    let number = count as f64;
    let by_role: Vec<(String, f64)> = (processes.iter().zip(before.iter().zip(&after)))
        .map(|(p, (a, b))| (p.role.clone(), b.saturating_sub(*a).as_secs_f64() / number))
        .collect();
    Ok(Booted {
        ids,
        per_second: number / took.as_secs_f64(),
        cpu_each: by_role.iter().map(|(_, cost)| cost).sum(),
        by_role,
    })
}

/// What a burst took: boots at once, and then the deletes of them all.
#[derive(Debug)]
pub(crate) struct Burst {
    pub(crate) boots: Booted,
    pub(crate) deletes_per_second: f64,
    /// CPU seconds of the cloud's processes per delete.
    pub(crate) cpu_per_delete: f64,
}

/// Boots `count` servers at once, waits for the last, and deletes them; there must be no others.
pub(crate) async fn burst(cloud: &Cloud, client: &Client, count: usize) -> Result<Burst> {
    let boots = boots(cloud, client, count).await?;
    let processes = cpu::of_cloud(&cloud.data_dir())?;
    let (before, began) = (cpu::used(&processes), Instant::now());
    client.delete_many(&boots.ids, AT_ONCE).await?;
    client.until_gone(LOOK_EVERY).await?;
    let took = began.elapsed();
    let used = cpu::used(&processes).saturating_sub(before);
    Ok(Burst {
        deletes_per_second: count as f64 / took.as_secs_f64(),
        cpu_per_delete: used.as_secs_f64() / count as f64,
        boots,
    })
}

fn each(processes: &[cpu::Process]) -> Vec<Duration> {
    let one = |p: &cpu::Process| cpu::used_by(p.pid).unwrap_or_default();
    processes.iter().map(one).collect()
}

/// CPU seconds of the cloud per boot, one at a time.
pub(crate) async fn cost_one_by_one(cloud: &Cloud, client: &Client, count: usize) -> Result<f64> {
    let processes = cpu::of_cloud(&cloud.data_dir())?;
    let before = cpu::used(&processes);
    one_by_one(client, count, Duration::from_millis(20)).await?;
    let used = cpu::used(&processes).saturating_sub(before);
    Ok(used.as_secs_f64() / count as f64)
}

pub(crate) fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}
