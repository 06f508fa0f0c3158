//! The relay: from committed rows to confirmed messages.
//!
//! What a process has just committed is pushed and leaves at once. A sweep, once a second, finds rows
//! that are older than that takes: those of a process that died in between, and those that could not be
//! sent. A row is removed only when its message was routed and confirmed, so a message may leave twice
//! but never not at all.

mod unconfirmed;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use skybus_fault::{self as fault, Point};
use skybus_model::{
    Timestamp,
    id::MessageId,
    message::{Outbox, Outgoing},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use self::unconfirmed::Unconfirmed;
use crate::{Bus, SendError};

const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Rows younger than this are still being relayed by whoever made them.
const LEFT_BEHIND: Duration = Duration::from_secs(2);
const BATCH: u32 = 256;
/// How many pushed batches may wait; what is pushed beyond that is left to the sweep.
const WAITING: usize = 1024;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The relay of one outbox. Cheap to clone.
#[derive(Debug)]
pub struct Relay<O> {
    bus: Bus,
    outbox: Arc<O>,
    push: mpsc::Sender<Vec<Outgoing>>,
    pushed: Arc<Mutex<Option<mpsc::Receiver<Vec<Outgoing>>>>>,
}

impl<O> Clone for Relay<O> {
    fn clone(&self) -> Self {
        Self {
            bus: self.bus.clone(),
            outbox: self.outbox.clone(),
            push: self.push.clone(),
            pushed: self.pushed.clone(),
        }
    }
}

/// A row that could not be sent, and when it is tried again. Without this, 256 rows for a dead host
/// would be tried each second and keep everything younger from leaving.
struct Stuck {
    failures: u32,
    next: Instant,
}

/// What is not to be tried now.
#[derive(Default)]
struct Waits {
    stuck: HashMap<MessageId, Stuck>,
    unconfirmed: Unconfirmed,
}

impl Waits {
    fn is_due(&self, row: &Outgoing, now: Instant) -> bool {
        let stuck = self.stuck.get(&row.id);
        stuck.is_none_or(|stuck| stuck.next <= now) && !self.unconfirmed.holds(row, now.into_std())
    }

    fn rows(&self) -> u32 {
        let rows = self.stuck.len() + self.unconfirmed.held();
        u32::try_from(rows).unwrap_or(u32::MAX)
    }
}

impl<O: Outbox> Relay<O> {
    /// A relay between this outbox and this bus. It does nothing until it is [run](Self::run).
    #[must_use]
    pub fn new(bus: Bus, outbox: Arc<O>) -> Self {
        let (push, pushed) = mpsc::channel(WAITING);
        Self {
            bus,
            outbox,
            push,
            pushed: Arc::new(Mutex::new(Some(pushed))),
        }
    }

    /// Relays these rows now. They must be committed. Never waits.
    pub fn push(&self, rows: Vec<Outgoing>) {
        if !rows.is_empty() && self.push.try_send(rows).is_err() {
            debug!("rows are left to the sweep");
        }
    }

    /// Relays until the token is cancelled. Run it once per process.
    pub async fn run(self, token: CancellationToken) {
        let pushed = self
            .pushed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut pushed) = pushed else {
            error!("the relay runs already");
            return;
        };
        let mut waits = Waits::default();
        let mut sweep = interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                Some(rows) = pushed.recv() => {
                    let mut rows = rows;
                    while rows.len() < BATCH as usize {
                        let Ok(more) = pushed.try_recv() else { break };
                        rows.extend(more);
                    }
                    rows.retain(|row| !waits.unconfirmed.concerns(row));
                    self.relay(rows, &mut waits).await;
                }
                _ = sweep.tick() => self.sweep(&mut waits).await,
            }
        }
    }

    async fn sweep(&self, waits: &mut Waits) {
        if !self.bus.connected() || self.bus.blocked() {
            return;
        }
        let before = Timestamp(
            Timestamp::now()
                .micros()
                .saturating_sub(LEFT_BEHIND.as_micros() as i64),
        );
        loop {
            let most = BATCH.saturating_add(waits.rows());
            let rows = match self.outbox.unsent(before, most).await {
                Ok(rows) => rows,
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "the outbox cannot be read"
                    );
                    return;
                }
            };
            metrics::gauge!("skybus_bus_outbox_waiting").set(rows.len() as f64);
            let full = rows.len() >= most as usize;
            waits
                .stuck
                .retain(|id, _| rows.iter().any(|row| row.id == *id));
            let now = Instant::now();
            let more_wait = waits.unconfirmed.look(&rows, !full, now.into_std());
            // What may not be confirmed again leaves last.
            let (doubtful, due): (Vec<_>, Vec<_>) = rows
                .into_iter()
                .filter(|row| waits.is_due(row, now))
                .partition(|row| waits.unconfirmed.concerns(row));
            let nothing = due.is_empty() && doubtful.is_empty();
            let go_on = if nothing {
                more_wait
            } else {
                self.relay(due, waits).await && self.relay(doubtful, waits).await
            };
            if !go_on || !full {
                return;
            }
        }
    }

    /// Sends these and removes what arrived. Whether there is any point in going on.
    async fn relay(&self, rows: Vec<Outgoing>, waits: &mut Waits) -> bool {
        for row in &rows {
            fault::hit(Point::RelayBeforePublish, &row.kind);
        }
        let results = self.bus.send(&rows).await;
        let (mut confirmed, mut unconfirmed) = (Vec::with_capacity(rows.len()), Vec::new());
        let mut reachable = true;
        for (row, result) in rows.iter().zip(results) {
            match result {
                Ok(()) => {
                    fault::hit(Point::RelayConfirmed, &row.kind);
                    waits.stuck.remove(&row.id);
                    confirmed.push(row);
                }
                Err(
                    error @ (SendError::Unroutable { .. }
                    | SendError::Refused { .. }
                    | SendError::Forbidden { .. }),
                ) => note(&mut waits.stuck, row, &error),
                Err(
                    error @ (SendError::Unconfirmed
                    | SendError::Blocked
                    | SendError::NotConnected
                    | SendError::Broken { .. }),
                ) => {
                    reachable = false;
                    debug!(id = %row.id, %error, "not sent yet");
                    if error == SendError::Unconfirmed {
                        unconfirmed.push(row);
                    }
                }
            }
        }
        let now = std::time::Instant::now();
        waits.unconfirmed.tried(&confirmed, &unconfirmed, now);
        let arrived: Vec<_> = confirmed.iter().map(|row| row.id).collect();
        if !arrived.is_empty()
            && let Err(error) = self.outbox.sent(&arrived).await
        {
            // They will be sent again, which is harmless.
            warn!(
                error = &error as &dyn std::error::Error,
                "sent rows could not be removed"
            );
        }
        for row in confirmed {
            fault::hit(Point::RelayMarked, &row.kind);
        }
        reachable
    }
}

fn note(stuck: &mut HashMap<MessageId, Stuck>, row: &Outgoing, error: &SendError) {
    let stuck = stuck.entry(row.id).or_insert_with(|| Stuck {
        failures: 0,
        next: Instant::now(),
    });
    if stuck.failures == 0 {
        warn!(id = %row.id, kind = row.kind, key = row.routing_key, %error, "a message waits");
    }
    let pause = Duration::from_secs(1) * 2u32.saturating_pow(stuck.failures.min(5));
    stuck.next = Instant::now() + pause.min(LONGEST_PAUSE);
    stuck.failures = stuck.failures.saturating_add(1);
}
