//! Heartbeats: into memory at once, into the database in batches.
//!
//! A host that is new, or larger than it was, is written at once, so that it can be claimed; that it is
//! alive is written every few seconds, for operators and for the API servers, in wall time as it is when it
//! is written: so hosts are compared with each other and with this scheduler by one clock, also when that
//! was just set.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use skybus_bus::{Bus, Delivery, Verdict};
use skybus_model::{
    HostName, Order, Timestamp,
    clock::{ClockWatch, Moment},
    host::Resources,
    message::heartbeat::{BEAT_EVERY, HostBeat},
    segment::Carries,
};
use skybus_store::{
    Store,
    hosts::{self, Host},
    machines,
    services::{self, SCHEDULER},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::fleet::Fleet;

/// How often what was heard is written down.
const WRITE_EVERY: Duration = Duration::from_secs(10);
/// How often claims of other schedulers and the operators' switches are read.
const READ_EVERY: Duration = Duration::from_secs(1);
/// After so much listening whoever is alive was heard, and was written down.
const LISTENS_AFTER: Duration = Duration::from_secs(2 * BEAT_EVERY.as_secs());

/// For how long the wall clock has gone on as it should.
#[derive(Debug)]
struct Steadied {
    watch: ClockWatch,
    /// When it was last found to have been set.
    set: Option<Instant>,
}

impl Steadied {
    const fn new(now: Moment) -> Self {
        Self {
            watch: ClockWatch::new(now),
            set: None,
        }
    }

    fn was_set(&mut self, now: Moment) -> bool {
        let was_set = self.watch.look(now).is_some();
        if was_set {
            self.set = Some(now.steady);
        }
        was_set
    }

    fn steady_for(&self, now: Moment) -> Duration {
        let since = |set| now.steady.saturating_duration_since(set);
        self.set.map_or(Duration::MAX, since)
    }
}

/// What a clock that was ahead has written keeps nobody alive.
async fn disbelieve(store: &Store, now: Moment) {
    if let Err(error) = services::none_later_than(store, now.wall).await {
        tracing::warn!(%error, "times that are still to come stay written down");
    }
}

/// What was heard since it was last written down.
#[derive(Debug, Default)]
pub struct Registry {
    heard: Mutex<HashMap<(HostName, String), (HostBeat, Instant)>>,
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
        if !beat.order.is_credible(Timestamp::now()) {
            tracing::warn!(host = %beat.host, epoch = beat.order.epoch,
                "a beat of a far future is not believed: set the host's clock right and start its workers again");
            return Verdict::Ack;
        }
        let now = Instant::now();
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
    /// After the wall clock was set it has to listen as long again: by then all who are alive are written
    /// down by the clock as it is now.
    ///
    /// # Errors
    /// None so far: a database that is away is tried again.
    pub async fn keep(
        &self,
        (store, fleet, bus): (&Store, &Fleet, &Bus),
        host: HostName,
        token: CancellationToken,
    ) -> anyhow::Result<()> {
        let begun = Moment::now();
        let mut clock = Steadied::new(begun);
        disbelieve(store, begun).await;
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
            let now = Moment::now();
            if clock.was_set(now) {
                tracing::warn!("the wall clock was set; hosts are heard out again");
                disbelieve(store, now).await;
            }
            let listening = fleet.listening_for(now.steady).min(clock.steady_for(now));
            if bus.is_well() && listening >= LISTENS_AFTER {
                batch.insert(
                    (host.clone(), SCHEDULER.to_owned()),
                    (listens(&host, now.wall), now.steady),
                );
            }
            if let Err(error) = write(store, batch.values(), now).await {
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
        carries: Carries::default(),
    }
}

async fn write(
    store: &Store,
    beats: impl Iterator<Item = &(HostBeat, Instant)>,
    now: Moment,
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
            services::heard(&mut tx, beat, now.wall_of(*at)).await?;
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
    fleet.refresh(&rows, &services, Moment::now());
    fleet.forget(&machines::away(store).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use skybus_model::{
        id::MessageId,
        message::{Context, Exchange, Message, Outgoing, Service, routing_key, type_of},
    };
    use skybus_store::testing::{TestCloud, TestStore};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn after_the_clock_was_set_silence_means_nothing_until_all_are_written_down_again() {
        let start = Moment::now();
        let at = |steady: u32, wall: u32| Moment {
            wall: start.wall.after(wall * SECOND),
            steady: start.steady + steady * SECOND,
        };
        let mut clock = Steadied::new(start);
        assert!(!clock.was_set(at(10, 10)));
        assert!(clock.steady_for(at(10, 10)) >= LISTENS_AFTER);
        assert!(clock.was_set(at(20, 80)));
        assert!(clock.steady_for(at(20, 80)) < LISTENS_AFTER);
        assert!(!clock.was_set(at(25, 85)));
        assert!(clock.steady_for(at(25, 85)) < LISTENS_AFTER);
        assert!(clock.steady_for(at(30, 90)) >= LISTENS_AFTER);
    }

    /// A host was heard a moment before the clock jumped, and is written down after it.
    #[tokio::test]
    async fn a_clock_that_jumps_makes_no_host_look_silent() {
        let test = TestStore::sqlite().await;
        let cloud = TestCloud::new(test.store.clone()).await;
        let host = cloud.host("a", Resources::default()).await;
        let before = Moment::now();
        let heard = (
            cloud.beat(&host, "network", Resources::default()),
            before.steady,
        );
        let steady = before.steady + SECOND;
        for wall in [
            before.wall.after(61 * SECOND),
            Timestamp(before.wall.micros() - 60_000_000),
        ] {
            let after = Moment { wall, steady };
            write(&cloud.store, [heard.clone()].iter(), after)
                .await
                .unwrap();
            let mut tx = cloud.store.begin().await.unwrap();
            let row = services::find(&mut tx, &host, "network")
                .await
                .unwrap()
                .unwrap();
            assert_eq!(after.wall.since(row.last_seen), SECOND);
        }
    }

    #[tokio::test]
    async fn a_beat_of_a_far_future_is_not_heard() {
        let test = TestStore::sqlite().await;
        let cloud = TestCloud::new(test.store.clone()).await;
        let host = cloud.host("a", Resources::default()).await;
        let (registry, fleet) = (Registry::default(), Fleet::default());
        let mut beat = cloud.beat(&host, "compute", Resources::default());
        for (epoch, is_heard) in [(i64::MAX, false), (1, true)] {
            beat.order.epoch = epoch;
            let message = Outgoing {
                id: MessageId::random(),
                exchange: Exchange::Events,
                routing_key: routing_key(Service::Compute, Some(&host), HostBeat::NAME),
                kind: type_of::<HostBeat>(),
                body: serde_json::to_vec(&beat).unwrap(),
                context: Context::begin(),
                at: Timestamp::now(),
            };
            let verdict = registry.hear(&fleet, &Delivery::of(&message));
            assert_eq!(verdict, Verdict::Ack);
            assert_eq!(fleet.read().contains_key(&host), is_heard);
        }
    }
}
