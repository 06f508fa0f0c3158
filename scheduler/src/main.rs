//! `skybus-scheduler --config FILE`: starts the parts and waits for the end.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use skybus_bus::{Bus, Settings, Subscription, relay::Relay};
use skybus_model::{HostName, message::Service};
use skybus_role::{Role, config, log};
use skybus_scheduler::{
    config::Config,
    fleet::Fleet,
    place::Placer,
    registry::{self, Registry},
};
use skybus_store::{Store, signed_path::PathKey};
use tokio_util::sync::CancellationToken;

/// How often it is seen whether beats can be heard; far less than the silence that means something.
const EARS_EVERY: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let (file, _) = config::from_arguments("skybus-scheduler")?;
    let config: Config = config::load(&file)?;
    log::start("scheduler", &config.log);
    let role = Role::start("scheduler", config.health).await?;
    let started = start(&role, &config).await;
    if started.is_err() {
        role.token().cancel();
    }
    started?;
    role.wait().await
}

async fn start(role: &Role, config: &Config) -> anyhow::Result<()> {
    let key = PathKey::from_hex(&config.url_secret)
        .context("url_secret must be at least 64 hexadecimal digits")?;
    let store = Store::open(&config.database)
        .await
        .context("the database cannot be opened")?;
    wait_migrated(&store, &role.token()).await?;
    let fleet = Arc::new(Fleet::default());
    registry::refresh(&store, &fleet).await?;
    // Two machines give the same number to their processes.
    let host = config.host();
    let process = format!("scheduler-{host}-{}", std::process::id());
    let settings = Settings {
        url: config.broker.clone(),
        service: Service::Scheduler,
        instance: process.clone(),
    };
    let bus = Bus::connect(settings, role.token());
    let relay = Relay::new(bus.clone(), Arc::new(store.clone()));
    let placer = Placer {
        store: store.clone(),
        fleet: fleet.clone(),
        relay: relay.clone(),
        key,
        ratios: config.ratios()?,
        placement: config.placement,
    };
    let connected = bus.clone();
    role.health().check("broker", move || {
        connected
            .trouble()
            .map_or(Ok(()), |trouble| Err(trouble.to_owned()))
    });
    spawn(role, &bus, placer, (store, fleet, relay), (process, host));
    Ok(())
}

fn spawn(
    role: &Role,
    bus: &Bus,
    placer: Placer,
    (store, fleet, relay): (Store, Arc<Fleet>, Relay<Store>),
    (process, host): (String, HostName),
) {
    let token = role.token();
    let end = token.clone();
    role.spawn("relay", async move {
        relay.run(end).await;
        Ok(())
    });
    let registry = Arc::new(Registry::default());
    let (keeper, kept, end) = (registry.clone(), store.clone(), token.clone());
    let (known, ears) = (fleet.clone(), bus.clone());
    role.spawn("registry", async move {
        keeper.keep((&kept, &known, &ears), host, end).await
    });
    let (known, ears, end) = (fleet.clone(), bus.clone(), token.clone());
    role.spawn("ears", async move {
        loop {
            known.listen(ears.well_since());
            tokio::select! {
                () = end.cancelled() => return Ok(()),
                () = tokio::time::sleep(EARS_EVERY) => {}
            }
        }
    });
    role.spawn(
        "fleet",
        registry::follow(store, fleet.clone(), token.clone()),
    );
    let (beats, end) = (bus.clone(), token.clone());
    role.spawn("heartbeats", async move {
        let hear = move |delivery| {
            let verdict = registry.hear(&fleet, &delivery);
            async move { verdict }
        };
        until(&end, beats.consume(Subscription::beats(&process), hear)).await
    });
    let bus = bus.clone();
    role.spawn("placing", async move {
        let handle = move |delivery| {
            let placer = placer.clone();
            async move { placer.handle(delivery).await }
        };
        until(&token, bus.consume(Subscription::scheduler(), handle)).await
    });
}

/// A consumer runs until the process should end; whatever else ends it is a failure.
async fn until<E: std::error::Error + Send + Sync + 'static>(
    token: &CancellationToken,
    work: impl Future<Output = Result<(), E>>,
) -> anyhow::Result<()> {
    tokio::select! {
        () = token.cancelled() => Ok(()),
        done = work => Ok(done?),
    }
}

async fn wait_migrated(store: &Store, token: &CancellationToken) -> anyhow::Result<()> {
    while !store.is_migrated().await {
        tracing::info!("waits for an API server to bring the database's tables up to date");
        tokio::select! {
            () = token.cancelled() => bail!("asked to end before the database was ready"),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
    Ok(())
}
