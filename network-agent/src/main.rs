//! `skybus-network --config FILE`: the network worker of a host. With `--dry-run` it prints what it
//! would change and ends; `teardown` takes away everything that its cloud made on this host.

use std::{io::Write, path::Path};

use anyhow::bail;
use skybus_bus::journal::Journal;
use skybus_model::server::spec;
use skybus_network::{
    agent, changes::Changes, config::Config, driver::Driver, record, teardown::teardown,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (path, words) = skybus_role::config::from_arguments("skybus-network")?;
    let config = skybus_role::config::load::<Config>(&path)?.checked()?;
    skybus_role::log::start("network", &config.log);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => run(&config).await,
        ["--dry-run"] => rehearse(&config).await,
        ["teardown"] => take_down(&config, Changes::real()).await,
        ["teardown", "--dry-run"] | ["--dry-run", "teardown"] => {
            take_down(&config, Changes::rehearsal()).await
        }
        _ => bail!("usage: skybus-network [teardown] [--dry-run] --config FILE"),
    }
}

async fn run(config: &Config) -> anyhow::Result<()> {
    std::fs::create_dir_all(&config.data_dir)?;
    let role = skybus_role::Role::start("network", config.health).await?;
    agent::start(config, &role).await?;
    role.wait().await
}

/// What the journal says, if there is one; looking must not make one.
async fn recorded(config: &Config) -> anyhow::Result<Vec<record::Records>> {
    if !Path::new(&config.journal()).exists() {
        return Ok(Vec::new());
    }
    let journal = Journal::open(config.journal()).await?;
    let records = record::load(&journal, &config.hosts()).await?;
    journal.close().await;
    Ok(records.into_values().collect())
}

async fn rehearse(config: &Config) -> anyhow::Result<()> {
    let mut changes = Changes::rehearsal();
    let driver = agent::driver(config);
    for records in recorded(config).await? {
        let networks = records.desired();
        for network in &networks {
            driver.converge(network, &std::collections::BTreeSet::new(), &mut changes)?;
        }
        driver.converge_host(&networks, &mut changes)?;
    }
    show(&changes)
}

async fn take_down(config: &Config, mut changes: Changes) -> anyhow::Result<()> {
    let Driver::Linux(linux) = agent::driver(config) else {
        return Ok(());
    };
    // A journal that cannot be read must not keep what it describes on the host.
    let records = recorded(config).await.unwrap_or_else(|error| {
        tracing::warn!("going by the marks on the host alone: {error:#}");
        Vec::new()
    });
    let networks = records.iter().flat_map(|records| records.networks.keys());
    let namespaces: Vec<String> = networks.map(|id| spec::namespace(*id)).collect();
    teardown(&linux, &namespaces, &mut changes)?;
    show(&changes)
}

fn show(changes: &Changes) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for change in changes.list() {
        writeln!(out, "{change}")?;
    }
    Ok(())
}
