//! The running worker: it hears commands, keeps them in the journal, lets the [worker](crate::worker)
//! work, and says every few seconds that it is alive.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::Context as _;
use skybus_bus::{
    Bus, Delivery, Settings, Subscription, Verdict,
    journal::{Accepted, Journal},
    relay::Relay,
};
use skybus_model::{
    HostName,
    message::{
        Message, Service,
        call::NetworkPlan,
        command::{PortEnsure, PortRemove},
    },
};
use skybus_role::Role;
use tokio::sync::{Notify, watch};

use crate::{
    announce, beat,
    config::{Config, DriverKind},
    driver::Driver,
    linux::Linux,
    metadata::Upstream,
    orphans::Orphans,
    plan,
    record::{self, Records},
    report::Reporter,
    worker::{Floating, Worker},
};

/// The driver that the configuration asks for.
#[must_use]
pub fn driver(config: &Config) -> Driver {
    match config.driver {
        DriverKind::Linux => {
            let linux = Linux::new(&config.cloud());
            let linux = linux.with_public(config.public_interface.as_deref());
            Driver::Linux(linux.with_wiring(config.wiring()))
        }
        DriverKind::Fake => Driver::Fake(config.wiring()),
    }
}

/// Starts all parts; they end with the role.
///
/// # Errors
/// When the journal or the API's address cannot be used.
pub async fn start(config: &Config, role: &Role) -> anyhow::Result<()> {
    let journal = Journal::open(config.journal())
        .await
        .with_context(|| format!("the journal in {}", config.data_dir.display()))?;
    record::forget(&journal).await?;
    let hosts = config.hosts();
    let records = record::load(&journal, &hosts).await?;
    let remembers = records.values().any(|host| *host != Records::default());
    let settings = Settings {
        url: config.broker.clone(),
        service: Service::Network,
        instance: config.host.to_string(),
    };
    let bus = Bus::connect(settings, role.token());
    let relay = Relay::new(bus.clone(), Arc::new(journal.clone()));
    let wake = Arc::new(Notify::new());
    let (troubles, trouble) = watch::channel(BTreeMap::new());
    let (outside, outside_troubles) = watch::channel(BTreeMap::new());
    let (here, announced) = watch::channel(BTreeSet::new());
    let waiting = journal.unfinished().await?;
    let upstream = match config.driver {
        DriverKind::Linux => Some(Upstream::new(&config.api_url, &config.metadata_secret)?),
        DriverKind::Fake => None,
    };
    let driver = Arc::new(driver(config));
    let worker = Worker {
        journal: journal.clone(),
        driver: Arc::clone(&driver),
        bus: bus.clone(),
        reporter: Reporter {
            journal: journal.clone(),
            events: relay.clone(),
        },
        upstream,
        records,
        proxies: BTreeMap::new(),
        orphans: Orphans::new(config.orphan_grace(), remembers),
        troubles,
        floating: Floating {
            here,
            troubles: outside.clone(),
            old: waiting.into_iter().map(|work| work.id).collect(),
            doubt: config.doubt(),
            until: None,
            left_out: BTreeSet::new(),
        },
    };

    let heard = bus.clone();
    role.health().check("broker", move || {
        if heard.connected() {
            Ok(())
        } else {
            Err("no connection to the broker".to_owned())
        }
    });
    role.health()
        .check("networks", move || match trouble.borrow().iter().next() {
            None => Ok(()),
            Some((network, why)) => Err(format!("network {network}: {why}")),
        });
    role.health().check("floating IPs", move || {
        let all = outside_troubles.borrow();
        let first = all.values().next();
        first.map_or(Ok(()), |why| Err(why.clone()))
    });
    if let (DriverKind::Linux, Some(public)) = (config.driver, config.public_interface.clone()) {
        let token = role.token();
        role.spawn("announcements", async move {
            announce::run(public, announced, outside, token).await;
            Ok(())
        });
    }
    let (token, wakes) = (role.token(), Arc::clone(&wake));
    role.spawn("worker", async move { worker.run(wakes, token).await });
    let token = role.token();
    role.spawn("relay", async move {
        relay.run(token).await;
        Ok(())
    });
    explain(config, role, &hosts, &bus, &journal);
    beat::start(config, role, &hosts, &bus, journal.epoch(), driver);
    hear(config, role, hosts, bus, journal, wake);
    Ok(())
}

fn hear(
    config: &Config,
    role: &Role,
    hosts: Vec<HostName>,
    bus: Bus,
    journal: Journal,
    wake: Arc<Notify>,
) {
    let subscription = Subscription::commands(Service::Network, &config.host);
    let token = role.token();
    role.spawn("commands", async move {
        let handler = |delivery: Delivery| {
            let (journal, wake, hosts) = (&journal, &wake, &hosts);
            async move { accept(journal, wake, hosts, &delivery).await }
        };
        tokio::select! {
            ended = bus.consume(subscription, handler) => Ok(ended?),
            () = token.cancelled() => Ok(()),
        }
    });
}

/// Tells operators who ask what would be changed here.
fn explain(config: &Config, role: &Role, hosts: &[HostName], bus: &Bus, journal: &Journal) {
    let (config, hosts, bus, journal, token) = (
        config.clone(),
        hosts.to_vec(),
        bus.clone(),
        journal.clone(),
        role.token(),
    );
    role.spawn("plans", async move {
        let handler = |host: HostName, NetworkPlan {}| plan::answer(&config, &journal, host);
        tokio::select! {
            ended = bus.serve(&hosts, handler) => Ok(ended?),
            () = token.cancelled() => Ok(()),
        }
    });
}

/// A command is acknowledged once it is in the journal; what can never be done is refused at once.
async fn accept(
    journal: &Journal,
    wake: &Notify,
    hosts: &[HostName],
    delivery: &Delivery,
) -> Verdict {
    if !hosts
        .iter()
        .any(|host| Some(host.as_str()) == delivery.host())
    {
        return Verdict::Reject(format!("{} is not for this worker", delivery.routing_key));
    }
    let readable = match delivery.name() {
        PortEnsure::NAME => delivery.decode::<PortEnsure>().map(drop),
        PortRemove::NAME => delivery.decode::<PortRemove>().map(drop),
        other => return Verdict::Reject(format!("a network worker does not do {other:?}")),
    };
    if let Err(error) = readable {
        return error.into();
    }
    match journal.accept(delivery).await {
        Ok(Accepted::New) => {
            wake.notify_one();
            Verdict::Ack
        }
        Ok(Accepted::Known) => Verdict::Ack,
        Err(error) => {
            tracing::error!("a command could not be kept: {error}");
            Verdict::Retry
        }
    }
}
