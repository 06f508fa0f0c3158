//! The broker is frozen, or killed and away for a good while: servers are created and deleted meanwhile as
//! ever, and all of it is done when it is back.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use skybus_tests::{
    campaign::{
        Operation, Server,
        stage::{Deed, Stage},
    },
    host,
};

/// How long the broker is away unless `AWAY` (seconds) says otherwise: longer than hosts may be silent.
const AWAY: u64 = 75;
/// How long a request may take that needs no broker.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long it may take, with the broker back, until all is done: everyone connects again, and what was
/// sent in vain is sent again.
const DONE: Duration = Duration::from_secs(120);

const BROKER: &str = "beam.smp";
const SUPERVISOR: &str = "skybus-supervisor";

#[test]
fn a_broker_that_is_frozen_costs_time_alone() -> Result<()> {
    let mut stage = Stage::with_fake_hosts(3)?;
    let standing = standing(&mut stage)?;
    let broker = stage.process(BROKER).context("the broker")?;
    host::signal(&broker, "STOP");
    let asked = ask_meanwhile(&mut stage, &standing);
    host::signal(&broker, "CONT");
    all_is_done(&mut stage, asked?)
}

#[test]
fn a_broker_that_died_and_stays_away_costs_time_alone() -> Result<()> {
    let mut stage = Stage::with_fake_hosts(3)?;
    let standing = standing(&mut stage)?;
    // A supervisor that moves would start it at once.
    let supervisor = stage.process(SUPERVISOR).context("the supervisor")?;
    host::signal(&supervisor, "STOP");
    host::kill(&stage.process(BROKER).context("the broker")?);
    let asked = ask_meanwhile(&mut stage, &standing);
    host::signal(&supervisor, "CONT");
    all_is_done(&mut stage, asked?)
}

/// Servers that are there before.
fn standing(stage: &mut Stage) -> Result<Vec<Server>> {
    let mut servers = Vec::new();
    for _ in 0..4 {
        let server = stage.ask(Deed::Ask(Operation::Boot), None)?;
        servers.push(server.context("a server")?);
    }
    let findings = stage.client.truth.settle(DONE)?;
    ensure!(findings.is_empty(), "{findings:#?}");
    Ok(servers)
}

/// What was asked while the broker was away: the names of new servers, and servers that are to go.
struct Asked {
    new: Vec<String>,
    gone: Vec<Server>,
}

/// Asks for new servers and for the end of some, at the beginning and at the end of the silence.
fn ask_meanwhile(stage: &mut Stage, standing: &[Server]) -> Result<Asked> {
    let away = std::env::var("AWAY").map_or(Ok(AWAY), |text| text.parse())?;
    let back = Instant::now() + Duration::from_secs(away);
    let mut asked = Asked {
        new: Vec::new(),
        gone: Vec::new(),
    };
    let (early, late) = standing.split_at(standing.len() / 2);
    ask(stage, &mut asked, early)?;
    // No condition to await: the time itself is what is tried.
    thread::sleep(back.saturating_duration_since(Instant::now()));
    ask(stage, &mut asked, late)?;
    Ok(asked)
}

fn ask(stage: &mut Stage, asked: &mut Asked, going: &[Server]) -> Result<()> {
    for server in going {
        let name = stage.name();
        let began = Instant::now();
        let answer = stage.client.ask_for(&name, None)?;
        ensure!(answer.status == 202, "{answer:?}");
        asked.new.push(name);
        let answer = stage.client.ask_once(Operation::Delete, server)?;
        ensure!(answer.status == 204, "{answer:?}");
        asked.gone.push(server.clone());
        let took = began.elapsed();
        ensure!(
            took < AT_ONCE,
            "a boot and a delete were accepted after {took:?}"
        );
    }
    Ok(())
}

fn all_is_done(stage: &mut Stage, asked: Asked) -> Result<()> {
    let findings = stage.client.truth.settle(DONE)?;
    ensure!(findings.is_empty(), "{findings:#?}\n{}", stage.cloud.logs());
    let servers = stage.client.truth.servers()?;
    let state = |is: &dyn Fn(&&skybus_tests::truth::ServerRow) -> bool| {
        let found = servers.iter().find(is);
        found.map_or_else(String::new, |row| row.state.clone())
    };
    for name in &asked.new {
        let is = state(&|row| row.name == *name);
        ensure!(is == "active", "{name} is {is:?}: {servers:#?}");
    }
    for server in &asked.gone {
        let is = state(&|row| row.id == server.id);
        ensure!(is == "deleted", "{} is {is:?}: {servers:#?}", server.name);
    }
    Ok(())
}
