//! One run: each group of figures on a cloud that nothing else uses.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use skybus_tests::{another::Another, cloud::Cloud};

use crate::{Options, boots, bus, client::Client, cpu, guest, reads, table::median};

/// How long each rate is measured.
const SPAN: Duration = Duration::from_secs(4);

/// What one run saw, by the figure's name.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) figures: Vec<(&'static str, f64)>,
}

impl Seen {
    fn note(&mut self, name: &'static str, value: f64) {
        say(&format!("  {name}: {value:.4}"));
        self.figures.push((name, value));
    }
}

/// Measures every group that is wanted.
pub(crate) async fn everything(options: &Options, seen: &mut Seen) -> Result<()> {
    let groups = ["boots", "burst", "reads", "tokens", "memory"];
    if groups.into_iter().any(|group| options.wants(group)) {
        control_plane(options, seen).await?;
    }
    if options.wants("memory") {
        at_scale(options, seen).await?;
    }
    if options.wants("scale") {
        side_by_side(options, seen).await?;
    }
    if options.wants("bus") {
        let bus = bus::measure().await?;
        seen.note("bus call, median", bus.call_ms);
        seen.note("bus calls, 64 callers", bus.calls_per_second);
        seen.note("confirmed publishes", bus.publishes_per_second);
        seen.note("commands from outbox to journal", bus.commands_per_second);
    }
    if options.wants("guest") {
        let starts = guest::starts(5).await?;
        seen.note("real guest: POST to QEMU started", median(&starts.further));
        seen.note("the same, first on its network", median(&starts.first));
    }
    Ok(())
}

/// A cloud with so many hosts in memory.
pub(crate) fn start(options: &Options, hosts: u32) -> Result<Cloud> {
    let hosts = hosts.to_string();
    let mut words = vec![
        "--virt-type",
        "fake",
        "--fake-hosts",
        &hosts,
        "--network-size",
        "16384",
    ];
    if let Some(database) = &options.database {
        words.extend(["--database", database]);
    }
    Cloud::start(&words)
}

async fn control_plane(options: &Options, seen: &mut Seen) -> Result<()> {
    let began = Instant::now();
    let cloud = start(options, options.hosts)?;
    seen.note("up to a cloud that answers", began.elapsed().as_secs_f64());
    cloud.add_small_image()?;
    let client = Client::of(&cloud).await?;
    if options.wants("memory") {
        settle().await;
        let resting = cpu::memory(&cpu::of_cloud(&cloud.data_dir())?);
        seen.note("memory at rest (PSS)", resting);
    }
    if options.wants("boots") {
        one_at_a_time(&cloud, &client, seen).await?;
    }
    if options.wants("burst") {
        bursts(&cloud, &client, options, seen).await?;
    }
    if options.wants("reads") {
        reading(&client, seen).await?;
    }
    if options.wants("tokens") {
        let issue = || async { client.token().await.map(drop) };
        let rate = reads::rate(8, SPAN, issue).await?;
        seen.note("token issue, 8 callers", rate);
        let rate = reads::rate(8, SPAN, || client.validate()).await?;
        seen.note("token validate, 8 callers", rate);
    }
    Ok(())
}

async fn one_at_a_time(cloud: &Cloud, client: &Client, seen: &mut Seen) -> Result<()> {
    // The first pays for connections that are opened and statements that are prepared.
    boots::one_by_one(client, 10, Duration::from_millis(2)).await?;
    let took = boots::one_by_one(client, 100, Duration::from_millis(2)).await?;
    seen.note("POST /servers, one at a time", median(&took.answered));
    seen.note("POST to ACTIVE, one at a time", median(&took.active));
    let cost = boots::cost_one_by_one(cloud, client, 200).await?;
    seen.note("CPU per boot, one at a time", cost);
    clear(client).await
}

async fn bursts(cloud: &Cloud, client: &Client, options: &Options, seen: &mut Seen) -> Result<()> {
    let small = boots::burst(cloud, client, 100).await?;
    seen.note("boots/s, 100 at once", small.boots.per_second);
    seen.note("deletes/s, 100 at once", small.deletes_per_second);
    let middle = boots::burst(cloud, client, 300).await?;
    seen.note("boots/s, 300 at once", middle.boots.per_second);
    seen.note("CPU per boot, 300 at once", middle.boots.cpu_each);
    seen.note("CPU per delete, 300 at once", middle.cpu_per_delete);
    for (role, cost) in middle.boots.by_role {
        say(&format!("    of that {role}: {:.2} ms", cost * 1000.0));
    }
    if options.burst > 0 {
        let large = boots::burst(cloud, client, options.burst).await?;
        seen.note("boots/s, 3000 at once", large.boots.per_second);
        say(&format!(
            "    CPU per boot {:.2} ms",
            large.boots.cpu_each * 1000.0
        ));
    }
    Ok(())
}

