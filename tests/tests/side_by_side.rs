//! Two API servers and three schedulers at once, on SQLite and on PostgreSQL: every boot ends, no host is
//! overbooked, and every delete gives back what was taken. One more of either is one more process.
//!
//! `HOSTS` and `SERVERS` say how many, for who wants to see more than the test needs.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use skybus_tests::{
    another::Another,
    campaign::{Client, Operation, Server},
    cloud::Cloud,
    database,
};

const HOSTS: usize = 40;
const SERVERS: usize = 200;
/// Callers of each API server.
const CALLERS: usize = 4;
const QUIET: Duration = Duration::from_secs(300);
/// MiB of a server: six fit on a host, and five are to be on each.
const RAM: &str = "40000";

#[test]
fn many_on_sqlite() -> Result<()> {
    side_by_side(None)
}

#[test]
fn many_on_postgresql() -> Result<()> {
    side_by_side(Some(&database::new_postgres()?))
}

fn side_by_side(database: Option<&str>) -> Result<()> {
    let (hosts, servers) = (number("HOSTS", HOSTS)?, number("SERVERS", SERVERS)?);
    let hosts = hosts.to_string();
    let mut options = vec!["--virt-type", "fake", "--fake-hosts", &hosts];
    // Room for every server's address.
    options.extend(["--network-size", "16384"]);
    if let Some(url) = database {
        options.extend(["--database", url]);
    }
    let cloud = Cloud::start(&options)?;
    cloud.add_small_image()?;
    cloud
        .skybus(&["flavor-create", "wide", "auto", RAM, "1", "1"])?
        .ok()?;
    let limits = ["--instances", "-1", "--cores", "-1", "--ram", "-1"];
    cloud
        .skybus(&[&["quota-update", "admin"], &limits[..]].concat())?
        .ok()?;
    let second = Another::start(&cloud, "api")?;
    let _second = Another::start(&cloud, "scheduler")?;
    let _third = Another::start(&cloud, "scheduler")?;
    let one = Client::booting(&cloud, database, "small", "wide")?;
    let both = [one.clone(), one.at(second.url())];
    lift_port_quota(&both[0])?;

    let began = Instant::now();
    let booted = share(&both, servers, |client, n| {
        let answer = client.ask_for(&format!("vm-{n:05}"), None)?;
        ensure!(answer.status == 202, "{answer:?}");
        let id = answer.body["server"]["id"].as_str().context("an id")?;
        Ok(id.to_owned())
    })?;
    all_ended(&cloud, &one, "active", servers)?;
    let boots = began.elapsed();
    not_overbooked(&one, servers)?;

    let began = Instant::now();
    // Each deletes what the other has made.
    let mirrored = [both[1].clone(), both[0].clone()];
    share(&mirrored, servers, |client, n| {
        let (name, id) = (format!("vm-{n:05}"), booted[n].clone());
        let answer = client.ask_once(Operation::Delete, &Server { name, id })?;
        ensure!(answer.status == 204, "{answer:?}");
        Ok(String::new())
    })?;
    all_ended(&cloud, &one, "deleted", servers)?;
    not_overbooked(&one, 0)?;
    tell(&format!(
        "{servers} servers on {hosts} hosts: {:.0} boots/s, {:.0} deletes/s",
        servers as f64 / boots.as_secs_f64(),
        servers as f64 / began.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Does the work of each number through one of the clients, several at once; the results by number.
fn share(
    clients: &[Client; 2],
    count: usize,
    work: impl Fn(&Client, usize) -> Result<String> + Sync,
) -> Result<Vec<String>> {
    let callers = clients.len() * CALLERS;
    let work = &work;
    let parts = thread::scope(|scope| {
        let all = (0..callers).map(|caller| {
            let client = &clients[caller % clients.len()];
            let numbers = (caller..count).step_by(callers);
            scope.spawn(move || {
                let one = |n| Ok((n, work(client, n)?));
                numbers.map(one).collect::<Result<Vec<_>>>()
            })
        });
        let all: Vec<_> = all.collect();
        let join = |part: thread::ScopedJoinHandle<'_, Result<Vec<_>>>| {
            part.join()
                .map_err(|_| anyhow::anyhow!("a caller panicked"))?
        };
        all.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let mut results: Vec<(usize, String)> = parts.into_iter().flatten().collect();
    results.sort();
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

fn all_ended(cloud: &Cloud, client: &Client, state: &str, servers: usize) -> Result<()> {
    let findings = client.truth.settle(QUIET)?;
    ensure!(findings.is_empty(), "{findings:#?}\n{}", cloud.logs());
    let rows = client.truth.servers()?;
    let there = rows.iter().filter(|row| row.state == state).count();
    ensure!(there == servers, "{there} of {servers} are {state}");
    Ok(())
}

/// Every server is counted on one host, and no host has more than it may.
fn not_overbooked(client: &Client, servers: usize) -> Result<()> {
    let all = client.get("/compute/v2.1/os-hypervisors/detail?limit=1000")?;
    let hosts = all["hypervisors"].as_array().context("no list of hosts")?;
    let mut counted = 0;
    for host in hosts {
        let number = |key: &str| host[key].as_i64().unwrap_or_default();
        counted += number("running_vms");
        ensure!(
            number("memory_mb_used") <= number("memory_mb"),
            "overbooked: {host}"
        );
    }
    ensure!(
        usize::try_from(counted)? == servers,
        "{servers} servers, and {counted} claims"
    );
    Ok(())
}

fn lift_port_quota(client: &Client) -> Result<()> {
    let path = format!("/network/v2.0/quotas/{}", client.project());
    client.put(&path, r#"{"quota": {"port": -1}}"#)
}

fn number(name: &str, otherwise: usize) -> Result<usize> {
    let given = std::env::var(name).ok();
    given.map_or(Ok(otherwise), |text| {
        text.parse().with_context(|| format!("{name} is a number"))
    })
}

/// Seen with `--nocapture`.
#[allow(clippy::print_stderr, reason = "for who runs the test")]
fn tell(text: &str) {
    eprintln!("{text}");
}
