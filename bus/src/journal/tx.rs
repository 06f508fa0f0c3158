//! A transaction of the journal: facts, counters, reports and finished work, all or nothing.

use serde::{Serialize, de::DeserializeOwned};
use skybus_fault::{self as fault, Point};
use skybus_model::{
    HostName, Order, Timestamp,
    id::MessageId,
    message::{Context, Event, Outgoing},
};
use sqlx::{Sqlite, SqliteExecutor, Transaction};

use super::Error;

/// An open transaction. Dropping it takes everything back.
#[derive(Debug)]
pub struct JournalTx {
    tx: Transaction<'static, Sqlite>,
    epoch: i64,
    emitted: Vec<Outgoing>,
}

impl JournalTx {
    pub(super) const fn new(tx: Transaction<'static, Sqlite>, epoch: i64) -> Self {
        Self {
            tx,
            epoch,
            emitted: Vec::new(),
        }
    }

    /// A record, as this transaction sees it.
    ///
    /// # Errors
    /// When the file cannot be read, or the record is not a `T`.
    pub async fn get<T: DeserializeOwned>(
        &mut self,
        table: &'static str,
        key: &str,
    ) -> Result<Option<T>, Error> {
        get(&mut *self.tx, table, key).await
    }

    /// Writes a record, over the one that was there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn put<T: Serialize + Sync>(
        &mut self,
        table: &'static str,
        key: &str,
        value: &T,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO records (kind, key, value) VALUES ($1, $2, $3)
             ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
        )
        .bind(table)
        .bind(key)
        .bind(serde_json::to_string(value)?)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Removes a record, if it is there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn remove(&mut self, table: &'static str, key: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM records WHERE kind = $1 AND key = $2")
            .bind(table)
            .bind(key)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// The next value of the agent's own counter.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn next_order(&mut self) -> Result<Order, Error> {
        let (seq,): (i64,) = sqlx::query_as(
            "INSERT INTO counters (name, value) VALUES ('seq', 1)
             ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
        )
        .fetch_one(&mut *self.tx)
        .await?;
        Ok(Order {
            epoch: self.epoch,
            seq,
        })
    }

    /// Puts an event into the outbox. It leaves after the commit.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn emit<E: Event>(
        &mut self,
        host: &HostName,
        event: &E,
        context: &Context,
    ) -> Result<(), Error> {
        let message = Outgoing::event(host, event, context);
        sqlx::query(
            "INSERT INTO outbox (id, exchange, routing_key, kind, body, request_id, traceparent, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(message.id.to_string())
        .bind(message.exchange.as_str())
        .bind(&message.routing_key)
        .bind(&message.kind)
        .bind(&message.body)
        .bind(&message.context.request_id)
        .bind(&message.context.traceparent)
        .bind(message.at.micros())
        .execute(&mut *self.tx)
        .await?;
        self.emitted.push(message);
        Ok(())
    }

    /// Notes that the work of an accepted command has ended, one way or the other. Its id is kept,
    /// its content is not.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn finish(&mut self, id: MessageId) -> Result<(), Error> {
        sqlx::query("UPDATE inbox SET finished = $1, body = x'' WHERE id = $2")
            .bind(Timestamp::now().micros())
            .bind(id.to_string())
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Makes all of it durable. The events are the caller's to give to the relay at once; were it to
    /// die before that, the relay's sweep would find them.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing of the transaction holds.
    pub async fn commit(self) -> Result<Vec<Outgoing>, Error> {
        let what = self.emitted.first().map_or("-", |event| &event.kind);
        fault::hit(Point::JournalBeforeCommit, what);
        self.tx.commit().await?;
        fault::hit(Point::JournalAfterCommit, what);
        Ok(self.emitted)
    }
}

pub(super) async fn get<T: DeserializeOwned>(
    on: impl SqliteExecutor<'_>,
    table: &'static str,
    key: &str,
) -> Result<Option<T>, Error> {
    let row: Option<(String,)> =
        sqlx::query_as("SELECT value FROM records WHERE kind = $1 AND key = $2")
            .bind(table)
            .bind(key)
            .fetch_optional(on)
            .await?;
    Ok(row
        .map(|(value,)| serde_json::from_str(&value))
        .transpose()?)
}
