//! What the worker remembers in its journal, for each host that it speaks for.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use skybus_bus::journal::{Error, Journal};
use skybus_model::{
    Generation, HostName, Timestamp,
    id::{NetworkId, PortId},
    network::{NetworkSpec, PortSpec},
};

use crate::{
    desired::{Network, Port},
    transit::Transit,
};

/// The journal's tables.
pub const PORTS: &str = "ports";
/// Ports that were removed; see [`Gone`].
pub const GONE: &str = "gone";
/// Networks with at least one port here.
pub const NETWORKS: &str = "networks";

/// A port that this host has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRecord {
    /// The generation of the last command that was applied.
    pub generation: Generation,
    /// What it said.
    pub spec: PortSpec,
    /// How late it got its floating IPs, counted among the ports of its host. An address that moves from one
    /// to another may be both's for a moment; then it is the later one's.
    #[serde(default)]
    pub claim: u64,
}

/// A port that this host had. Remembered so that an older wish, arriving late, does not bring it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// The generation of the command that removed it.
    pub generation: Generation,
    /// When.
    pub at: Timestamp,
}

/// A network with at least one port here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// What the control plane last said of it.
    pub spec: NetworkSpec,
    /// Its way out.
    pub transit: Transit,
}

/// Everything about one host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    /// Its ports.
    pub ports: BTreeMap<PortId, PortRecord>,
    /// Ports that it had.
    pub gone: BTreeMap<PortId, Gone>,
    /// Its networks.
    pub networks: BTreeMap<NetworkId, NetworkRecord>,
    /// Set while the control plane may know better than these records where floating IPs are.
    pub doubt: Option<Doubt>,
}

/// A host that was away may remember floating IPs that have moved meanwhile, and must not answer for them
/// until it has been told. What it has never ceased to serve goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doubt {
    /// Floating IPs that were led into networks when the worker started.
    pub served: BTreeSet<Ipv4Addr>,
    /// Ports that the control plane has spoken of since.
    pub told: BTreeSet<PortId>,
}

/// The key of a record.
#[must_use]
pub fn key(host: &HostName, id: impl std::fmt::Display) -> String {
    format!("{host}/{id}")
}

/// Reads the records of these hosts. Those of other hosts, which the process may have played before,
/// are left alone.
///
/// # Errors
/// When the journal cannot be read.
pub async fn load(
    journal: &Journal,
    hosts: &[HostName],
) -> Result<BTreeMap<HostName, Records>, Error> {
    let mut all: BTreeMap<HostName, Records> = hosts
        .iter()
        .map(|host| (host.clone(), Records::default()))
        .collect();
    for (key, record) in journal.list::<PortRecord>(PORTS).await? {
        if let Some((records, id)) = place(&mut all, &key) {
            records.ports.insert(id, record);
        }
    }
    for (key, record) in journal.list::<Gone>(GONE).await? {
        if let Some((records, id)) = place(&mut all, &key) {
            records.gone.insert(id, record);
        }
    }
    for (key, record) in journal.list::<NetworkRecord>(NETWORKS).await? {
        if let Some((records, id)) = place(&mut all, &key) {
            records.networks.insert(id, record);
        }
    }
    Ok(all)
}

/// How long a removal is remembered. No command travels that long.
const REMEMBER: Duration = Duration::from_secs(7 * 24 * 3600);

/// Forgets removals of long ago.
///
/// # Errors
/// When the journal cannot be read or written.
pub async fn forget(journal: &Journal) -> Result<(), Error> {
    let now = Timestamp::now();
    let mut tx = journal.begin().await?;
    for (key, gone) in journal.list::<Gone>(GONE).await? {
        if now.since(gone.at) > REMEMBER {
            tx.remove(GONE, &key).await?;
        }
    }
    tx.commit().await.map(drop)
}

fn place<'a, I: std::str::FromStr>(
    all: &'a mut BTreeMap<HostName, Records>,
    key: &str,
) -> Option<(&'a mut Records, I)> {
    let (host, id) = key.split_once('/')?;
    Some((all.get_mut(&host.parse().ok()?)?, id.parse().ok()?))
}

impl Records {
    /// The networks that should be on the host.
    #[must_use]
    pub fn desired(&self) -> Vec<Network> {
        let held = self.floating();
        self.networks
            .values()
            .filter_map(|record| self.network_with(record, &held))
            .collect()
    }

    /// Which port has which floating IP, of those that are to be served.
    #[must_use]
    pub fn floating(&self) -> BTreeMap<Ipv4Addr, PortId> {
        let mut held = self.held();
        if let Some(doubt) = &self.doubt {
            held.retain(|ip, port| doubt.served.contains(ip) || doubt.told.contains(port));
        }
        held
    }

    /// The same, doubt or no doubt.
    fn held(&self) -> BTreeMap<Ipv4Addr, PortId> {
        let mut ports: Vec<&PortRecord> = self.ports.values().collect();
        ports.sort_by_key(|port| (port.claim, port.spec.id));
        let mut held = BTreeMap::new();
        for port in ports {
            held.extend(port.spec.floating.iter().map(|ip| (*ip, port.spec.id)));
        }
        held
    }