async fn reading(client: &Client, seen: &mut Seen) -> Result<()> {
    let ids = client.boot_many(300, 32).await?;
    client.until_built(Duration::from_millis(50)).await?;
    let list = || client.read("/compute/v2.1/servers");
    let rate = reads::rate(16, SPAN, list).await?;
    seen.note("GET /servers, 300 exist, 16 callers", rate);
    let detail = || client.read("/compute/v2.1/servers/detail?limit=100");
    let rate = reads::rate(16, SPAN, detail).await?;
    seen.note("GET /servers/detail, page of 100, 16 callers", rate);
    let path = format!("/compute/v2.1/servers/{}", ids[0]);
    let rate = reads::rate(16, SPAN, || client.read(&path)).await?;
    seen.note("GET one server, 16 callers", rate);
    clear(client).await
}

/// 5,000 servers on 1,000 hosts, all there at once.
async fn at_scale(options: &Options, seen: &mut Seen) -> Result<()> {
    let cloud = start(options, 1000)?;
    cloud.add_small_image()?;
    let client = Client::of(&cloud).await?;
    let began = Instant::now();
    client.boot_many(5000, 32).await?;
    client.until_built(Duration::from_millis(200)).await?;
    say(&format!(
        "    5000 servers on 1000 hosts in {:.1} s",
        began.elapsed().as_secs_f64()
    ));
    settle().await;
    let processes = cpu::of_cloud(&cloud.data_dir())?;
    for process in &processes {
        let used = cpu::memory_of(process.pid).unwrap_or_default();
        say(&format!("    of that {}: {used:.0} MiB", process.role));
    }
    seen.note(
        "memory, 5000 servers on 1000 hosts (PSS)",
        cpu::memory(&processes),
    );
    Ok(())
}

/// 5,000 servers on 1,000 hosts come and go through two API servers and three schedulers at once.
async fn side_by_side(options: &Options, seen: &mut Seen) -> Result<()> {
    let cloud = start(options, 1000)?;
    cloud.add_small_image()?;
    let second = Another::start(&cloud, "api")?;
    let _second = Another::start(&cloud, "scheduler")?;
    let _third = Another::start(&cloud, "scheduler")?;
    let first = Client::of(&cloud).await?;
    let both = [first.clone(), first.at(second.url())];
    let began = Instant::now();
    let (one, other) =
        futures::try_join!(both[0].boot_many(2500, 16), both[1].boot_many(2500, 16))?;
    first.until_built(Duration::from_millis(200)).await?;
    seen.note(
        "boots/s, 5000 on 1000 hosts, 2 APIs, 3 schedulers",
        5000.0 / began.elapsed().as_secs_f64(),
    );
    not_overbooked(&first, 5000).await?;
    let began = Instant::now();
    // Each deletes what the other has made.
    futures::try_join!(
        both[0].delete_many(&other, 16),
        both[1].delete_many(&one, 16)
    )?;
    first.until_gone(Duration::from_millis(200)).await?;
    seen.note(
        "deletes/s, the same",
        5000.0 / began.elapsed().as_secs_f64(),
    );
    not_overbooked(&first, 0).await
}

/// Every server is counted on a host once, and no host has more than it may.
async fn not_overbooked(client: &Client, servers: i64) -> Result<()> {
    let all = client
        .get("/compute/v2.1/os-hypervisors/detail?limit=1000")
        .await?;
    let hosts = all["hypervisors"].as_array().context("no list of hosts")?;
    let mut counted = 0;
    for host in hosts {
        let number = |key: &str| host[key].as_i64().unwrap_or_default();
        counted += number("running_vms");
        ensure!(
            number("memory_mb_used") <= number("memory_mb")
                && number("local_gb_used") <= number("local_gb"),
            "overbooked: {host}"
        );
    }
    ensure!(
        counted == servers,
        "{servers} servers, and {counted} claims"
    );
    Ok(())
}

async fn clear(client: &Client) -> Result<()> {
    let all = client.get("/compute/v2.1/servers?limit=1000").await?;
    let ids: Vec<String> = all["servers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|server| server["id"].as_str().map(str::to_owned))
        .collect();
    client.delete_many(&ids, 32).await?;
    client.until_gone(Duration::from_millis(50)).await
}

/// A cloud that has had nothing to do for a few seconds: what it needs while it works is given back.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(5)).await;
}

/// Progress, for who waits.
pub(crate) fn say(text: &str) {
    let _nobody_looks = writeln!(std::io::stderr(), "{text}");
}

/// The result.
pub(crate) fn print(text: &str) {
    let _nobody_looks = writeln!(std::io::stdout(), "{text}");
}
