//! Going on with removals that nobody finished: their API server was killed, or the broker was away.

use std::time::Duration;

use skybus_model::{Timestamp, machine::State};
use skybus_store::machines::{self, Machine};
use tokio_util::sync::CancellationToken;

use super::{broker, remove::finish};
use crate::{app::App, http::Error};

const EVERY: Duration = Duration::from_secs(5);
/// So long after a removal its accounts are looked for again: a machine may have been joining in that moment,
/// through an API server that was killed before it noticed.
const LINGER: Duration = Duration::from_secs(120);

/// Looks until the token is cancelled.
///
/// # Errors
/// None so far: what cannot be done now is tried again.
pub async fn run(app: App, token: CancellationToken) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
        let machines = match machines::all(&app.store).await {
            Ok(machines) => machines,
            Err(error) => {
                tracing::warn!(%error, "the machines cannot be looked at now");
                continue;
            }
        };
        for machine in machines {
            if let Err(error) = look(&app, &machine).await {
                tracing::warn!(host = %machine.name, %error, "its removal cannot go on now");
            }
        }
    }
}

async fn look(app: &App, machine: &Machine) -> Result<(), Error> {
    let lingers = Timestamp::now().since(machine.updated_at) < LINGER;
    match machine.state {
        State::Leaving => finish(app, &machine.name).await,
        State::Removed if lingers => broker::settle(app, &machine.name).await.map(drop),
        State::Removed | State::Invited | State::Joined => Ok(()),
    }
}
