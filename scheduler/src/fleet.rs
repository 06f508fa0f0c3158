//! Every compute host as this process knows it, in memory.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use skybus_model::{
    HostName, Timestamp,
    host::Resources,
    message::heartbeat::{BEAT_EVERY, DOWN_AFTER, HostBeat},
};
use skybus_store::{hosts::Host, services::Service};

/// After so much listening every host that is alive has been heard, and silence means something: agents
/// are back within five seconds of the broker, and beat at once.
const HEARD_OUT_AFTER: Duration = Duration::from_secs(BEAT_EVERY.as_secs() + 3);

/// One compute host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostView {
    /// Its name.
    pub name: HostName,
    /// Its availability zone.
    pub zone: String,
    /// `kvm`, `tcg` or `fake`.
    pub hypervisor: String,
    /// What it has.
    pub capacity: Resources,
    /// What is claimed, as far as is known here.
    pub used: Resources,
    /// How many servers claim it.
    pub servers: i64,
    /// When it was last heard, by this process's clock.
    pub last_seen: Timestamp,
    /// When its network worker was last heard.
    pub network_seen: Timestamp,
    /// Why an operator closed it, if one did.
    pub closed: Option<String>,
}

impl HostView {
    /// Whether its compute worker is alive at `now`.
    #[must_use]
    pub fn is_up(&self, now: Timestamp) -> bool {
        now.since(self.last_seen) < DOWN_AFTER
    }

    /// Whether it is a compute host: of some, only the network worker has been heard so far.
    #[must_use]
    pub fn is_compute(&self) -> bool {
        !self.hypervisor.is_empty()
    }

    /// Whether its network worker is alive at `now`.
    #[must_use]
    pub fn has_network(&self, now: Timestamp) -> bool {
        now.since(self.network_seen) < DOWN_AFTER
    }
}

/// The hosts. Shared by the parts of the process.
#[derive(Debug, Default)]
pub struct Fleet {
    /// When this process began to hear beats: its start, or the broker's return. Microseconds.
    listening_since: AtomicI64,
    hosts: RwLock<HashMap<HostName, HostView>>,
}

impl Fleet {
    /// From now on beats are heard; before, they could not be.
    pub fn listen(&self, now: Timestamp) {
        self.listening_since.store(now.micros(), Ordering::Relaxed);
    }

    /// For how long beats have been heard.
    #[must_use]
    pub fn listening_for(&self, now: Timestamp) -> Duration {
        now.since(Timestamp(self.listening_since.load(Ordering::Relaxed)))
    }

    /// Whether a host's silence means something: after a start, or the return of the broker, every host
    /// gets the time of one beat to be heard.
    #[must_use]
    pub fn is_heard_out(&self, now: Timestamp) -> bool {
        let silent = |host: &HostView| !host.is_up(now) || !host.has_network(now);
        self.listening_for(now) >= HEARD_OUT_AFTER || !self.read().values().any(silent)
    }

    /// Notes a heartbeat; whether the host, or what it says of itself, is new.
    pub fn beat(&self, beat: &HostBeat, now: Timestamp) -> bool {
        let mut hosts = self.write();
        let known = hosts.contains_key(&beat.host);
        if beat.service == "network"
            && let Some(host) = hosts.get_mut(&beat.host)
        {
            let first = host.network_seen == Timestamp::default();
            host.network_seen = now;
            return first;
        }
        let host = hosts.entry(beat.host.clone()).or_insert_with(|| HostView {
            name: beat.host.clone(),
            zone: beat.zone.clone(),
            hypervisor: String::new(),
            capacity: Resources::default(),
            used: Resources::default(),
            servers: 0,
            last_seen: Timestamp::default(),
            network_seen: Timestamp::default(),
            closed: None,
        });
        if beat.service == "network" {
            host.network_seen = now;
            return true;
        }
        let same = known && host.capacity == beat.capacity && host.hypervisor == beat.hypervisor;
        host.zone.clone_from(&beat.zone);
        host.hypervisor.clone_from(&beat.hypervisor);
        host.capacity = beat.capacity;
        host.last_seen = now;
        !same
    }

    /// Takes over what the database knows: claims of all schedulers, and hosts closed by operators.
    pub fn refresh(&self, rows: &[Host], services: &[Service]) {
        let mut hosts = self.write();
        for row in rows {
            let host = hosts.entry(row.name.clone()).or_insert_with(|| HostView {
                name: row.name.clone(),
                zone: row.zone.clone(),
                hypervisor: row.hypervisor.clone(),
                capacity: row.capacity,
                used: row.used,
                servers: row.servers,
                last_seen: Timestamp::default(),
                network_seen: Timestamp::default(),
                closed: None,
            });
            host.used = row.used;
            host.servers = row.servers;
        }
        for service in services {
            let Some(host) = hosts.get_mut(&service.host) else {
                continue;
            };
            if service.service == "network" {
                host.network_seen = host.network_seen.max(service.last_seen);
                continue;
            }
            if service.service != "compute" {
                continue;
            }
            host.last_seen = host.last_seen.max(service.last_seen);
            host.closed = closed(service);
        }
    }

    /// Notes a claim that this process made, until the next refresh tells the whole.
    pub fn claimed(&self, name: &HostName, resources: Resources) {
        if let Some(host) = self.write().get_mut(name) {
            host.used.vcpus += resources.vcpus;
            host.used.ram_mib += resources.ram_mib;
            host.used.disk_gib += resources.disk_gib;
            host.servers += 1;
        }
    }

    /// All hosts, to be read.
    pub fn read(&self) -> RwLockReadGuard<'_, HashMap<HostName, HostView>> {
        self.hosts.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<HostName, HostView>> {
        self.hosts.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed(service: &Service) -> Option<String> {
    if service.forced_down {
        return Some("an operator declared it down".to_owned());
    }
    if service.enabled {
        return None;
    }
    let reason = service
        .disabled_reason
        .as_deref()
        .unwrap_or("no reason was given");
    Some(format!("an operator disabled it: {reason}"))
}
