//! The worker on the bus: commands into the journal and to the agent, events to the relay, beats,
//! inventories and answers to calls.

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use skybus_bus::{
    Bus, Delivery, Settings, Subscription, Verdict,
    journal::{Accepted, Journal},
    relay::Relay,
};
use skybus_model::{
    HostName, Order, Timestamp,
    message::{
        Service,
        call::ConsoleTail,
        heartbeat::{HostBeat, pause_after},
    },
    segment::Carries,
};
use skybus_role::Role;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{MissedTickBehavior, interval},
};

use crate::{
    agent::{self, Agent},
    config::{Config, VirtType},
    console,
    driver::{Driver, Place, fake::Fake},
    qemu::{Qemu, acceleration::Acceleration, files},
};

/// How often everything is reported, whatever else was.
const INVENTORY_EVERY: Duration = Duration::from_secs(60);
/// How many real servers are worked on at a time; most of that time they wait for something.
const PARALLEL: usize = 32;
/// The same for servers that exist in memory alone.
const PARALLEL_FAKE: usize = 512;

/// Starts the worker that `config` describes, as parts of `role`.
///
/// # Errors
/// When the host cannot serve; the text says what to change.
pub async fn start(role: &Role, config: Config) -> anyhow::Result<()> {
    let hosts = config.hosts()?;
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("{} cannot be made", config.data_dir.display()))?;
    let (changes, changed) = unbounded_channel();
    if config.virt_type == VirtType::Fake {
        let fake = Fake::new(changes, Duration::ZERO);
        return run(role, config, hosts, fake, changed, PARALLEL_FAKE).await;
    }
    let acceleration = Acceleration::choose(config.virt_type, &config.data_dir).await;
    let qemu = Qemu::open(
        &config.data_dir,
        config.host.clone(),
        &config.api_url,
        acceleration,
        changes,
    )?;
    part(
        role,
        "console logs",
        keep_console_logs_small(config.data_dir.clone()),
    );
    run(role, config, hosts, qemu, changed, PARALLEL).await
}

async fn run<D: Driver>(
    role: &Role,
    config: Config,
    hosts: Vec<HostName>,
    driver: D,
    changed: UnboundedReceiver<Place>,
    parallel: usize,
) -> anyhow::Result<()> {
    let journal = Journal::open(config.data_dir.join("journal.db")).await?;
    let settings = Settings {
        url: config.broker.clone(),
        service: Service::Compute,
        instance: config.host.to_string(),
    };
    let bus = Bus::connect(settings, role.token());
    let seen = bus.clone();
    role.health().check("broker", move || {
        if seen.connected() {
            Ok(())
        } else {
            Err("there is no connection to the broker".to_owned())
        }
    });
    let relay = Relay::new(bus.clone(), Arc::new(journal.clone()));
    let pushing = relay.clone();
    let push = Box::new(move |events| pushing.push(events));
    let driver = Arc::new(driver);
    let agent = Agent::new(driver.clone(), journal.clone(), push, parallel);
    agent.begin().await?;

    let token = role.token();
    role.spawn("relay", async move {
        relay.run(token).await;
        Ok(())
    });
    part(role, "changes", hear(agent.clone(), changed));
    part(role, "journal", fail_with(agent.clone()));
    part(
        role,
        "inventory",
        inventory(agent.clone(), bus.clone(), hosts.clone()),
    );
    part(
        role,
        "console calls",
        serve_console(agent.clone(), bus.clone(), hosts.clone()),
    );
    part(
        role,
        "beats",
        beat(driver, bus.clone(), hosts, config.zone, journal.epoch()),
    );
    part(role, "commands", consume(agent, bus, journal, config.host));
    Ok(())
}

/// Runs a part that has no end of its own until the process is to end. Work is dropped where it stands:
/// the next worker resumes it from the journal, as it would after a crash.
fn part<F>(role: &Role, name: &'static str, work: F)
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let token = role.token();
    role.spawn(name, async move {
        tokio::select! {
            ended = work => ended,
            () = token.cancelled() => Ok(()),
        }
    });
}

