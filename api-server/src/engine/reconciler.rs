//! Looking after operations that have been silent for too long. It takes no input but the database, so
//! "after a crash" is no special case.

use std::time::Duration;

use skybus_model::Timestamp;
use skybus_store::{
    lifecycle::overdue::{self, Caretaker, Done},
    operations,
};
use tokio_util::sync::CancellationToken;

use super::Engine;

const EVERY: Duration = Duration::from_secs(1);
/// How many operations are looked after in one round.
const MOST: i64 = 200;

/// Looks after operations until the token is cancelled.
///
/// # Errors
/// None so far: a database that is away is tried again.
pub async fn run(engine: &Engine, token: CancellationToken) -> anyhow::Result<()> {
    let mut away_since: Option<Timestamp> = None;
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
        if !engine.bus.connected() {
            // Nobody can be told anything, and nobody is to blame: what was said waits in the outbox.
            away_since.get_or_insert_with(Timestamp::now);
            continue;
        }
        if let Err(error) = round(engine, away_since.take()).await {
            tracing::warn!(%error, "operations cannot be looked after now");
        }
    }
}

async fn round(engine: &Engine, away_since: Option<Timestamp>) -> skybus_store::Result<()> {
    if let Some(since) = away_since {
        let away = Timestamp::now().since(since);
        let forgiven = overdue::forgive(&engine.store, away).await?;
        tracing::info!(
            ?away,
            forgiven,
            "the broker is back; deadlines are moved by its absence"
        );
        // What waits in the outbox leaves first; only then does silence mean anything again.
        return Ok(());
    }
    for operation in operations::due(&engine.store, Timestamp::now(), MOST).await? {
        let mut tx = engine.store.begin().await?;
        let caretaker = Caretaker {
            who: &engine.who,
            key: &engine.key,
        };
        let done = overdue::look_after(&mut tx, &operation, caretaker).await?;
        engine.relay.push(tx.commit().await?);
        if done != Done::Nothing {
            tracing::info!(operation = %operation.id, server = %operation.server,
                request = operation.context.request_id, ?done, "was silent for too long");
        }
    }
    Ok(())
}
