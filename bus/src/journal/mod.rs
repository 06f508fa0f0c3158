//! An agent's journal: a SQLite file that holds its inbox, its own records, its counters and its outbox.
//!
//! A command is acknowledged to the broker once it is a row here; the work then runs from the row, so
//! a crash resumes it. What the agent did, what it now knows and what it reports are committed in one
//! transaction, so a report is never lost and never without its fact. Each opening begins a new epoch.

mod error;
mod outbox;
mod tx;

#[cfg(test)]
mod tests;

use std::{path::Path, time::Duration};

use serde::de::DeserializeOwned;
use skybus_model::{
    Timestamp,
    id::MessageId,
    message::{Context, Outgoing},
};
use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use error::Error;
pub use tx::JournalTx;

use crate::Delivery;

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

/// The journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    /// One connection: writers take turns here instead of meeting SQLite's lock.
    writer: SqlitePool,
    readers: SqlitePool,
    epoch: i64,
}

/// Whether an accepted command is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is; its work is to be begun.
    New,
    /// It was accepted before: the work is going on or done.
    Known,
}

/// An accepted command whose work has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The message's id; the work ends with [`JournalTx::finish`] of it.
    pub id: MessageId,
    /// `server.ensure/1`.
    pub kind: String,
    /// JSON.
    pub body: Vec<u8>,
    /// The trace that it belongs to.
    pub context: Context,
    /// `compute.node-1.server.ensure`.
    pub routing_key: String,
    /// When the message was made.
    pub at: Timestamp,
}

impl Work {
    /// The delivery that led to this work, to be decoded again.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        Delivery {
            id: self.id,
            kind: self.kind.clone(),
            routing_key: self.routing_key.clone(),
            body: self.body.clone(),
            context: self.context.clone(),
            at: self.at,
            redelivered: true,
            attempts: 0,
            reply_to: None,
            correlation: None,
        }
    }
}

impl Journal {
    /// Opens the file, making it when it is missing, and begins a new epoch.
    ///
    /// # Errors
    /// When the file cannot be opened or written.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        // FULL, because an acknowledged command must survive a power cut.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await?;
        sqlx::raw_sql(SCHEMA).execute(&writer).await?;
        let epoch = begin_epoch(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options)
            .await?;
        Ok(Self {
            writer,
            readers,
            epoch,
        })
    }

    /// Counts the openings of this journal.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Makes a command durable. Once this returns, the command may be acknowledged.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn accept(&self, delivery: &Delivery) -> Result<Accepted, Error> {
        let written = sqlx::query(
            "INSERT INTO inbox (id, kind, routing_key, body, request_id, traceparent, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        )
        .bind(delivery.id.to_string())
        .bind(&delivery.kind)
        .bind(&delivery.routing_key)
        .bind(&delivery.body)
        .bind(&delivery.context.request_id)
        .bind(&delivery.context.traceparent)
        .bind(delivery.at.micros())
        .execute(&self.writer)
        .await?;
        Ok(if written.rows_affected() == 1 {
            Accepted::New
        } else {
            Accepted::Known
        })
    }

    /// The commands whose work has not ended, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn unfinished(&self) -> Result<Vec<Work>, Error> {
        let rows = sqlx::query(
            "SELECT id, kind, routing_key, body, request_id, traceparent, at
             FROM inbox WHERE finished IS NULL ORDER BY rowid",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Work {
                    id: error::id(row.try_get("id")?)?,
                    kind: row.try_get("kind")?,
                    body: row.try_get("body")?,
                    context: Context {
                        request_id: row.try_get("request_id")?,
                        traceparent: row.try_get("traceparent")?,
                    },
                    routing_key: row.try_get("routing_key")?,
                    at: Timestamp(row.try_get("at")?),
                })
            })
            .collect()
    }

    /// A record of the agent's own.
    ///
    /// # Errors
    /// When the file cannot be read, or the record is not a `T`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        table: &'static str,
        key: &str,
    ) -> Result<Option<T>, Error> {
        tx::get(&self.readers, table, key).await
    }

    /// All records of a table, by key.
    ///
    /// # Errors
    /// When the file cannot be read, or a record is not a `T`.
    pub async fn list<T: DeserializeOwned>(
        &self,
        table: &'static str,
    ) -> Result<Vec<(String, T)>, Error> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT key, value FROM records WHERE kind = $1 ORDER BY key")
                .bind(table)
                .fetch_all(&self.readers)
                .await?;
        rows.into_iter()
            .map(|(key, value)| Ok((key, serde_json::from_str(&value)?)))
            .collect()
    }

    /// Begins a transaction. Writers wait here for each other, so keep it short.
    ///
    /// # Errors
    /// When the file cannot be locked.
    pub async fn begin(&self) -> Result<JournalTx, Error> {
        Ok(JournalTx::new(
            self.writer.begin_with("BEGIN IMMEDIATE").await?,
            self.epoch,
        ))
    }

    /// Closes the file in good order. Not needed for safety: a killed process loses nothing either.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Counts this opening, and forgets what was finished long ago.
async fn begin_epoch(writer: &SqlitePool) -> Result<i64, Error> {
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

/// What a row of the outbox holds.
fn outgoing(row: &sqlx::sqlite::SqliteRow) -> Result<Outgoing, Error> {
    let exchange: String = row.try_get("exchange")?;
    Ok(Outgoing {
        id: error::id(row.try_get("id")?)?,
        exchange: exchange
            .parse()
            .map_err(|_| Error::Damaged { what: exchange })?,
        routing_key: row.try_get("routing_key")?,
        kind: row.try_get("kind")?,
        body: row.try_get("body")?,
        context: Context {
            request_id: row.try_get("request_id")?,
            traceparent: row.try_get("traceparent")?,
        },
        at: Timestamp(row.try_get("at")?),
    })
}
