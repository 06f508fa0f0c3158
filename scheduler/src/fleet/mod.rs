//! Every compute host as this process knows it, in memory.

mod hearing;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use skybus_model::{
    HostName,
    clock::Moment,
    host::Resources,
    message::heartbeat::{BEAT_EVERY, HostBeat},
    segment::Carries,
};
use skybus_store::{hosts::Host, services::Service};

pub use self::hearing::Hearing;

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
    /// When its compute worker was last heard.
    pub heard: Hearing,
    /// When its network worker was last heard.
    pub network: Hearing,
    /// What its network worker said that it can carry; once it was heard.
    pub carries: Option<Carries>,
    /// Why an operator closed it, if one did.
    pub closed: Option<String>,
}

impl HostView {
    /// Whether its compute worker is alive at `now`.
    #[must_use]
    pub fn is_up(&self, now: Instant) -> bool {
        self.heard.is_up(now)
    }

    /// Whether it is a compute host: of some, only the network worker has been heard so far.
    #[must_use]
    pub fn is_compute(&self) -> bool {
        !self.hypervisor.is_empty()
    }

    /// Whether its network worker is alive at `now`.
    #[must_use]
    pub fn has_network(&self, now: Instant) -> bool {
        self.network.is_up(now)
    }
}

/// The hosts. Shared by the parts of the process.
#[derive(Debug, Default)]
pub struct Fleet {
    /// Since when this process can hear beats: its start, the broker's return, or the end of an alarm of the
    /// broker's; nothing while it cannot.
    listening: Mutex<Option<Instant>>,
    hosts: RwLock<HashMap<HostName, HostView>>,
}

impl Fleet {
    /// Since `since` beats can be heard; nothing while they cannot be.
    pub fn listen(&self, since: Option<Instant>) {
        *self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// For how long beats could be heard.
    #[must_use]
    pub fn listening_for(&self, now: Instant) -> Duration {
        let since = *self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Whether a host's silence means something: after a start, or the return of the broker, every host
    /// gets the time of one beat to be heard; and while nothing can be heard, no silence does.
    #[must_use]
    pub fn is_heard_out(&self, now: Instant) -> bool {
        let silent = |host: &HostView| !host.is_up(now) || !host.has_network(now);
        self.listening_for(now) >= HEARD_OUT_AFTER || !self.read().values().any(silent)
    }

    /// Notes a heartbeat; whether the host, or what it says of itself, is new.
    pub fn beat(&self, beat: &HostBeat, now: Instant) -> bool {
        let mut hosts = self.write();
        let known = hosts.contains_key(&beat.host);
        if beat.service == "network"
            && let Some(host) = hosts.get_mut(&beat.host)
        {
            let first = host.network.silent_for(now).is_none();
            let same = host.carries.as_ref() == Some(&beat.carries);
            host.network.beat(now);
            host.carries = Some(beat.carries.clone());
            return first || !same;
        }
        let host = hosts.entry(beat.host.clone()).or_insert_with(|| HostView {
            name: beat.host.clone(),
            zone: beat.zone.clone(),
            hypervisor: String::new(),
            capacity: Resources::default(),
            used: Resources::default(),
            servers: 0,
            heard: Hearing::default(),
            network: Hearing::default(),
            carries: None,
            closed: None,
        });
        if beat.service == "network" {
            host.network.beat(now);
            host.carries = Some(beat.carries.clone());
            return true;
        }
        let same = known && host.capacity == beat.capacity && host.hypervisor == beat.hypervisor;
        host.zone.clone_from(&beat.zone);
        host.hypervisor.clone_from(&beat.hypervisor);
        host.capacity = beat.capacity;
        host.heard.beat(now);
        !same
    }

    /// Takes over what the database knows: claims of all schedulers, and hosts closed by operators.
    pub fn refresh(&self, rows: &[Host], services: &[Service], now: Moment) {
        let mut hosts = self.write();
        for row in rows {
            let host = hosts.entry(row.name.clone()).or_insert_with(|| HostView {
                name: row.name.clone(),
                zone: row.zone.clone(),
                hypervisor: row.hypervisor.clone(),
                capacity: row.capacity,
                used: row.used,
                servers: row.servers,
                heard: Hearing::default(),
                network: Hearing::default(),
                carries: None,
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
                host.network.told(service.last_seen, now);
                // What was heard here is newer than what is written down.
                host.carries.get_or_insert_with(|| service.carries.clone());
                continue;
            }
            if service.service != "compute" {
                continue;
            }
            host.heard.told(service.last_seen, now);
            host.closed = closed(service);
        }
    }

    /// Hosts that were removed are none any more, whatever they still say.
    pub fn forget(&self, removed: &BTreeSet<HostName>) {
        if !removed.is_empty() {
            self.write().retain(|name, _| !removed.contains(name));
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
