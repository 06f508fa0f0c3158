//! Heartbeats: into memory at once, into the database in batches.
//!
//! A host that is new, or larger than it was, is written at once, so that it can be claimed; that it is
//! alive is written every few seconds, for operators and for the API servers.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use skybus_bus::{Bus, Delivery, Verdict};
use skybus_model::{
    HostName, Order, Timestamp,
    host::Resources,
    message::heartbeat::{BEAT_EVERY, HostBeat},
};
use skybus_store::{
    Store,
    hosts::{self, Host},
    services::{self, SCHEDULER},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::fleet::Fleet;

/// How often what was heard is written down.
const WRITE_EVERY: Duration = Duration::from_secs(10);
/// How often claims of other schedulers and the operators' switches are read.
const READ_EVERY: Duration = Duration::from_secs(1);

/// What was heard since it was last written down.
#[derive(Debug, Default)]
pub struct Registry {
    heard: Mutex<HashMap<(HostName, String), (HostBeat, Timestamp)>>,
    urgent: Notify,
}

impl Registry {
    /// Handles one heartbeat. The broker has checked its key against the sender's account; so the body
    /// must speak of the host and the service that the key names.
    pub fn hear(&self, fleet: &Fleet, delivery: &Delivery) -> Verdict {
        let beat: HostBeat = match delivery.decode() {
            Ok(beat) => beat,
            Err(error) => return error.into(),
        };
        let own = format!("{}.{}.", beat.service, beat.host);
        if !delivery.routing_key.starts_with(&own) {
            tracing::warn!(
                key = delivery.routing_key,
                claims = own,
                "a beat of another's"
            );
            return Verdict::Reject("it speaks of another host than its routing key".to_owned());
        }
        let now = Timestamp::now();
        let new = fleet.beat(&beat, now);
        if let Ok(mut heard) = self.heard.lock() {
            heard.insert((beat.host.clone(), beat.service.clone()), (beat, now));
        }
        if new {
            self.urgent.notify_one();
        }
        Verdict::Ack
    }

    /// Writes down what is heard until the token is cancelled; and, once it has listened long enough for
    /// silence to mean something, that this scheduler listens. Where nobody does, nobody's silence counts.
    ///
    /// # Errors
    /// None so far: a database that is away is tried again.
    pub async fn keep(
        &self,
        (store, fleet, bus): (&Store, &Fleet, &Bus),
        token: CancellationToken,
    ) -> anyhow::Result<()> {
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = HostName::from_machine(machine.trim());
        loop {
            tokio::select! {
                () = token.cancelled() => return Ok(()),
                () = self.urgent.notified() => {}
                () = tokio::time::sleep(WRITE_EVERY) => {}
            }
            let batch = self
                .heard
                .lock()
                .map(|mut heard| std::mem::take(&mut *heard));
            let mut batch = batch.unwrap_or_default();
            let now = Timestamp::now();
            if bus.connected() && fleet.listening_for(now) >= 2 * BEAT_EVERY {
                batch.insert(
                    (host.clone(), SCHEDULER.to_owned()),
                    (listens(&host, now), now),
                );
            }
            if let Err(error) = write(store, batch.values()).await {
                tracing::warn!(%error, "heartbeats cannot be written down; they will come again");
            }
        }
    }
}

fn listens(host: &HostName, now: Timestamp) -> HostBeat {
    HostBeat {
        host: host.clone(),
        service: SCHEDULER.to_owned(),
        zone: "internal".to_owned(),
        order: Order::default(),
        at: now,
        capacity: Resources::default(),
        free: Resources::default(),
        hypervisor: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

async fn write(
    store: &Store,
    beats: impl Iterator<Item = &(HostBeat, Timestamp)>,
) -> skybus_store::Result<()> {
    let mut beats: Vec<_> = beats.collect();
    // One order for all, so that two schedulers do not wait for each other's row locks.
    beats.sort_by(|a, b| (&a.0.host, &a.0.service).cmp(&(&b.0.host, &b.0.service)));
    for some in beats.chunks(100) {
        let mut tx = store.begin().await?;
        for (beat, at) in some {
            if beat.service == "compute" {
                hosts::register(&mut tx, &row(beat)).await?;
            }
            services::heard(&mut tx, beat, *at).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

fn row(beat: &HostBeat) -> Host {
    Host {
        name: beat.host.clone(),
        zone: beat.zone.clone(),
        hypervisor: beat.hypervisor.clone(),
        version: beat.version.clone(),
        capacity: beat.capacity,
        used: Resources::default(),
        servers: 0,
    }
}

/// Reads claims and switches into `fleet` until the token is cancelled.
///
/// # Errors
/// None so far: a database that is away is tried again.
pub async fn follow(
    store: Store,
    fleet: std::sync::Arc<Fleet>,
    token: CancellationToken,
) -> anyhow::Result<()> {
    while !token.is_cancelled() {
        if let Err(error) = refresh(&store, &fleet).await {
            tracing::warn!(%error, "the fleet cannot be read from the database");
        }
        tokio::select! {
            () = token.cancelled() => {}
            () = tokio::time::sleep(READ_EVERY) => {}
        }
    }
    Ok(())
}

/// Reads claims and switches once.
///
/// # Errors
/// [`skybus_store::Error::Broken`] when the database fails.
pub async fn refresh(store: &Store, fleet: &Fleet) -> skybus_store::Result<()> {
    let (rows, services) = (hosts::all(store).await?, services::all(store).await?);
    fleet.refresh(&rows, &services);
    Ok(())
}
