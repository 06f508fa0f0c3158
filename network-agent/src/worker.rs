//! The one task that changes the host: it takes commands from the journal, brings the host where the
//! records want it, writes down what came of it, and looks after what it made.
//!
//! Commands that wait are taken together by network, so that a hundred ports cost one filter and one
//! word to dnsmasq, not a hundred.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use skybus_bus::{
    Bus,
    journal::{Journal, Work},
    relay::Relay,
};
use skybus_fault::{self as fault, Point};
use skybus_model::{HostName, id::NetworkId, server::spec};
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

mod commands;
mod floating;
mod upkeep;

pub use commands::in_work;
use commands::read;
pub(crate) use floating::Floating;

use crate::{
    changes::Changes,
    decision::{self, Decision, Wish},
    driver::Driver,
    failure::Error,
    metadata::{Proxy, Upstream},
    orphans::Orphans,
    record::{NetworkRecord, Records},
    report::{self, Reporter},
};

/// How often everything is compared with the host.
const COMPARE: Duration = Duration::from_secs(20);
/// Every how many comparisons left-overs are looked for, and all is reported.
const REPORT: u32 = 3;
/// How often what may die by itself is looked at, and failed removals are tried again.
const WATCH: Duration = Duration::from_secs(2);

/// What the worker works with.
pub struct Worker {
    pub(crate) journal: Journal,
    pub(crate) driver: Arc<Driver>,
    pub(crate) bus: Bus,
    pub(crate) reporter: Reporter,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) records: BTreeMap<HostName, Records>,
    pub(crate) proxies: BTreeMap<NetworkId, Proxy>,
    pub(crate) orphans: Orphans,
    pub(crate) troubles: watch::Sender<BTreeMap<NetworkId, String>>,
    pub(crate) floating: Floating,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}

/// The commands for one network of one host, oldest first.
type Batch = Vec<(Work, Wish)>;

/// A network that was brought to where its records want it.
struct Brought {
    changes: Vec<String>,
    /// Why it is cut off from other hosts, if it is; all else is done.
    cut_off: Option<Error>,
}

