//! The journal as an outbox that the relay empties.

use skybus_model::{
    Timestamp,
    id::MessageId,
    message::{BY_A_WRONG_CLOCK, Context, Outbox, Outgoing},
};
use sqlx::Row;

use super::{Error, Journal, error};

impl Outbox for Journal {
    type Error = Error;

    async fn unsent(&self, before: Timestamp, most: u32) -> Result<Vec<Outgoing>, Error> {
        let rows = sqlx::query(
            "SELECT id, exchange, routing_key, kind, body, request_id, traceparent, at
             FROM outbox WHERE at < $1 OR at > $2 ORDER BY id LIMIT $3",
        )
        .bind(before.micros())
        .bind(before.after(BY_A_WRONG_CLOCK).micros())
        .bind(i64::from(most))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(outgoing).collect()
    }

    async fn sent(&self, ids: &[MessageId]) -> Result<(), Error> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for id in ids {
            sqlx::query("DELETE FROM outbox WHERE id = $1")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
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
