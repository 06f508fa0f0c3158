//! The one feed of a process: new events are read once, whoever follows them.
//!
//! A commit of this process wakes it at once; what other processes commit is found by looking, ten times a
//! second, and only while somebody follows (a read of the primary key's end that mostly finds nothing). The newest events are kept in
//! memory, without holes; a stream that has fallen behind them reads the table, and so is never given less than
//! what is there.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use skybus_model::id::ProjectId;
use skybus_store::{
    Store,
    events::{self, Event},
};
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::places::{Place, Places};

/// How often a feed does what nothing prompts it to do.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How often a quiet stream says that it is still there, and how often a caller's right is looked at again.
    pub alive_every: Duration,
    /// How often events of other processes are looked for.
    pub look_every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            alive_every: Duration::from_secs(15),
            look_every: Duration::from_millis(100),
        }
    }
}

/// How long a database that is away is left alone.
const AWAY: Duration = Duration::from_secs(1);
/// How many events are read at a time.
const BATCH: i64 = 500;
/// How many events are kept in memory.
const KEPT: usize = 1000;

/// The feed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    store: Store,
    pace: Pace,
    tail: RwLock<Tail>,
    newest: watch::Sender<i64>,
    places: Places,
    ended: CancellationToken,
}

/// Every event with a number above `base`, as far as is known.
#[derive(Debug, Default)]
struct Tail {
    base: Option<i64>,
    events: VecDeque<Arc<Event>>,
}

impl Feed {
    /// A feed that reads nothing until [`Self::run`].
    #[must_use]
    pub fn new(store: Store, pace: Pace) -> Self {
        Self(Arc::new(Parts {
            store,
            pace,
            tail: RwLock::default(),
            newest: watch::Sender::new(0),
            places: Places::default(),
            ended: CancellationToken::new(),
        }))
    }

    /// Reads events for those who follow, until the token is cancelled; then every stream ends.
    pub async fn run(&self, token: CancellationToken) {
        let work = async {
            let mut count = self.0.places.count();
            // The sender lives as long as this feed.
            while count.wait_for(|count| *count > 0).await.is_ok() {
                tokio::select! {
                    _ = count.wait_for(|count| *count == 0) => {}
                    () = self.follow() => {}
                }
                *self.0.tail.write().unwrap_or_else(PoisonError::into_inner) = Tail::default();
            }
        };
        tokio::select! {
            () = token.cancelled() => {}
            () = work => {}
        }
        self.0.ended.cancel();
    }

    /// Never returns.
    async fn follow(&self) {
        let mut committed = self.0.store.committed_events();
        let mut turns = tokio::time::interval(self.0.pace.look_every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            committed.mark_unchanged();
            if let Err(error) = self.read_new().await {
                tracing::warn!(%error, "new events cannot be read now; those who follow wait");
                tokio::time::sleep(AWAY).await;
            }
            tokio::select! {
                _ = committed.changed() => {}
                _ = turns.tick() => {}
            }
        }
    }

    async fn read_new(&self) -> skybus_store::Result<()> {
        let base = {
            let tail = self.0.tail.read().unwrap_or_else(PoisonError::into_inner);
            tail.newest()
        };
        let Some(newest) = base else {
            let newest = events::newest(&self.0.store).await?;
            self.0.publish(|tail| tail.base = Some(newest), newest);
            return Ok(());
        };
        let new = events::after(&self.0.store, newest, None, BATCH).await?;
        if let Some(last) = new.last().map(|event| event.seq) {
            self.0.publish(|tail| tail.take(new), last);
        }
        Ok(())
    }

    /// A place for one who follows, if there is one.
    pub(super) fn place(&self, project: Option<ProjectId>) -> Option<Place> {
        self.0.places.take(project)
    }

    /// How often a stream shows life.
    pub(super) fn alive_every(&self) -> Duration {
        self.0.pace.alive_every
    }

    /// Changes whenever there may be new events.
    pub(super) fn news(&self) -> watch::Receiver<i64> {
        self.0.newest.subscribe()
    }

    /// Returns when the process ends.
    pub(super) async fn ended(&self) {
        self.0.ended.cancelled().await;
    }

    /// At most so many events after this number, all projects', if they are in memory.
    pub(super) fn after(&self, seq: i64, most: usize) -> Option<Vec<Arc<Event>>> {
        let tail = self.0.tail.read().unwrap_or_else(PoisonError::into_inner);
        tail.base.filter(|base| *base <= seq)?;
        let first = tail.events.partition_point(|event| event.seq <= seq);
        Some(tail.events.iter().skip(first).take(most).cloned().collect())
    }
}

impl Parts {
    fn publish(&self, change: impl FnOnce(&mut Tail), newest: i64) {
        change(&mut self.tail.write().unwrap_or_else(PoisonError::into_inner));
        self.newest.send_replace(newest);
    }
}

impl Tail {
    fn newest(&self) -> Option<i64> {
        self.events.back().map(|event| event.seq).or(self.base)
    }

    fn take(&mut self, new: Vec<Event>) {
        self.events.extend(new.into_iter().map(Arc::new));
        while self.events.len() > KEPT {
            self.base = self.events.pop_front().map(|event| event.seq);
        }
    }
}
