//! An agent's journal: a SQLite file that holds its inbox, its own records, its counters and its outbox.
//!
//! A command is acknowledged to the broker once it is a row here; the work then runs from the row, so
//! a crash resumes it. What the agent did, what it now knows and what it reports are committed in one
//! transaction, so a report is never lost and never without its fact. Each opening begins a new epoch.

mod epoch;
mod error;
mod outbox;
mod tx;

#[cfg(test)]
mod tests;

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use futures::TryStreamExt;
use serde::de::DeserializeOwned;
use skybus_fault::{self as fault, Point};
use skybus_model::{Timestamp, id::MessageId, message::Context};
use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use error::Error;
pub use tx::JournalTx;

use crate::Delivery;

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
        keep_private(path.as_ref()).map_err(sqlx::Error::Io)?;
        // FULL, because an acknowledged command must survive a power cut.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await?;
        let epoch = epoch::begin(&writer, Timestamp::now()).await?;
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

    /// Grows with each opening of this journal.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Makes a command durable. Once this returns, the command may be acknowledged.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn accept(&self, delivery: &Delivery) -> Result<Accepted, Error> {
        fault::hit(Point::JournalBeforeAccept, &delivery.kind);
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
        fault::hit(Point::JournalAfterAccept, &delivery.kind);
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

    /// All records of a table, by key, or what a `T` takes of them: one after the other is read, and only the `T`s are
    /// kept in memory.
    ///
    /// # Errors
    /// When the file cannot be read, or a record is not a `T`.
    pub async fn list<T: DeserializeOwned>(
        &self,
        table: &'static str,
    ) -> Result<Vec<(String, T)>, Error> {
        let mut rows = sqlx::query_as::<_, (String, String)>(
            "SELECT key, value FROM records WHERE kind = $1 ORDER BY key",
        )
        .bind(table)
        .fetch(&self.readers);
        let mut list = Vec::new();
        while let Some((key, value)) = rows.try_next().await? {
            list.push((key, serde_json::from_str(&value)?));
        }
        Ok(list)
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

/// Makes the file for its owner alone, and takes it from others where it was theirs to read: commands
/// carry signed paths to images and config drives. SQLite gives what it puts beside the file the same mode.
fn keep_private(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::set_permissions(&name, Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
