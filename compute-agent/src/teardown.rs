//! `skybus-compute teardown`: ends every guest of this worker's directory in good order, for `skybus down`.
//! What they are is kept; those that should run are started again by the next worker.

use std::{path::Path, sync::Arc};

use futures::future::join_all;
use skybus_bus::journal::{self, Journal};
use skybus_model::server::{Desired, Power};
use tokio::sync::mpsc::unbounded_channel;

use crate::{
    agent::{Agent, GRACE, ledger::Ledger},
    config::{Config, VirtType},
    driver::{Driver, Hops, Place},
    qemu::{Qemu, Unsuitable, acceleration::Acceleration},
};

/// Why guests could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Their files cannot be reached.
    #[error(transparent)]
    Unsuitable(#[from] Unsuitable),
    /// What should run could not be noted.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// These are still there.
    #[error("{0} guests could not be ended; the log names them")]
    Left(usize),
}

/// Ends every guest, known or not. The worker itself must have ended before. Says how many there were.
///
/// # Errors
/// When one or more are still there; a second attempt does no harm.
pub async fn teardown(config: &Config) -> Result<usize, Error> {
    if config.virt_type == VirtType::Fake || !config.data_dir.exists() {
        return Ok(0);
    }
    let (changes, _) = unbounded_channel();
    let acceleration = Acceleration::Tcg;
    let qemu = Qemu::open(
        &config.data_dir,
        config.host.clone(),
        &config.api_url,
        acceleration,
        changes,
    )?;
    let qemu = Arc::new(qemu);
    remember_what_should_run(&qemu, &config.data_dir).await?;
    let places: Vec<Place> = qemu
        .list(&config.host)
        .await
        .into_iter()
        .map(|server| Place {
            host: config.host.clone(),
            server,
        })
        .collect();
    let ended = join_all(places.iter().map(|place| end(&qemu, place))).await;
    match ended.iter().filter(|ended| ended.is_none()).count() {
        0 => Ok(ended
            .into_iter()
            .flatten()
            .filter(|was_there| *was_there)
            .count()),
        left => Err(Error::Left(left)),
    }
}

/// Ends one guest. Says whether there was one; nothing if it is still there.
async fn end(qemu: &Qemu, place: &Place) -> Option<bool> {
    if !qemu.look(place).await.is_machine() {
        return Some(false);
    }
    match qemu.stop(place, GRACE, &Hops::on(&place.host)).await {
        Ok(()) => Some(true),
        Err(fault) => {
            tracing::error!(%place, %fault, details = fault.details, "a guest could not be ended");
            None
        }
    }
}

/// First takes note of what guests did while nobody looked, then marks those that run as ended together
/// with their host, so that their end is taken for no crash.
async fn remember_what_should_run(qemu: &Arc<Qemu>, data_dir: &Path) -> Result<(), Error> {
    let path = data_dir.join("journal.db");
    if !path.exists() {
        return Ok(());
    }
    let journal = Journal::open(path).await?;
    // What is reported waits in the journal for the next worker.
    let agent = Agent::new(qemu.clone(), journal.clone(), Box::new(drop), 1);
    let ledger = Ledger::new(journal.clone(), Box::new(drop));
    for (place, record) in ledger.records().await? {
        if !record.is_gone() {
            agent.look(place);
        }
    }
    agent.idle().await;
    for (place, mut record) in ledger.records().await? {
        if record.desired == Desired::Running
            && matches!(record.power, Power::Running | Power::Paused)
        {
            record.life.clear();
            ledger.keep(&place, &record).await?;
        }
    }
    journal.close().await;
    Ok(())
}
