//! The broker is away: nobody can be told anything, and nobody is to blame. When it is back, the time of its
//! absence is given to every open operation.
//!
//! Since when it is away stands in one row: whoever notices first writes it down, all who go without the
//! broker say so again each second ([`note`]), and whoever notices its return first ends it and forgives it
//! ([`over`]), in one transaction. So it is forgiven once, and also where those who noted it have died. An API
//! server that alone lost its connection notes an absence, too; the others, who never missed the broker, leave
//! that to it while it goes on noting.

use std::time::Duration;

use skybus_model::{
    Timestamp,
    message::heartbeat::{BEAT_EVERY, DOWN_AFTER},
};

use crate::{Engine, Result, Store, Tx, operations, row::Columns};

/// So long after the last note whoever noted it is dead or back, and has left the absence to the others.
const NOTED_LAST: Duration = Duration::from_secs(15);
/// What is shorter silences nobody: a connection that comes and goes must not stop all looking after.
const SILENCES: Duration = BEAT_EVERY;

/// What an absence came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgiven {
    /// How long it was.
    pub away: Duration,
    /// How many operations got more time.
    pub operations: u64,
}

/// Notes that the broker is away, and that whoever says so has missed it `since`.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn note(store: &Store, since: Timestamp, now: Timestamp) -> Result<()> {
    let mut tx = store.begin().await?;
    // What was before the end of the last absence has been forgiven.
    sqlx::query(
        "UPDATE absence SET noted_at = $2, since = CASE WHEN since IS NOT NULL THEN since \
         WHEN ended_at > $1 AND ended_at <= $2 THEN ended_at ELSE $1 END WHERE name = 'broker'",
    )
    .bind(since.micros())
    .bind(now.micros())
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(())
}

/// What whoever asks knows of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// Nothing: it has just begun. An earlier process may have noted something.
    New,
    /// It went without the broker since then, until now.
    Missed(Timestamp),
    /// It had the broker all the time.
    Had,
}

/// With the broker there: ends the absence that is noted, or that was only missed, and forgives it.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn over(store: &Store, witness: Witness, now: Timestamp) -> Result<Option<Forgiven>> {
    if witness == Witness::Had && !is_left(store, now).await? {
        return Ok(None);
    }
    let mut tx = store.begin().await?;
    let sql = match tx.engine() {
        Engine::Sqlite => "SELECT * FROM absence WHERE name = 'broker'",
        Engine::Postgres => "SELECT * FROM absence WHERE name = 'broker' FOR UPDATE",
    };
    let row = sqlx::query(sql).fetch_one(tx.conn()).await?;
    let ended = row.time("ended_at")?;
    let since = match (row.maybe_time("since")?, witness) {
        (Some(since), _) => since,
        // The database was away as well. What another has ended meanwhile is forgiven already.
        (None, Witness::Missed(since)) if since > ended || ended > now => since,
        (None, _) => return Ok(None),
    };
    sqlx::query("UPDATE absence SET since = NULL, ended_at = $1 WHERE name = 'broker'")
        .bind(now.micros())
        .execute(tx.conn())
        .await?;
    let away = now.since(since);
    // Nobody is looked after before it can be known who is silent.
    let not_before = (away > SILENCES).then(|| now.after(DOWN_AFTER));
    let operations = forgive(&mut tx, (since, now), not_before).await?;
    tx.commit().await?;
    Ok(Some(Forgiven { away, operations }))
}

/// Whether an absence is noted, and nobody notes it any more.
async fn is_left(store: &Store, now: Timestamp) -> Result<bool> {
    let sql = "SELECT noted_at FROM absence WHERE name = 'broker' AND since IS NOT NULL";
    let noted: Option<i64> = sqlx::query_scalar(sql).fetch_optional(store.pool()).await?;
    Ok(noted.is_some_and(|noted| now.since(Timestamp(noted)) > NOTED_LAST))
}

/// Gives every open operation the time by which a wall clock was set forward: none if it was set back. Hosts are
/// heard out again in either case. Returns how many operations there are.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn clock_was_set(store: &Store, ahead: Duration, now: Timestamp) -> Result<u64> {
    let mut tx = store.begin().await?;
    let before = Timestamp(
        now.micros()
            .saturating_sub(Timestamp(0).after(ahead).micros()),
    );
    let not_before = Some(now.after(DOWN_AFTER));
    let operations = forgive(&mut tx, (before, now), not_before).await?;
    tx.commit().await?;
    Ok(operations)
}

/// Gives every open operation the time from `since` to `now`, in which no message could leave. What was
/// accepted meanwhile has missed less of it. `not_before` is when the first of them is looked after, if that is
/// to wait.
async fn forgive(
    tx: &mut Tx,
    (since, now): (Timestamp, Timestamp),
    not_before: Option<Timestamp>,
) -> Result<u64> {
    let since = since.min(now);
    operations::lock_open(tx).await?;
    // What is further ahead than anybody is put off was written by a clock that was wrong.
    let done = sqlx::query(
        "UPDATE operations SET deadline = deadline + CASE WHEN started_at >= $2 THEN 0 \
         WHEN started_at > $1 THEN $2 - started_at ELSE $2 - $1 END, \
         wake_at = CASE WHEN wake_at < $3 AND $5 = 1 OR wake_at > $4 THEN $3 ELSE wake_at END WHERE ended_at IS NULL",
    )
    .bind(since.micros())
    .bind(now.micros())
    .bind(not_before.unwrap_or(now).micros())
    .bind(now.after(operations::LONGEST_WAIT).micros())
    .bind(i64::from(not_before.is_some()))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
