//! Messages that have been decided but may not have left yet.

use skybus_model::{
    Timestamp,
    id::MessageId,
    message::{BY_A_WRONG_CLOCK, Context, Outbox, Outgoing},
};
use sqlx::{AssertSqlSafe, any::AnyRow};

use crate::{
    Error, Result, Store, Tx,
    row::{Columns, places},
};

pub(crate) async fn insert(tx: &mut Tx, message: &Outgoing) -> Result<()> {
    sqlx::query(
        "INSERT INTO outbox (id, exchange, routing_key, kind, body, request_id, traceparent, made_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(message.id.to_string())
    .bind(message.exchange.as_str())
    .bind(message.routing_key.clone())
    .bind(message.kind.clone())
    .bind(String::from_utf8_lossy(&message.body).into_owned())
    .bind(message.context.request_id.clone())
    .bind(message.context.traceparent.clone())
    .bind(message.at.micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Outgoing> {
    Ok(Outgoing {
        id: row.word("id")?,
        exchange: row.word("exchange")?,
        routing_key: row.text("routing_key")?,
        kind: row.text("kind")?,
        body: row.text("body")?.into_bytes(),
        context: Context {
            request_id: row.text("request_id")?,
            traceparent: row.text("traceparent")?,
        },
        at: row.time("made_at")?,
    })
}

/// How many messages wait, and since when the oldest does.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn waiting(store: &Store) -> Result<(i64, Option<Timestamp>)> {
    let row = sqlx::query("SELECT COUNT(*) AS n, MIN(made_at) AS oldest FROM outbox")
        .fetch_one(store.pool())
        .await?;
    Ok((row.number("n")?, row.maybe_time("oldest")?))
}

impl Outbox for Store {
    type Error = Error;

    async fn unsent(&self, before: Timestamp, most: u32) -> Result<Vec<Outgoing>> {
        let sql = "SELECT * FROM outbox WHERE made_at < $1 OR made_at > $2 ORDER BY id LIMIT $3";
        sqlx::query(sql)
            .bind(before.micros())
            .bind(before.after(BY_A_WRONG_CLOCK).micros())
            .bind(i64::from(most))
            .fetch_all(self.pool())
            .await?
            .iter()
            .map(read)
            .collect()
    }

    async fn sent(&self, ids: &[MessageId]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        // Sent rows are of no further use: what happened is told by operations, hops and events.
        let mut tx = self.begin().await?;
        let text = format!("DELETE FROM outbox WHERE id IN ({})", places(1..=ids.len()));
        let mut query = sqlx::query(AssertSqlSafe(text));
        for id in ids {
            query = query.bind(id.to_string());
        }
        query.execute(tx.conn()).await?;
        tx.commit().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use skybus_model::message::notification::Notification;

    use super::*;
    use crate::testing::TestStore;

    async fn what_was_sent_is_not_sent_again(store: &Store) {
        let notification = Notification {
            publisher_id: "api.skybus".into(),
            event_type: "compute.instance.update".into(),
            payload: serde_json::json!({}),
            request_id: "req-1".into(),
            project_id: String::new(),
        };
        let mut tx = store.begin().await.unwrap();
        for _ in 0..3 {
            let message = Outgoing::notification(&notification, &Context::begin());
            tx.send(message).await.unwrap();
        }
        let messages = tx.commit().await.unwrap();
        let later = Timestamp::now().after(Duration::from_secs(1));
        assert_eq!(store.unsent(later, 10).await.unwrap(), messages);
        store.sent(&[messages[0].id, messages[2].id]).await.unwrap();
        assert_eq!(
            store.unsent(later, 10).await.unwrap(),
            [messages[1].clone()]
        );
        assert_eq!(waiting(store).await.unwrap().0, 1);
        // Whoever made them does it still; but a clock that was set back by an hour holds nothing up.
        let ago = |seconds: i64| Timestamp(Timestamp::now().micros() - seconds * 1_000_000);
        assert_eq!(store.unsent(ago(30), 10).await.unwrap(), []);
        assert_eq!(
            store.unsent(ago(3600), 10).await.unwrap(),
            [messages[1].clone()]
        );
    }

    #[tokio::test]
    async fn on_sqlite() {
        what_was_sent_is_not_sent_again(&TestStore::sqlite().await.store).await;
    }

    #[tokio::test]
    async fn on_postgresql() {
        what_was_sent_is_not_sent_again(&TestStore::postgres().await.store).await;
    }
}
