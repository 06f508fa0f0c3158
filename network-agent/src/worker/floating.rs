//! Floating IPs: who has which, what must follow when one goes or moves, and what is not believed after a
//! start until the control plane has spoken.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use skybus_bus::journal::Work;
use skybus_model::{
    HostName,
    id::{MessageId, NetworkId, PortId},
    server::spec,
};
use tokio::sync::watch;

use super::{Batch, Worker};
use crate::{
    decision::Decision,
    desired::Network,
    outside::Reached,
    record::{Doubt, PortRecord, Records},
};

/// What the worker keeps about floating IPs beside its records.
#[derive(Debug)]
pub(crate) struct Floating {
    /// Those that are here, for the one who announces them.
    pub(crate) here: watch::Sender<BTreeSet<Ipv4Addr>>,
    /// What keeps them from being reached.
    pub(crate) troubles: watch::Sender<BTreeMap<String, String>>,
    /// Commands that waited already when the worker started: what they say is as old as the records.
    pub(crate) old: BTreeSet<MessageId>,
    /// How long records are doubted.
    pub(crate) doubt: Duration,
    /// Until when they are, if they are.
    pub(crate) until: Option<Instant>,
    /// Those that are something else to the host, and so not announced.
    pub(crate) left_out: BTreeSet<Ipv4Addr>,
}

/// The key of the host's own troubles among those of single addresses.
const HOST: &str = "host";

impl Floating {
    /// The host's floating IPs fare like this.
    pub(super) fn host_is(&mut self, reached: Reached) {
        let Reached { troubles, left_out } = reached;
        self.left_out = left_out;
        self.troubles.send_if_modified(|all| {
            let now = (!troubles.is_empty()).then(|| troubles.join("; "));
            if all.get(HOST) == now.as_ref() {
                return false;
            }
            match now {
                Some(why) => {
                    tracing::warn!("{why}");
                    all.insert(HOST.to_owned(), why);
                }
                None => drop(all.remove(HOST)),
            }
            true
        });
    }

    /// The ports of which the control plane speaks in this batch.
    pub(super) fn told<'a>(&'a self, batch: &'a Batch) -> impl Iterator<Item = PortId> + 'a {
        let fresh = |work: &Work| !self.old.contains(&work.id);
        batch
            .iter()
            .filter(move |(work, _)| fresh(work))
            .map(|(_, wish)| wish.port())
    }
}

impl Worker {
    /// What the host's own part needs when it is to follow a change of the records, if it is: the networks, and
    /// the floating IPs that are nobody's any more.
    pub(super) fn of_host(
        &self,
        host: &HostName,
        after: &Records,
    ) -> Option<(Vec<Network>, BTreeSet<Ipv4Addr>)> {
        let Some(before) = self.records.get(host) else {
            return Some((after.desired(), BTreeSet::new()));
        };
        let same = before.networks == after.networks && before.floating() == after.floating();
        let lost = || before.lost(after).into_keys().collect();
        (!same).then(|| (after.desired(), lost()))
    }

    /// Begins to doubt what the records say of floating IPs, but for those that are served at this moment.
    pub(super) async fn doubt(&mut self) {
        let served = match self.on_host(|driver, _| driver.served()).await {
            Ok((Some(served), _)) => served,
            Ok((None, _)) => return,
            Err(error) => {
                tracing::warn!("which floating IPs are served cannot be seen: {error}");
                BTreeSet::new()
            }
        };
        self.floating.until = Some(Instant::now() + self.floating.doubt);
        for records in self.records.values_mut() {
            records.doubt = Some(Doubt {
                served: served.clone(),
                told: BTreeSet::new(),
            });
        }
    }

    /// Ends the doubt when its time has come: who could have said otherwise has not.
    pub(super) async fn believe(&mut self) {
        if self
            .floating
            .until
            .is_none_or(|until| Instant::now() < until)
        {
            return;
        }
        self.floating.until = None;
        let hosts: Vec<HostName> = self.records.keys().cloned().collect();
        for host in hosts {
            let Some(before) = self.records.get_mut(&host) else {
                continue;
            };
            let after = Records {
                doubt: None,
                ..before.clone()
            };
            let doubted = std::mem::replace(before, after.clone());
            for network in differing(&doubted, &after) {
                self.repair(&host, network, &BTreeSet::new()).await;
            }
        }
        self.repair_host().await;
        self.announce();
    }

    /// What a change of floating IPs means beside the network whose commands were carried out: another
    /// network may have lost one, and connections through one that is gone, or another's, end.
    pub(super) async fn follow(&mut self, host: &HostName, network: NetworkId, after: &Records) {
        let Some(before) = self.records.get(host).cloned() else {
            return;
        };
        for other in differing(&before, after) {
            if other != network
                && let Err(error) = self.bring(host, other, after, &BTreeSet::new()).await
            {
                tracing::warn!(%host, network = %other, "{error}");
            }
        }
        for (ip, port) in before.lost(after) {
            let Some(record) = before.ports.get(&port) else {
                continue;
            };
            let namespace = spec::namespace(record.spec.network.id);
            let ended = self
                .on_host(move |driver, changes| driver.end_connections(&namespace, ip, changes))
                .await;
            if let Err(error) = ended {
                tracing::warn!(%host, %ip, "its connections go on: {error}");
            }
        }
    }

    /// What the host could not do leaves at least no floating IP where it is not any more: it goes from the
    /// host's own part, and from the records of the ports that had it, which are given back.
    pub(super) async fn give_up(
        &mut self,
        host: &HostName,
        network: NetworkId,
        decision: &Decision,
    ) -> BTreeMap<PortId, PortRecord> {
        let Some(before) = self.records.get(host) else {
            return BTreeMap::new();
        };
        let ports = decision.without_lost(before);
        if ports.is_empty() {
            return ports;
        }
        let mut after = before.clone();
        after.ports.extend(ports.clone());
        if let Some((all, lost)) = self.of_host(host, &after) {
            let done = self
                .on_host(move |driver, changes| driver.converge_host(&all, &lost, changes))
                .await;
            match done {
                Ok((reached, _)) => self.floating.host_is(reached),
                Err(error) => tracing::warn!(%host, %network, "{error}"),
            }
        }
        self.follow(host, network, &after).await;
        ports
    }

    /// Tells the one who announces floating IPs which are here.
    pub(super) fn announce(&self) {
        let all: BTreeSet<Ipv4Addr> = self
            .records
            .values()
            .flat_map(|records| records.floating().into_keys())
            .filter(|ip| !self.floating.left_out.contains(ip))
            .collect();
        self.floating.here.send_if_modified(|here| {
            let changed = *here != all;
            *here = all;
            changed
        });
    }
}

/// The networks whose ports have other floating IPs after than before.
fn differing(before: &Records, after: &Records) -> BTreeSet<NetworkId> {
    let (was, is) = (before.floating(), after.floating());
    let of = |records: &Records, port: &PortId| {
        let port = records.ports.get(port)?;
        Some(port.spec.network.id)
    };
    let lost = was.iter().filter(|(ip, port)| is.get(ip) != Some(port));
    let got = is.iter().filter(|(ip, port)| was.get(ip) != Some(port));
    lost.filter_map(|(_, port)| of(before, port))
        .chain(got.filter_map(|(_, port)| of(after, port)))
        .filter(|network| after.networks.contains_key(network))
        .collect()
}
