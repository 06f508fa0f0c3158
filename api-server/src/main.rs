//! `skybus-api --config FILE`: the API server's process.
//!
//! Its parts, in the order in which they start: database (brought up to date here), token keys, bus,
//! the first users, the engine, the port. `skybus-api --config FILE rotate-keys` makes a new token key and
//! ends; running servers notice it within a minute.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use skybus_api::{
    app::{App, Parts},
    config::Config,
    engine::Engine,
    http::router,
    identity::{Keys, Logins, bootstrap},
    image, network,
    operator::{
        events::{self, Feed},
        hosts::{self, Attempts},
    },
};
use skybus_bus::{Bus, Settings, headless, relay::Relay};
use skybus_model::{HostName, message::Service};
use skybus_role::Role;
use skybus_store::{Store, machines, signed_path::PathKey};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often the token keys are read again and the database is asked whether it is there.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How long requests may take to finish when the process ends.
const GRACE: Duration = Duration::from_secs(8);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (file, words) = skybus_role::config::from_arguments("skybus-api")?;
    let config: Config = skybus_role::config::load(&file)?;
    let keys = config.data_dir.join("token-keys");
    match words
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => {}
        ["rotate-keys"] => {
            Keys::open(&keys)?.rotate()?;
            return Ok(());
        }
        other => bail!("unknown words {other:?}; the one that is known is rotate-keys"),
    }
    skybus_role::log::start("api", &config.log);
    let role = Role::start("api", config.health).await?;
    if let Err(error) = start(&role, config, &keys).await {
        role.token().cancel();
        // The other parts end in order; why the process ends is this.
        let _ = role.wait().await;
        return Err(error);
    }
    role.wait().await
}

async fn start(role: &Role, config: Config, keys: &std::path::Path) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "the APIs cannot listen on {}; is the port taken?",
            config.listen
        )
    })?;
    let store = Store::open(&config.database)
        .await
        .context("the database cannot be opened")?;
    store.migrate().await?;
    let bus = Bus::connect(
        Settings {
            url: config.broker.clone(),
            service: Service::Api,
            instance: instance(&config),
        },
        role.token(),
    );
    let relay = Relay::new(bus.clone(), Arc::new(store.clone()));
    let app = App::new(Parts {
        feed: Feed::new(store.clone(), events::Pace::default()),
        store,
        bus: bus.clone(),
        relay: relay.clone(),
        keys: Keys::open(keys)?,
        paths: PathKey::from_hex(&config.url_secret)
            .context("url_secret must be 64 hexadecimal digits")?,
        logins: Logins::new(std::thread::available_parallelism().map_or(1, usize::from)),
        attempts: Attempts::default(),
        tasks: TaskTracker::new(),
        config,
    });
    bootstrap::ensure(&app).await?;
    network::bootstrap::ensure(&app).await?;
    note_first(&app).await?;
    role.health().check("broker", move || match bus.trouble() {
        None => Ok(()),
        Some(trouble) => Err(format!(
            "{trouble}; requests are taken and wait in the outbox"
        )),
    });
    let engine = Engine {
        store: app.store.clone(),
        bus: app.bus.clone(),
        relay,
        key: app.paths.clone(),
        who: format!("api@{}", instance(&app.config)),
    };
    engine.start(role);
    let (found, database) = watch::channel(Ok(()));
    role.health()
        .check("database", move || database.borrow().clone());
    role.spawn("lookout", look(app.clone(), found, role.token()));
    role.spawn("image sweep", image::sweep::run(app.clone(), role.token()));
    let (feed, token) = (app.feed.clone(), role.token());
    role.spawn("event feed", async move {
        feed.run(token).await;
        Ok(())
    });
    if let Some(management) = app.config.management()? {
        let (token, ledger) = (role.token(), engine.clone());
        role.spawn("headless queues", async move {
            headless::mend(&management, &ledger, token).await;
            Ok(())
        });
        role.spawn("hosts", hosts::sweep::run(app.clone(), role.token()));
    }
    role.spawn("event sweep", events::sweep::run(app.clone(), role.token()));
    role.spawn("apis", serve(app, listener, role.token()));
    Ok(())
}

/// This process's name on the bus: stable over restarts, its own on this machine.
fn instance(config: &Config) -> String {
    let host = config.host.clone().unwrap_or_else(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        HostName::from_machine(name.trim())
    });
    format!("{host}-{}", config.listen.port())
}

/// The machine on which the cloud was made is one of its machines.
async fn note_first(app: &App) -> anyhow::Result<()> {
    let Some(host) = app.config.host.as_ref().filter(|_| app.config.first) else {
        return Ok(());
    };
    let mut tx = app.store.begin().await?;
    machines::found(&mut tx, host).await?;
    tx.commit().await?;
    Ok(())
}

async fn serve(app: App, listener: TcpListener, token: CancellationToken) -> anyhow::Result<()> {
    let service = router::build(&app)
        .router
        .into_make_service_with_connect_info::<SocketAddr>();
    tracing::info!(address = %listener.local_addr()?, public = %app.config.public_url, "serves");
    let ending = token.clone();
    let server = axum::serve(listener, service)
        .with_graceful_shutdown(async move { ending.cancelled().await });
    let late = async {
        token.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        done = server.into_future() => done?,
        // A connection that never ends must not hold the process.
        () = late => tracing::warn!("some requests did not finish within {GRACE:?}"),
    }
    app.tasks.close();
    app.tasks.wait().await;
    Ok(())
}

/// Looks now and then at what may have changed under this process.
async fn look(
    app: App,
    database: watch::Sender<Result<(), String>>,
    token: CancellationToken,
) -> anyhow::Result<()> {
    let mut turns = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            _ = turns.tick() => {}
        }
        if let Err(error) = app.keys.reload() {
            tracing::warn!("the token keys could not be read again: {error}");
        }
        let answer = skybus_store::outbox::waiting(&app.store).await;
        if let Ok((waiting, _)) = &answer {
            #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
            metrics::gauge!("skybus_outbox_waiting").set(*waiting as f64);
        }
        let state = answer
            .map(|_| ())
            .map_err(|error| format!("the database: {error}"));
        let _earlier = database.send_replace(state);
    }
}