/// Makes each command durable, then lets the broker forget it, then works on it.
async fn consume<D: Driver>(
    agent: Agent<D>,
    bus: Bus,
    journal: Journal,
    name: HostName,
) -> anyhow::Result<()> {
    let handler = |delivery: Delivery| {
        let (agent, journal) = (agent.clone(), journal.clone());
        async move {
            let (place, wish) = match agent::read(&delivery) {
                Ok(read) => read,
                Err(error) => return Verdict::Reject(error.to_string()),
            };
            match journal.accept(&delivery).await {
                Ok(Accepted::New) => {
                    metrics::counter!("skybus_compute_commands_total").increment(1);
                    agent.wish(place, wish);
                    Verdict::Ack
                }
                Ok(Accepted::Known) => Verdict::Ack,
                Err(error) => {
                    tracing::error!(%error, "a command could not be written to the journal");
                    Verdict::Retry
                }
            }
        }
    };
    Ok(bus
        .consume(Subscription::commands(Service::Compute, &name), handler)
        .await?)
}

async fn serve_console<D: Driver>(
    agent: Agent<D>,
    bus: Bus,
    hosts: Vec<HostName>,
) -> anyhow::Result<()> {
    let handler = |host: HostName, tail: ConsoleTail| {
        let agent = agent.clone();
        async move { agent.console(host, tail).await }
    };
    Ok(bus.serve(&hosts, handler).await?)
}

async fn hear<D: Driver>(
    agent: Agent<D>,
    mut changed: UnboundedReceiver<Place>,
) -> anyhow::Result<()> {
    while let Some(place) = changed.recv().await {
        agent.look(place);
    }
    Ok(())
}

/// Without its journal the worker can promise nothing: it ends, to be started afresh.
async fn fail_with<D: Driver>(agent: Agent<D>) -> anyhow::Result<()> {
    match agent.failed().await {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Reports everything at the start, after each new connection, and once a minute.
async fn inventory<D: Driver>(
    agent: Agent<D>,
    bus: Bus,
    hosts: Vec<HostName>,
) -> anyhow::Result<()> {
    let mut connections = bus.on_reconnect();
    let mut tick = interval(INVENTORY_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => agent.look_at_all().await?,
            changed = connections.changed() => changed?,
        }
        if !bus.connected() {
            continue;
        }
        let inventories = agent.inventories(&hosts).await?;
        let results = bus.send(&inventories).await;
        if let Some(Err(error)) = results.into_iter().find(Result::is_err) {
            tracing::warn!(%error, "an inventory did not arrive; the next one will say it again");
        }
    }
}

async fn beat<D: Driver>(
    driver: Arc<D>,
    bus: Bus,
    hosts: Vec<HostName>,
    zone: String,
    epoch: i64,
) -> anyhow::Result<()> {
    // One that leaves before there is a connection is lost, and the next is seconds away.
    bus.wait_connected().await;
    let mut connections = bus.on_reconnect();
    let mut seq = 0;
    loop {
        seq += 1;
        for host in &hosts {
            let beat = HostBeat {
                host: host.clone(),
                service: Service::Compute.to_string(),
                zone: zone.clone(),
                order: Order { epoch, seq },
                at: Timestamp::now(),
                capacity: driver.capacity(host),
                free: driver.free(host),
                hypervisor: driver.hypervisor().to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                carries: Carries::default(),
            };
            bus.beat(&beat).await;
        }
        // At once when the broker is back: somebody may be waiting to know who is alive.
        tokio::select! {
            () = tokio::time::sleep(pause_after(seq)) => {}
            changed = connections.changed() => changed?,
        }
    }
}

/// Keeps guests that write without end from filling the disk.
async fn keep_console_logs_small(data_dir: PathBuf) -> anyhow::Result<()> {
    let mut tick = interval(INVENTORY_EVERY);
    loop {
        tick.tick().await;
        let Ok(entries) = std::fs::read_dir(files::servers(&data_dir)) else {
            continue;
        };
        for entry in entries.flatten() {
            let log = entry.path().join("console.log");
            if log.exists()
                && let Err(error) = console::trim(&log)
            {
                tracing::warn!(log = %log.display(), %error, "a console log cannot be trimmed");
            }
        }
    }
}
