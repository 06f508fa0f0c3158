//! The broker as a machine's row says.
//!
//! Passwords are derived from the row and the key that signs paths, so that every API server, however often it
//! is asked, gives the same account the same password, and none is kept anywhere.

use std::collections::BTreeMap;

use skybus_bus::accounts::machine;
use skybus_model::{HostName, machine::State};
use skybus_store::machines::{self, Machine};

use crate::{
    app::App,
    http::Error,
    operator::bus::{account_error, management},
};

/// A machine with the broker's addresses for its processes; none where it has no accounts.
pub(super) type Settled = (Option<Machine>, BTreeMap<String, String>);

/// Makes the broker as the row says; and again if the row was changed meanwhile. Of several that do this at
/// the same time, the last one has seen the last row.
///
/// # Errors
/// When the broker's management does not answer; doing it again is harmless.
pub(super) async fn settle(app: &App, name: &HostName) -> Result<Settled, Error> {
    let mut row = machines::find(&app.store, name).await?;
    loop {
        let addresses = match &row {
            Some(machine) => as_said(app, machine).await?,
            None => BTreeMap::new(),
        };
        let now = machines::find(&app.store, name).await?;
        if is_same(row.as_ref(), now.as_ref()) {
            return Ok((now, addresses));
        }
        row = now;
    }
}

/// That it has joined meanwhile changes nothing for the broker.
fn is_same(one: Option<&Machine>, other: Option<&Machine>) -> bool {
    let of = |machine: Option<&Machine>| {
        machine.map(|m| {
            (
                m.role,
                m.state.is_away(),
                m.secret.clone(),
                m.joiner.clone(),
            )
        })
    };
    of(one) == of(other)
}

async fn as_said(app: &App, machine: &Machine) -> Result<BTreeMap<String, String>, Error> {
    let management = management(app)?;
    let (role, name) = (machine.role, &machine.name);
    let (Some(secret), Some(joiner), Some(reach)) =
        (&machine.secret, &machine.joiner, &app.config.reach)
    else {
        return dismissed(app, machine).await;
    };
    if matches!(machine.state, State::Leaving | State::Removed) {
        return dismissed(app, machine).await;
    }
    let password = |account: &str| {
        app.paths
            .secret_for(&format!("account {account} {secret} {joiner}"))
    };
    machine::admit(&management, &reach.broker, (role, name), password)
        .await
        .map_err(account_error)
}

async fn dismissed(app: &App, machine: &Machine) -> Result<BTreeMap<String, String>, Error> {
    machine::dismiss(&management(app)?, machine.role, &machine.name)
        .await
        .map_err(account_error)?;
    Ok(BTreeMap::new())
}
