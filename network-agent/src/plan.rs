//! What the worker would change on its host, without changing it: asked over the bus, or by `--dry-run`.

use std::collections::BTreeSet;

use skybus_bus::journal::{self, Journal};
use skybus_model::{HostName, message::call::PlanAnswer};

use crate::{agent, changes::Changes, config::Config, desired::Network, failure, record};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What should be on the host is not known.
    #[error("its records cannot be read: {0}")]
    Records(#[from] journal::Error),
    /// What is on the host is not known.
    #[error(transparent)]
    Host(#[from] failure::Error),
}

/// What would be changed on these hosts, in order, a line each; nothing when all is as the records want it.
///
/// # Errors
/// [`Error`] when the records or the host cannot be read.
pub async fn of(
    config: &Config,
    journal: &Journal,
    hosts: &[HostName],
) -> Result<Vec<String>, Error> {
    let records = record::load(journal, hosts).await?;
    // One of its own: the worker's remembers what it has loaded, and changes it meanwhile.
    let driver = agent::driver(config);
    let look = move || {
        let mut changes = Changes::rehearsal();
        for records in records.into_values() {
            let networks = records.desired();
            for network in &networks {
                let made = driver.converge(network, &BTreeSet::new(), &mut changes);
                rehearsed(network, made.map(drop), &mut changes)?;
            }
            driver.converge_host(&networks, &BTreeSet::new(), &mut changes)?;
            for network in &networks {
                let plugged = driver.plug(network, &mut changes);
                rehearsed(network, plugged, &mut changes)?;
            }
        }
        Ok(changes.list().to_vec())
    };
    tokio::task::spawn_blocking(look)
        .await
        .unwrap_or_else(|cut_off| Err(failure::Error::CutOff(cut_off.to_string()).into()))
}

/// What this host cannot carry keeps nobody from seeing what it would do with the rest.
fn rehearsed(
    network: &Network,
    outcome: Result<(), failure::Error>,
    changes: &mut Changes,
) -> Result<(), failure::Error> {
    match outcome {
        Err(failure::Error::Segment(why)) => {
            changes.note(format!("{}: left out: {why}", network.namespace()));
            Ok(())
        }
        other => other,
    }
}

/// The answer to whoever asks over the bus.
pub(crate) async fn answer(config: &Config, journal: &Journal, host: HostName) -> PlanAnswer {
    match of(config, journal, &[host]).await {
        Ok(changes) => PlanAnswer::Changes(changes),
        Err(error) => PlanAnswer::Failed(error.to_string()),
    }
}
