//! `skybus-network --config FILE`: the network worker of a host. With `--dry-run` it prints what it
//! would change and ends; `teardown` takes away everything that its cloud made on this host.

use std::{collections::BTreeSet, io::Write};

use anyhow::bail;
use skybus_bus::journal::Journal;
use skybus_model::server::spec;
use skybus_network::{
    agent,
    changes::Changes,
    config::Config,
    driver::Driver,
    plan, record,
    teardown::{Recorded, teardown},
    worker,
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

/// The journal, if there is one; looking must not make one.
async fn journal(config: &Config) -> anyhow::Result<Option<Journal>> {
    let path = config.journal();
    Ok(if path.exists() {
        Some(Journal::open(path).await?)
    } else {
        None
    })
}

async fn rehearse(config: &Config) -> anyhow::Result<()> {
    let Some(journal) = journal(config).await? else {
        return Ok(());
    };
    let changes = plan::of(config, &journal, &config.hosts()).await?;
    journal.close().await;
    show(&changes)
}

async fn take_down(config: &Config, mut changes: Changes) -> anyhow::Result<()> {
    let Driver::Linux(linux) = agent::driver(config) else {
        return Ok(());
    };
    // A journal that cannot be read must not keep what it describes on the host.
    let recorded = recorded(config).await.unwrap_or_else(|error| {
        tracing::warn!("going by the marks on the host alone: {error:#}");
        Recorded::default()
    });
    teardown(&linux, &recorded, &mut changes)?;
    show(changes.list())
}

/// The networks and floating IPs that the journal knows of.
async fn recorded(config: &Config) -> anyhow::Result<Recorded> {
    let Some(journal) = journal(config).await? else {
        return Ok(Recorded::default());
    };
    let mut recorded = Recorded {
        namespaces: worker::in_work(&journal).await?,
        floating: BTreeSet::new(),
    };
    for records in record::load(&journal, &config.hosts()).await?.into_values() {
        recorded.floating.extend(records.floating().into_keys());
        let networks = records.networks.into_keys();
        recorded.namespaces.extend(networks.map(spec::namespace));
    }
    journal.close().await;
    Ok(recorded)
}

fn show(changes: &[String]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for change in changes {
        writeln!(out, "{change}")?;
    }
    Ok(())
}