impl Worker {
    /// Works until `token` is cancelled.
    ///
    /// # Errors
    /// When the journal cannot be read or written: without it nothing may be done.
    pub async fn run(mut self, wake: Arc<Notify>, token: CancellationToken) -> anyhow::Result<()> {
        fault::hit(Point::NetworkStarting, "");
        let mut reconnected = self.bus.on_reconnect();
        self.doubt().await;
        self.work().await?;
        self.reconcile().await?;
        let mut compare = interval(COMPARE);
        let mut watch = interval(WATCH);
        let mut comparisons = 0_u32;
        for timer in [&mut compare, &mut watch] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer.tick().await;
        }
        loop {
            tokio::select! {
                () = token.cancelled() => return Ok(()),
                () = wake.notified() => self.work().await?,
                _ = watch.tick() => {
                    self.work().await?;
                    self.look_after().await;
                    self.believe().await;
                }
                _ = compare.tick() => {
                    comparisons = comparisons.wrapping_add(1);
                    if comparisons.is_multiple_of(REPORT) {
                        self.reconcile().await?;
                    } else {
                        self.compare(&BTreeSet::new()).await;
                    }
                }
                Ok(()) = reconnected.changed() => self.inventory().await?,
            }
        }
    }

    /// Takes all commands that wait.
    async fn work(&mut self) -> anyhow::Result<()> {
        let mut batches: BTreeMap<(HostName, NetworkId), Batch> = BTreeMap::new();
        for work in self.journal.unfinished().await? {
            match read(&work) {
                Some((host, network, wish)) => {
                    batches
                        .entry((host, network))
                        .or_default()
                        .push((work, wish));
                }
                // It was readable when it was accepted; an older program cannot do more than let it go.
                None => {
                    tracing::error!(id = %work.id, kind = work.kind, "an accepted command is unreadable");
                    self.reporter.finish(work.id).await?;
                }
            }
        }
        if !batches.is_empty() {
            self.orphans.heard();
        }
        for ((host, network), batch) in batches {
            self.batch(&host, network, &batch).await?;
        }
        Ok(())
    }

    async fn batch(
        &mut self,
        host: &HostName,
        network: NetworkId,
        batch: &Batch,
    ) -> anyhow::Result<()> {
        let Some(records) = self.records.get(host) else {
            tracing::warn!(%host, "a command for a host that this process does not play any more");
            return Ok(());
        };
        let wishes: Vec<Wish> = batch.iter().map(|(_, wish)| wish.clone()).collect();
        let known = records.networks.contains_key(&network);
        let mut decision = decision::decide(records, &wishes);
        let begun = std::time::Instant::now();
        let (after, outcome) = match self.prepared(host, network, &decision).await {
            Ok(mut after) => {
                if let Some(doubt) = &mut after.doubt {
                    doubt.told.extend(self.floating.told(batch));
                }
                let outcome = self.bring(host, network, &after, &decision.doomed).await;
                (after, outcome)
            }
            Err(error) => (records.clone(), Err(error)),
        };
        metrics::histogram!("skybus_network_converge_seconds").record(begun.elapsed());
        // Who was never a part of the network stays out of it; who is one serves it here at least.
        let outcome = outcome.and_then(|brought| match brought.cut_off {
            Some(why) if !known => Err(why),
            _ => Ok(brought),
        });
        match outcome {
            Ok(brought) => {
                if let Some(why) = &brought.cut_off {
                    decision.cut_off(&report::not_ready(host, why));
                }
                // Before it is written down, so that it is done again if this is the end of the worker.
                self.follow(host, network, &after).await;
                self.reporter
                    .done(host, network, &decision, &after, batch, &brought.changes)
                    .await?;
                self.records.insert(host.clone(), after);
                self.announce();
            }
            Err(error) => {
                tracing::warn!(%host, %network, "{error}");
                self.clear_away(host, network, &wishes).await;
                let after = self.give_up(host, network, &decision).await;
                self.reporter
                    .failed(host, &decision, &after, batch, &error)
                    .await?;
                for (id, port) in after {
                    if let Some(records) = self.records.get_mut(host) {
                        records.ports.insert(id, port);
                    }
                }
                self.announce();
            }
        }
        Ok(())
    }

    /// Half of a network that was never there before is of no use to anybody.
    async fn clear_away(&mut self, host: &HostName, network: NetworkId, wishes: &[Wish]) {
        if self
            .records
            .get(host)
            .is_some_and(|records| records.networks.contains_key(&network))
        {
            return;
        }
        self.proxies.remove(&network);
        let namespace = spec::namespace(network);
        let taps: BTreeSet<String> = wishes.iter().map(|wish| spec::tap(wish.port())).collect();
        match self
            .on_host(move |driver, changes| driver.withdraw(&namespace, &taps, changes))
            .await
        {
            Ok(_) => self
                .troubles
                .send_modify(|troubles| drop(troubles.remove(&network))),
            Err(error) => tracing::warn!(%host, %network, "clearing away: {error}"),
        }
    }

    /// The records as the decision wants them, with a transit for a network that is new.
    async fn prepared(
        &self,
        host: &HostName,
        network: NetworkId,
        decision: &Decision,
    ) -> Result<Records, Error> {
        let mut after = self.records.get(host).cloned().unwrap_or_default();
        for (id, port) in &decision.ports {
            match port {
                Some(port) => drop(after.ports.insert(*id, port.clone())),
                None => drop(after.ports.remove(id)),
            }
        }
        for id in decision.ports.keys() {
            after.gone.remove(id);
        }
        after.gone.extend(decision.gone.clone());
        if !after
            .ports
            .values()
            .any(|port| port.spec.network.id == network)
        {
            after.networks.remove(&network);
        } else if let Some(spec) = &decision.spec {
            let transit = match after.networks.get(&network) {
                Some(known) => known.transit,
                None => {
                    let held = after
                        .networks
                        .values()
                        .map(|record| record.transit)
                        .collect();
                    self.on_host(move |driver, _| driver.transit(network, Vec::as_slice(&held)))
                        .await?
                        .0
                }
            };
            after.networks.insert(
                network,
                NetworkRecord {
                    spec: spec.clone(),
                    transit,
                },
            );
        }
        Ok(after)
    }

    /// Brings one network of a host where `records` want it, and the host's own part when a network comes,
    /// goes or changes.
    async fn bring(
        &mut self,
        host: &HostName,
        network: NetworkId,
        records: &Records,
        doomed: &BTreeSet<String>,
    ) -> Result<Brought, Error> {
        let wanted = records
            .networks
            .get(&network)
            .and_then(|record| records.network(record));
        let (exists, doomed) = (wanted.is_some(), doomed.clone());
        let of_host = self.of_host(host, records);
        if !exists {
            self.proxies.remove(&network);
        }
        let outcome = self
            .on_host(move |driver, changes| {
                let fresh = match &wanted {
                    Some(wanted) => {
                        fault::hit(Point::NetworkBeforeConverge, "");
                        let fresh = driver.converge(wanted, &doomed, changes)?;
                        fault::hit(Point::NetworkAfterConverge, "");
                        fresh
                    }
                    None => {
                        fault::hit(Point::NetworkBeforeTeardown, "");
                        driver.withdraw(&spec::namespace(network), &doomed, changes)?;
                        fault::hit(Point::NetworkAfterTeardown, "");
                        false
                    }
                };
                let reached = match of_host {
                    Some((all, lost)) => Some(driver.converge_host(&all, &lost, changes)?),
                    None => None,
                };
                // What cannot be carried elsewhere is served here nevertheless.
                let plugged = match &wanted {
                    Some(wanted) => driver.plug(wanted, changes),
                    None => Ok(()),
                };
                fault::hit(Point::NetworkConverged, "");
                Ok((fresh, reached, plugged))
            })
            .await;
        let problem = match &outcome {
            Ok(((_, _, Err(why)), _)) | Err(why) => Some(why.to_string()),
            Ok(_) => None,
        };
        self.troubles.send_modify(|troubles| match problem {
            Some(problem) => drop(troubles.insert(network, problem)),
            None => drop(troubles.remove(&network)),
        });
        let ((fresh, reached, plugged), changes) = outcome?;
        if let Some(reached) = reached {
            self.floating.host_is(reached);
        }
        if !changes.is_empty() {
            tracing::info!(%host, %network, changes = changes.len(), "changed");
            tracing::debug!(%network, "{}", changes.join("; "));
        }
        if exists {
            self.listen(network, fresh).await?;
        }
        if let Err(why) = &plugged {
            tracing::warn!(%host, %network, "{why}");
        }
        let cut_off = plugged.err();
        Ok(Brought { changes, cut_off })
    }

    async fn listen(&mut self, network: NetworkId, fresh: bool) -> Result<(), Error> {
        let Some(upstream) = &self.upstream else {
            return Ok(());
        };
        // A listener of a namespace that is no more hears nobody.
        if !fresh && self.proxies.get(&network).is_some_and(Proxy::listens) {
            return Ok(());
        }
        self.proxies.remove(&network);
        let proxy = Proxy::start(network, upstream.clone()).await?;
        self.proxies.insert(network, proxy);
        Ok(())
    }

    /// Runs blocking work on the host; gives back its result and what it changed.
    async fn on_host<T, F>(&self, work: F) -> Result<(T, Vec<String>), Error>
    where
        T: Send + 'static,
        F: FnOnce(&Driver, &mut Changes) -> Result<T, Error> + Send + 'static,
    {
        let driver = Arc::clone(&self.driver);
        tokio::task::spawn_blocking(move || {
            let mut changes = Changes::real();
            let value = work(&driver, &mut changes)?;
            Ok((value, changes.list().to_vec()))
        })
        .await
        .map_err(|cut| Error::CutOff(cut.to_string()))?
    }
}

/// What gives events to the bus.
pub(crate) type Events = Relay<Journal>;
