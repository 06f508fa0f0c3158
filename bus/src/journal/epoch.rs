//! The tables, and what happens to them at each opening.

use std::time::Duration;

use skybus_model::Timestamp;
use sqlx::SqlitePool;

use super::Error;

/// How long the id of a finished command is kept, so that a late repetition is known as one.
const REMEMBER: Duration = Duration::from_secs(7 * 24 * 3600);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS inbox (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, routing_key TEXT NOT NULL, body BLOB NOT NULL,
    request_id TEXT NOT NULL, traceparent TEXT NOT NULL, at BIGINT NOT NULL, finished BIGINT);
CREATE INDEX IF NOT EXISTS inbox_unfinished ON inbox (id) WHERE finished IS NULL;
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key));
CREATE TABLE IF NOT EXISTS outbox (
    id TEXT PRIMARY KEY, exchange TEXT NOT NULL, routing_key TEXT NOT NULL, kind TEXT NOT NULL,
    body BLOB NOT NULL, request_id TEXT NOT NULL, traceparent TEXT NOT NULL, at BIGINT NOT NULL);
";

/// Counts this opening, and forgets what was finished long ago.
pub(super) async fn begin(writer: &SqlitePool) -> Result<i64, Error> {
    sqlx::raw_sql(SCHEMA).execute(writer).await?;
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    let (epoch,): (i64,) = sqlx::query_as(
        "INSERT INTO counters (name, value) VALUES ('epoch', $1)
         ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
    )
    .bind(first_epoch())
    .fetch_one(&mut *tx)
    .await?;
    let old = i64::try_from(REMEMBER.as_micros()).unwrap_or(i64::MAX);
    sqlx::query("DELETE FROM inbox WHERE finished < $1")
        .bind(Timestamp::now().micros().saturating_sub(old))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(epoch)
}

/// A new journal may be that of an agent which lost its old one. Taken from the clock, its epoch is
/// ahead of the former life's, unless that agent was started more than once a second.
fn first_epoch() -> i64 {
    i64::try_from(Timestamp::now().seconds()).unwrap_or(1)
}
