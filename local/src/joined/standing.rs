//! Noticing that the machine was removed from its cloud. Its accounts are gone then, and what it runs could
//! only knock at a closed door for ever.

use std::time::Duration;

use super::{
    Host,
    exchange::{Seen, standing},
};
use crate::{DataDir, progress::Progress};

const ASK_EVERY: Duration = Duration::from_secs(20);

/// Returns when the cloud has said that this machine was removed; that is written down.
pub async fn removed(data: &DataDir, mut host: Host) {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        if was_removed(data, &mut host).await {
            break;
        }
    }
    tracing::warn!(host = %host.name, cloud = host.api, "this machine was removed; its processes end");
    Progress::Note("this machine was removed from its cloud".to_owned()).tell();
}

/// Asks once whether this machine was removed; that is written down.
pub async fn was_removed(data: &DataDir, host: &mut Host) -> bool {
    if standing(host).await != Some(Seen::Removed) {
        return false;
    }
    host.removed = true;
    if let Err(error) = host.save(data) {
        tracing::warn!("that this machine was removed could not be written down: {error}");
    }
    true
}
