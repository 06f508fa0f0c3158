//! The journal as an outbox that the relay empties.

use skybus_model::{
    Timestamp,
    id::MessageId,
    message::{Outbox, Outgoing},
};

use super::{Error, Journal, outgoing};

impl Outbox for Journal {
    type Error = Error;

    async fn unsent(&self, before: Timestamp, most: u32) -> Result<Vec<Outgoing>, Error> {
        let rows = sqlx::query(
            "SELECT id, exchange, routing_key, kind, body, request_id, traceparent, at
             FROM outbox WHERE at < $1 ORDER BY id LIMIT $2",
        )
        .bind(before.micros())
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
