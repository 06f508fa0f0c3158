//! Removing events that are too old to be of use to anybody who follows.

use std::time::Duration;

use skybus_model::Timestamp;
use skybus_store::events;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::app::App;

const EVERY: Duration = Duration::from_secs(3600);
/// How long events are kept: longer than a subscriber's queue, which holds a week.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Sweeps until the process ends.
///
/// # Errors
/// None: what could not be removed is removed the next time.
pub async fn run(app: App, end: CancellationToken) -> anyhow::Result<()> {
    let mut turns = interval(EVERY);
    loop {
        tokio::select! {
            () = end.cancelled() => return Ok(()),
            _ = turns.tick() => match once(&app, Timestamp::now()).await {
                Ok(0) => {}
                Ok(gone) => tracing::info!(gone, "old events were removed"),
                Err(error) => tracing::warn!(%error, "old events were not removed; trying again later"),
            }
        }
    }
}

/// Removes what is too old at `now`.
///
/// # Errors
/// When the database fails; the next sweep tries again.
pub(super) async fn once(app: &App, now: Timestamp) -> skybus_store::Result<u64> {
    let kept = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
    events::remove_old(&app.store, Timestamp(now.micros().saturating_sub(kept))).await
}
