//! Queues that are being made anew on the broker, and what was lost with them.
//!
//! A row says that messages of a queue may be lost and not yet asked for again, and which API server sees to
//! it: of two that would do it at once, one does.

use std::time::Duration;

use skybus_model::{HostName, Timestamp, message::Service, operation::Step};
use sqlx::any::AnyRow;

use crate::{Result, Store, Tx, networks::ports::ACTIVE, operations, row::Columns};

/// Longer than any attempt may take: whoever has not ended it by then has died.
const ORPHAN_AFTER: Duration = Duration::from_secs(90);

/// A queue that is being made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The queue's name.
    pub queue: String,
    /// How it was declared and bound; the bus knows how to read it.
    pub shape: String,
    /// The API server that does it.
    pub who: String,
    /// When it took that on.
    pub begun_at: Timestamp,
}

/// What a queue carried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Carried {
    /// Commands to these hosts' workers.
    pub commands: Vec<(Service, HostName)>,
    /// Servers to be placed.
    pub placing: bool,
    /// What hosts reported.
    pub reports: bool,
}

fn read(row: &AnyRow) -> Result<Renewal> {
    Ok(Renewal {
        queue: row.text("queue")?,
        shape: row.text("shape")?,
        who: row.text("who")?,
        begun_at: row.time("begun_at")?,
    })
}

/// Writes down that a queue is about to be removed. The answer is what is written down now: this, or what
/// the same server had begun before; nothing when another is at it.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails; then the queue must stay.
pub async fn begin(store: &Store, renewal: &Renewal) -> Result<Option<Renewal>> {
    let mut tx = store.begin().await?;
    sqlx::query(
        "INSERT INTO renewals (queue, shape, who, begun_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (queue) DO NOTHING",
    )
    .bind(renewal.queue.clone())
    .bind(renewal.shape.clone())
    .bind(renewal.who.clone())
    .bind(renewal.begun_at.micros())
    .execute(tx.conn())
    .await?;
    let row = sqlx::query("SELECT * FROM renewals WHERE queue = $1")
        .bind(renewal.queue.clone())
        .fetch_one(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(Some(read(&row)?).filter(|written| written.who == renewal.who))
}

/// Those that `who` is to go on with: its own, also those of a former life, and those of others that have
/// not ended them in time, which are its own from now on.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn take(store: &Store, who: &str, now: Timestamp) -> Result<Vec<Renewal>> {
    let all: Vec<Renewal> = sqlx::query("SELECT * FROM renewals ORDER BY begun_at, queue")
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(read)
        .collect::<Result<_>>()?;
    let mut taken = Vec::new();
    for renewal in all {
        if renewal.who == who {
            taken.push(renewal);
        } else if is_orphan(&renewal, now) && adopt(store, &renewal, who, now).await? {
            taken.push(Renewal {
                who: who.to_owned(),
                begun_at: now,
                ..renewal
            });
        }
    }
    Ok(taken)
}

/// One that is still to begin was written by a clock that was wrong.
fn is_orphan(renewal: &Renewal, now: Timestamp) -> bool {
    now.since(renewal.begun_at) > ORPHAN_AFTER || renewal.begun_at.since(now) > ORPHAN_AFTER
}

async fn adopt(store: &Store, renewal: &Renewal, who: &str, now: Timestamp) -> Result<bool> {
    let mut tx = store.begin().await?;
    let done = sqlx::query(
        "UPDATE renewals SET who = $2, begun_at = $3 \
         WHERE queue = $1 AND who = $4 AND begun_at = $5",
    )
    .bind(renewal.queue.clone())
    .bind(who.to_owned())
    .bind(now.micros())
    .bind(renewal.who.clone())
    .bind(renewal.begun_at.micros())
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// The queue is there again: whoever may have lost something is asked, or told, again, and the row goes, all
/// in this transaction. Operations are looked after at once, which sends their step's messages; ports are told
/// anew, for the mark of a change is gone when its message has left. What no operation has sent (repairs, the
/// removal of what belongs elsewhere) follows from the host's next inventory. Doing it again is harmless.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn finish(tx: &mut Tx, queue: &str, who: &str, carried: &Carried) -> Result<()> {
    operations::lock_open(tx).await?;
    for (service, host) in &carried.commands {
        wake(
            tx,
            "server IN (SELECT id FROM servers WHERE host = $2)",
            host.as_str(),
        )
        .await?;
        if *service == Service::Network {
            sqlx::query("UPDATE ports SET stale = 1 WHERE host = $1 AND leaving = 0")
                .bind(host.as_str().to_owned())
                .execute(tx.conn())
                .await?;
        }
    }
    if carried.placing {
        wake(tx, "step = $2", Step::Placing.as_str()).await?;
    }
    if carried.reports {
        // A host answers a command that it knows with the report that it made then.
        wake(tx, "step <> $2", Step::Placing.as_str()).await?;
        sqlx::query(
            "UPDATE ports SET stale = 1 WHERE host IS NOT NULL AND leaving = 0 AND status <> $1",
        )
        .bind(ACTIVE)
        .execute(tx.conn())
        .await?;
    }
    // Another may have taken it over, and then sees to what it has lost itself.
    sqlx::query("DELETE FROM renewals WHERE queue = $1 AND who = $2")
        .bind(queue.to_owned())
        .bind(who.to_owned())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Has open operations looked after at once. `which` speaks of `$2`.
async fn wake(tx: &mut Tx, which: &'static str, value: &str) -> Result<()> {
    let sql = format!(
        "UPDATE operations SET wake_at = $1 WHERE ended_at IS NULL AND wake_at > $1 AND {which}"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(Timestamp::now().micros())
        .bind(value.to_owned())
        .execute(tx.conn())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