    /// The floating IPs that are not their ports' any more in `after`, with these ports. Those that are in
    /// doubt count: the change may have begun before the doubt did.
    #[must_use]
    pub fn lost(&self, after: &Self) -> BTreeMap<Ipv4Addr, PortId> {
        let (mut lost, now) = (self.held(), after.held());
        lost.retain(|ip, port| now.get(ip) != Some(port));
        lost
    }

    /// One of them, unless it has no ports.
    #[must_use]
    pub fn network(&self, record: &NetworkRecord) -> Option<Network> {
        self.network_with(record, &self.floating())
    }

    fn network_with(
        &self,
        record: &NetworkRecord,
        held: &BTreeMap<Ipv4Addr, PortId>,
    ) -> Option<Network> {
        let ports: BTreeMap<PortId, Port> = self
            .ports
            .values()
            .filter(|port| port.spec.network.id == record.spec.id)
            // They were checked when they were recorded.
            .filter_map(|port| Some((port.spec.id, Port::try_from(&port.spec).ok()?)))
            .map(|(id, mut port)| {
                port.floating.retain(|ip| held.get(ip) == Some(&id));
                (id, port)
            })
            .collect();
        (!ports.is_empty()).then(|| Network {
            spec: record.spec.clone(),
            transit: record.transit,
            ports,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn records_are_read_back_by_host_and_old_removals_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path().join("journal.db"))
            .await
            .unwrap();
        let [a, b]: [HostName; 2] = ["node-1", "node-2"].map(|host| host.parse().unwrap());
        let (seven, eight) = (testing::port(7), testing::port(8));
        let network = testing::network(std::slice::from_ref(&seven));
        let gone = |at| Gone {
            generation: Generation(2),
            at,
        };
        let mut tx = journal.begin().await.unwrap();
        for (host, spec) in [(&a, &seven), (&b, &eight)] {
            let record = PortRecord {
                generation: Generation(1),
                spec: spec.clone(),
                claim: 0,
            };
            tx.put(PORTS, &key(host, spec.id), &record).await.unwrap();
        }
        let record = NetworkRecord {
            spec: network.spec.clone(),
            transit: network.transit,
        };
        tx.put(NETWORKS, &key(&a, network.spec.id), &record)
            .await
            .unwrap();
        tx.put(GONE, &key(&a, eight.id), &gone(Timestamp::now()))
            .await
            .unwrap();
        tx.put(GONE, &key(&a, testing::port(9).id), &gone(Timestamp(0)))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        forget(&journal).await.unwrap();

        let all = load(&journal, &[a.clone(), "node-3".parse().unwrap()])
            .await
            .unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[&a].desired(), [network]);
        assert_eq!(all[&a].gone.keys().collect::<Vec<_>>(), [&eight.id]);
    }

    #[test]
    fn a_network_that_was_recorded_before_there_were_segments_is_read_as_local() {
        let network = testing::network(&[]);
        let record = NetworkRecord {
            spec: network.spec,
            transit: network.transit,
        };
        let mut json = serde_json::to_value(&record).unwrap();
        let spec = json["spec"].as_object_mut().unwrap();
        for key in ["segment", "peers", "revision"] {
            spec.remove(key).unwrap();
        }
        let read: NetworkRecord = serde_json::from_value(json).unwrap();
        let mut expected = record;
        expected.spec.revision = 0;
        assert_eq!(read, expected);
    }

    fn floats(n: u8, ips: &[u8], claim: u64) -> (PortId, PortRecord) {
        let mut spec = testing::port(n);
        spec.floating = ips.iter().map(|ip| [203, 0, 113, *ip].into()).collect();
        let generation = Generation(1);
        let record = PortRecord {
            generation,
            spec,
            claim,
        };
        (record.spec.id, record)
    }

    #[test]
    fn a_floating_ip_is_the_later_one_s_and_in_doubt_nobody_s_but_who_serves_it_or_was_told() {
        let mut records = Records::default();
        records
            .ports
            .extend([floats(7, &[1, 2], 5), floats(8, &[2, 3], 4)]);
        let (seven, eight) = (testing::port(7).id, testing::port(8).id);
        let ip = |n: u8| Ipv4Addr::from([203, 0, 113, n]);
        let all = [(ip(1), seven), (ip(2), seven), (ip(3), eight)];
        assert_eq!(records.floating(), BTreeMap::from(all));
        let mut doubt = Doubt::default();
        doubt.served.insert(ip(1));
        records.doubt = Some(doubt.clone());
        assert_eq!(records.floating(), BTreeMap::from([(ip(1), seven)]));
        doubt.told.insert(eight);
        records.doubt = Some(doubt);
        let known = [(ip(1), seven), (ip(3), eight)];
        assert_eq!(records.floating(), BTreeMap::from(known));
        let network = testing::network(&[testing::port(7)]);
        let record = NetworkRecord {
            spec: network.spec.clone(),
            transit: network.transit,
        };
        let ports = records.network(&record).unwrap().ports;
        assert_eq!(ports[&seven].floating, [ip(1)]);
    }
}
