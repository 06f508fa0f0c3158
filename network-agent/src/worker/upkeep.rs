//! What the worker does without being asked: it brings back what died, repairs what drifted, removes
//! what nobody knows of, and reports what is there.

use std::collections::BTreeSet;

use skybus_model::{HostName, id::NetworkId, segment::SegmentKind, server::spec};

use super::Worker;
use crate::{
    metadata::Proxy,
    record::{NetworkRecord, Records},
};

impl Worker {
    /// Every network of every host that this process speaks for.
    fn places(&self) -> Vec<(HostName, NetworkId)> {
        let of = |(host, records): (&HostName, &Records)| {
            let host = host.clone();
            records
                .networks
                .keys()
                .map(move |network| (host.clone(), *network))
                .collect::<Vec<_>>()
        };
        self.records.iter().flat_map(of).collect()
    }

    /// Brings a network where its records want it, whatever happened to it.
    pub(super) async fn repair(
        &mut self,
        host: &HostName,
        network: NetworkId,
        doomed: &BTreeSet<String>,
    ) {
        let Some(records) = self.records.get(host).cloned() else {
            return;
        };
        if let Err(error) = self.bring(host, network, &records, doomed).await {
            tracing::warn!(%host, %network, "{error}");
        }
    }

    /// What may die by itself is brought back: a dnsmasq, a listener. What may grow is cut.
    pub(super) async fn look_after(&mut self) {
        for (host, network) in self.places() {
            let namespace = spec::namespace(network);
            if let Err(error) = self.driver.shorten_log(&namespace) {
                tracing::warn!(%network, "the log of its DHCP cannot be emptied: {error}");
            }
            let listens =
                self.upstream.is_none() || self.proxies.get(&network).is_some_and(Proxy::listens);
            if listens && self.driver.serves_dhcp(&namespace) {
                continue;
            }
            tracing::warn!(%network, "its DHCP or metadata died; it is brought back");
            metrics::counter!("skybus_network_revivals_total").increment(1);
            self.repair(&host, network, &BTreeSet::new()).await;
        }
    }

    /// Compares everything with the host, repairs what drifted, and reports what is there.
    pub(super) async fn reconcile(&mut self) -> anyhow::Result<()> {
        let doomed = self.strays().await;
        self.compare(&doomed).await;
        self.announce();
        self.inventory().await
    }

    /// Compares everything with the host and repairs what drifted.
    pub(super) async fn compare(&mut self, doomed: &BTreeSet<String>) {
        // After a reboot all is made anew: who may send into a tunnel is settled before the tunnel is there.
        let is_tunnel = |record: &NetworkRecord| record.spec.segment.kind() == SegmentKind::Vxlan;
        let mut records = self.records.values();
        if records.any(|records| records.networks.values().any(is_tunnel)) {
            self.repair_host().await;
        }
        for (host, network) in self.places() {
            self.repair(&host, network, doomed).await;
        }
        self.repair_host().await;
    }

    /// Brings the hosts' own parts where their networks want them; all of these are in trouble without.
    pub(super) async fn repair_host(&mut self) {
        for (host, records) in self.records.clone() {
            let all = records.desired();
            let outcome = self
                .on_host(move |driver, changes| {
                    driver.converge_host(&all, &BTreeSet::new(), changes)
                })
                .await;
            match outcome {
                Ok((reached, changes)) => {
                    if !changes.is_empty() {
                        tracing::info!(%host, "its own part: {}", changes.join("; "));
                    }
                    self.floating.host_is(reached);
                }
                Err(error) => {
                    tracing::warn!(%host, "{error}");
                    let troubled = records.networks.into_keys();
                    self.troubles.send_modify(|troubles| {
                        troubles.extend(troubled.map(|network| (network, error.to_string())));
                    });
                }
            }
        }
        self.announce();
    }

    /// Removes networks that nobody has claimed for long enough; gives back taps of the same kind.
    async fn strays(&mut self) -> BTreeSet<String> {
        let made = match self.on_host(|driver, _| driver.made()).await {
            Ok((made, _)) => made,
            Err(error) => {
                tracing::warn!("the host cannot be searched for left-overs: {error}");
                return BTreeSet::new();
            }
        };
        let due = self.orphans.due(&made, &self.records);
        for namespace in due.namespaces {
            tracing::warn!(
                namespace,
                "nobody knows of this network any more; it is removed"
            );
            let removed = self
                .on_host(move |driver, changes| driver.remove(&namespace, changes))
                .await;
            if let Err(error) = removed {
                tracing::warn!("{error}");
            }
        }
        due.taps
    }

    /// Reports all ports, if anybody can hear it. Ports of a network in trouble are left out, so that
    /// the control plane asks for them again and hears why.
    pub(super) async fn inventory(&self) -> anyhow::Result<()> {
        if self.bus.connected() {
            let troubles = self.troubles.borrow().clone();
            self.reporter.inventories(&self.records, &troubles).await?;
        }
        Ok(())
    }
}
