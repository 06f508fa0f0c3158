//! Fifty clients take addresses and give them back at once, on SQLite and on PostgreSQL: nobody has another's,
//! none is lost, and what was given back can be had again.
//!
//! `ALLOCATIONS` says how many are taken, for who wants to see more than the test needs.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;
use skybus_tests::{api::Api, cloud::Cloud, database};

const CLIENTS: usize = 50;
const ALLOCATIONS: usize = 1000;
/// Every so many allocations a client gives back what it took before.
const EVERY: usize = 4;

#[test]
fn addresses_on_sqlite() -> Result<()> {
    come_and_go(None)
}

#[test]
fn addresses_on_postgresql() -> Result<()> {
    come_and_go(Some(&database::new_postgres()?))
}

/// A port with its address.
struct Held {
    id: String,
    address: String,
}

fn come_and_go(database: Option<&str>) -> Result<()> {
    let allocations = match std::env::var("ALLOCATIONS") {
        Ok(text) => text.parse().context("ALLOCATIONS is a number")?,
        Err(_) => ALLOCATIONS,
    };
    let mut options = vec!["--virt-type", "fake"];
    if let Some(url) = database {
        options.extend(["--database", url]);
    }
    let cloud = Cloud::start(&options)?;
    let api = Api::sign_in(&cloud, "admin", &cloud.password("admin")?)?;
    lift_quota(&api)?;
    // Just large enough for what stays at the end, so that addresses must be used again.
    let stays = allocations - allocations / EVERY;
    let network = a_network(&api, stays + CLIENTS)?;

    let began = Instant::now();
    let next = AtomicUsize::new(0);
    let parts = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| one_client(&api, &network, &next, allocations)))
            .collect();
        let join = |client: thread::ScopedJoinHandle<'_, Result<Vec<Held>>>| {
            client.join().map_err(|_| anyhow!("a client panicked"))?
        };
        clients.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    tell(&format!(
        "{allocations} allocations by {CLIENTS} clients: {:.1} s",
        began.elapsed().as_secs_f64()
    ));

    let held: Vec<Held> = parts.into_iter().flatten().collect();
    let addresses: BTreeSet<&str> = held.iter().map(|held| held.address.as_str()).collect();
    ensure!(addresses.len() == held.len(), "some address is had twice");
    let said = listed(&api, &network)?;
    let held: BTreeSet<String> = held.into_iter().map(|held| held.id).collect();
    ensure!(
        said == held,
        "{} ports are listed, {} are held",
        said.len(),
        held.len()
    );
    let audit = cloud.skybus(&["audit"])?;
    ensure!(audit.code == 0, "{audit:?}");
    Ok(())
}

/// Takes addresses until all are taken, and gives some back on the way.
fn one_client(api: &Api, network: &str, next: &AtomicUsize, all: usize) -> Result<Vec<Held>> {
    let mut held: Vec<Held> = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= all {
            return Ok(held);
        }
        held.push(take(api, network)?);
        if number.is_multiple_of(EVERY)
            && let Some(back) = held.pop()
        {
            let path = format!("/network/v2.0/ports/{}", back.id);
            let answer = api.send("DELETE", &path, "")?;
            ensure!(answer.status == 204, "{answer:?}");
        }
    }
}

fn take(api: &Api, network: &str) -> Result<Held> {
    let body = json!({"port": {"network_id": network}}).to_string();
    let answer = api.send("POST", "/network/v2.0/ports", &body)?;
    ensure!(answer.status == 201, "{answer:?}");
    let port = &answer.body["port"];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(Held {
        id: text(&port["id"]),
        address: text(&port["fixed_ips"][0]["ip_address"]),
    })
}

/// A network with room for `ports`, its gateway and not much more.
fn a_network(api: &Api, ports: usize) -> Result<String> {
    let body = json!({"network": {"name": "crowded"}}).to_string();
    let answer = api.send("POST", "/network/v2.0/networks", &body)?;
    let id = answer.body["network"]["id"].as_str().context("an id")?;
    let size = u32::try_from(ports + 3)?.next_power_of_two();
    let cidr = format!("10.128.0.0/{}", 32 - size.trailing_zeros());
    let last = u32::from(std::net::Ipv4Addr::new(10, 128, 0, 1)) + u32::try_from(ports)?;
    let pool = json!({"start": "10.128.0.2", "end": std::net::Ipv4Addr::from(last)});
    let body = json!({"subnet": {"network_id": id, "ip_version": 4, "cidr": cidr,
        "gateway_ip": "10.128.0.1", "allocation_pools": [pool]}});
    let answer = api.send("POST", "/network/v2.0/subnets", &body.to_string())?;
    ensure!(answer.status == 201, "{answer:?}");
    Ok(id.to_owned())
}

fn lift_quota(api: &Api) -> Result<()> {
    let path = format!("/network/v2.0/quotas/{}", api.project);
    let answer = api.send("PUT", &path, r#"{"quota": {"port": -1}}"#)?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

/// The ids of all ports of a network, page by page.
fn listed(api: &Api, network: &str) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    let mut marker = String::new();
    loop {
        let path = format!("/network/v2.0/ports?network_id={network}&fields=id&limit=500{marker}");
        let answer = api.send("GET", &path, "")?;
        let ports = answer.body["ports"].as_array().context("a list")?.clone();
        let ids = ports.iter().filter_map(|port| port["id"].as_str());
        let Some(last) = ids.clone().next_back() else {
            return Ok(all);
        };
        marker = format!("&marker={last}");
        all.extend(ids.map(str::to_owned));
    }
}

/// Seen with `--nocapture`.
#[allow(clippy::print_stderr, reason = "for who runs the test")]
fn tell(text: &str) {
    eprintln!("{text}");
}
