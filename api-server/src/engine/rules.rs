//! Telling hosts what may pass now, where a change could not tell them itself: a server that joins a group
//! changes the rules of all ports that refer to that group.

use std::time::Duration;

use skybus_model::message::Context;
use skybus_store::networks::refresh;
use tokio_util::sync::CancellationToken;

use super::Engine;

const EVERY: Duration = Duration::from_millis(250);
const MOST: i64 = 100;

/// Tells hosts until the token is cancelled.
///
/// # Errors
/// None so far: a database that is away is tried again.
pub async fn run(engine: &Engine, token: CancellationToken) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = round(engine).await {
            tracing::warn!(%error, "hosts cannot be told of changed rules now");
        }
    }
}

async fn round(engine: &Engine) -> skybus_store::Result<()> {
    while refresh::is_needed(&engine.store).await? {
        let mut tx = engine.store.begin().await?;
        let told = refresh::flush(&mut tx, &Context::begin(), MOST).await?;
        engine.relay.push(tx.commit().await?);
        if told == 0 {
            break;
        }
    }
    Ok(())
}
