//! Looking whether broker and rows agree about the machines: removals that nobody finished go on, what a removed
//! machine still has is taken from it, and what a joined one lacks is made again.
//!
//! An API server can be killed between any two steps, and a broker can lose everything that it had.

use std::{collections::BTreeSet, time::Duration};

use skybus_bus::accounts::machine::account;
use skybus_model::machine::{Role, State};
use skybus_store::machines::{self, Machine};
use tokio_util::sync::CancellationToken;

use super::{broker, remove::finish};
use crate::{
    app::App,
    http::Error,
    operator::bus::{account_error, management},
};

const EVERY: Duration = Duration::from_secs(5);

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
        if let Err(error) = look(&app).await {
            tracing::warn!(%error, "the machines cannot be looked at now");
        }
    }
}

async fn look(app: &App) -> Result<(), Error> {
    let mut machines = machines::all(&app.store).await?;
    machines.retain(|machine| machine.role != Role::All);
    if machines.is_empty() {
        return Ok(());
    }
    let accounts = management(app)?.accounts("skybus.").await;
    let accounts: BTreeSet<String> = accounts.map_err(account_error)?.into_iter().collect();
    for machine in machines {
        let done = match machine.state {
            State::Leaving => finish(app, &machine.name).await,
            state if fits(state, &machine, &accounts) => Ok(()),
            state => {
                tracing::warn!(host = %machine.name, %state, "its accounts are not as they should be");
                broker::settle(app, &machine.name).await.map(drop)
            }
        };
        if let Err(error) = done {
            tracing::warn!(host = %machine.name, %error, "it cannot be put right now; it is tried again");
        }
    }
    Ok(())
}

fn fits(state: State, machine: &Machine, accounts: &BTreeSet<String>) -> bool {
    let mut own = machine
        .role
        .services()
        .iter()
        .map(|service| accounts.contains(&account(*service, &machine.name).name));
    match state {
        State::Joined => own.all(|there| there),
        State::Removed => own.all(|there| !there),
        // One that is just joining has some of them.
        State::Invited | State::Leaving => true,
    }
}

#[cfg(test)]
mod tests {
    use skybus_model::Timestamp;

    use super::*;

    #[test]
    fn a_joined_machine_has_all_accounts_and_a_removed_one_none() {
        let machine = |state| Machine {
            name: "b".parse().unwrap(),
            role: Role::Compute,
            state,
            secret: None,
            expires_at: None,
            joiner: None,
            updated_at: Timestamp(0),
        };
        let some = ["skybus.compute.b", "skybus.network.other"];
        let both = ["skybus.compute.b", "skybus.network.b"];
        for (state, accounts, good) in [
            (State::Joined, &both[..], true),
            (State::Joined, &some[..], false),
            (State::Removed, &some[..], false),
            (State::Removed, &[][..], true),
            (State::Invited, &some[..], true),
        ] {
            let accounts = accounts.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(
                fits(state, &machine(state), &accounts),
                good,
                "{state} {accounts:?}"
            );
        }
    }
}
