//! The broker as a machine's row says.
//!
//! Passwords are derived from the row and a key that goes with the broker's administrator, so that whoever is
//! asked, however often, gives the same account the same password, and none is kept anywhere.

use std::collections::BTreeMap;

use skybus_bus::accounts::{Management, machine};
use skybus_model::{HostName, machine::Role};
use skybus_store::machines::{self, Machine};

use super::{account_key::AccountKey, add::reach};
use crate::{
    app::App,
    http::Error,
    operator::bus::{account_error, management},
};

/// What a machine can join as.
pub(super) const JOINING: [Role; 3] = [Role::Compute, Role::Scheduler, Role::Api];

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
    let joined = machine.secret.as_deref().zip(machine.joiner.as_deref());
    let Some(whose) = joined.filter(|_| !machine.state.is_away()) else {
        dismiss(&management, name, &JOINING).await?;
        return Ok(BTreeMap::new());
    };
    // What this API server lacks to admit a machine is no reason to send it away.
    let reach = reach(app)?;
    let key = AccountKey::of(app.config.account_key.as_deref())?;
    // It may have been invited as something else before.
    let others: Vec<Role> = JOINING.into_iter().filter(|one| *one != role).collect();
    dismiss(&management, name, &others).await?;
    let password = |account: &str| key.password(account, whose);
    machine::admit(&management, &reach.broker, (role, name), password)
        .await
        .map_err(account_error)
}

async fn dismiss(management: &Management, name: &HostName, roles: &[Role]) -> Result<(), Error> {
    for role in roles {
        machine::dismiss(management, *role, name)
            .await
            .map_err(account_error)?;
    }
    Ok(())
}
