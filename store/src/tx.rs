//! A change: rows and the messages that they cause, in one transaction.

use skybus_fault::{self as fault, Point};
use skybus_model::message::Outgoing;
use sqlx::{Any, AnyConnection, Transaction};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::{
    Engine, Error, Result, Store,
    events::{self, Event},
    outbox,
};

/// A transaction that may write. Dropped without [`Tx::commit`], it changes nothing.
#[derive(Debug)]
pub struct Tx {
    inner: Transaction<'static, Any>,
    engine: Engine,
    leaving: Vec<Outgoing>,
    announced: Vec<Event>,
    /// The number of the newest event of this transaction; 0 without any.
    newest: i64,
    committed: watch::Sender<i64>,
    _turn: OwnedSemaphorePermit,
}

impl Tx {
    pub(crate) async fn begin(store: &Store) -> Result<Self> {
        let turn = store
            .writer
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Error::Broken(sqlx::Error::PoolClosed))?;
        let inner = match store.engine {
            // Taking the write lock at once: a transaction that read first could not be upgraded.
            Engine::Sqlite => store.pool.begin_with("BEGIN IMMEDIATE").await?,
            Engine::Postgres => store.pool.begin().await?,
        };
        Ok(Self {
            inner,
            engine: store.engine,
            leaving: Vec::new(),
            announced: Vec::new(),
            newest: 0,
            committed: store.committed.clone(),
            _turn: turn,
        })
    }

    /// The connection, for queries.
    pub fn conn(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }

    /// Which engine this is; only for `FOR UPDATE`, which SQLite neither knows nor needs.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// Puts a message into the outbox. It leaves if, and only if, the transaction commits.
    ///
    /// # Errors
    /// [`Error::Broken`] when the row cannot be written.
    pub async fn send(&mut self, message: Outgoing) -> Result<()> {
        outbox::insert(self, &message).await?;
        self.leaving.push(message);
        Ok(())
    }

    /// Adds an event. Its number is given at the commit: the counter is the one row that all changes
    /// share, and so it is locked last, and shortly.
    pub(crate) fn announce(&mut self, event: Event) {
        self.announced.push(event);
    }

    /// Notes the number that an event was given.
    pub(crate) const fn numbered(&mut self, seq: i64) {
        self.newest = seq;
    }

    /// Commits. What is returned is on disk already; hand it to the relay, which would find it by
    /// itself, only later.
    ///
    /// # Errors
    /// [`Error::Broken`] when the commit fails; then nothing of the change is there.
    pub async fn commit(mut self) -> Result<Vec<Outgoing>> {
        for event in std::mem::take(&mut self.announced) {
            events::append(&mut self, &event).await?;
        }
        let what = kinds(&self.leaving);
        fault::hit(Point::StoreBeforeCommit, &what);
        self.inner.commit().await?;
        fault::hit(Point::StoreAfterCommit, &what);
        if self.newest > 0 {
            // Two commits may come here in the other order.
            self.committed.send_if_modified(|seq| {
                let newer = self.newest > *seq;
                *seq = self.newest.max(*seq);
                newer
            });
        }
        Ok(self.leaving)
    }
}

/// What leaves with a transaction, which tells it from others at a fault point.
fn kinds(leaving: &[Outgoing]) -> String {
    if !fault::COMPILED_IN {
        return String::new();
    }
    let mut kinds: Vec<&str> = leaving
        .iter()
        .map(|message| message.kind.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.join("+")
}
