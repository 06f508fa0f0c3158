//! Looking whether broker and rows agree about the machines: removals that nobody finished go on, what a removed
//! machine still has is taken from it, and what a joined one lacks is made again.
//!
//! An API server can be killed between any two steps, and a broker can lose everything that it had.

use std::{collections::BTreeSet, time::Duration};

use skybus_bus::accounts::{
    Management,
    machine::{account, queue_names},
};
use skybus_model::machine::{Role, State};
use skybus_store::machines::{self, Machine};
use tokio_util::sync::CancellationToken;

use super::{
    broker::{self, JOINING},
    remove::finish,
};
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
    if app.config.reach.is_none() {
        // Nobody can be admitted here; whoever was removed is still sent away.
        machines.retain(|machine| machine.state.is_away());
    }
    if machines.is_empty() {
        return Ok(());
    }
    let held = Held::by(&management(app)?).await?;
    for machine in machines {
        let done = match machine.state {
            State::Leaving => finish(app, &machine.name).await,
            _ if held.fits(&machine) => Ok(()),
            state => {
                tracing::warn!(host = %machine.name, %state, "the broker does not hold for it what it should");
                broker::settle(app, &machine.name).await.map(drop)
            }
        };
        if let Err(error) = done {
            tracing::warn!(host = %machine.name, %error, "it cannot be put right now; it is tried again");
        }
    }
    Ok(())
}

/// What the broker holds, of whomever.
struct Held {
    accounts: BTreeSet<String>,
    queues: BTreeSet<String>,
}

impl Held {
    async fn by(management: &Management) -> Result<Self, Error> {
        let accounts = management.accounts("skybus.").await;
        let queues = management.queues().await.map_err(account_error)?;
        Ok(Self {
            accounts: accounts.map_err(account_error)?.into_iter().collect(),
            queues: queues.into_iter().map(|queue| queue.name).collect(),
        })
    }

    /// Whether that is what the machine's row says.
    fn fits(&self, machine: &Machine) -> bool {
        let (role, others) = (machine.role, JOINING.into_iter());
        let mut others = others.filter(|other| *other != role);
        match machine.state {
            State::Joined => {
                self.of(machine, role).all(|there| there)
                    && !others.any(|other| self.of(machine, other).any(|there| there))
            }
            State::Invited if machine.joiner.is_some() => true,
            // One that nobody has used yet may replace one that somebody had.
            State::Invited | State::Removed => !JOINING
                .into_iter()
                .any(|any| self.of(machine, any).any(|there| there)),
            State::Leaving => true,
        }
    }

    /// Of each account and queue that it has in this role, whether it is there.
    fn of<'a>(&'a self, machine: &'a Machine, role: Role) -> impl Iterator<Item = bool> + 'a {
        let accounts = role.services().iter().map(|service| {
            self.accounts
                .contains(&account(*service, &machine.name).name)
        });
        let queues = queue_names(role, &machine.name);
        accounts.chain(queues.into_iter().map(|queue| self.queues.contains(&queue)))
    }
}

#[cfg(test)]
mod tests {
    use skybus_model::Timestamp;

    use super::*;

    #[test]
    fn the_broker_holds_for_a_machine_what_its_row_says_and_nothing_else() {
        let machine = |state, joiner: Option<&str>| Machine {
            name: "b".parse().unwrap(),
            role: Role::Compute,
            state,
            secret: None,
            expires_at: None,
            joiner: joiner.map(str::to_owned),
            updated_at: Timestamp(0),
        };
        let b = "b".parse().unwrap();
        let queues = queue_names(Role::Compute, &b);
        assert!(queues.len() > 1);
        let some = &["skybus.compute.b", "skybus.network.other"][..];
        let both = &["skybus.compute.b", "skybus.network.b"][..];
        let former = &["skybus.compute.b", "skybus.network.b", "skybus.scheduler.b"][..];
        let (all, lost) = (&queues[..], &queues[1..]);
        for (state, joiner, accounts, queues, good) in [
            (State::Joined, Some("key"), both, all, true),
            (State::Joined, Some("key"), some, all, false),
            (State::Joined, Some("key"), both, lost, false),
            (State::Joined, Some("key"), former, all, false),
            (State::Removed, Some("key"), some, &[][..], false),
            (State::Removed, Some("key"), &[][..], lost, false),
            (State::Removed, Some("key"), &[][..], &[][..], true),
            (State::Invited, Some("key"), some, &[][..], true),
            (State::Invited, None, &["skybus.api.b"][..], &[][..], false),
            (State::Invited, None, &["skybus.api.c"][..], &[][..], true),
        ] {
            let held = Held {
                accounts: accounts.iter().map(|name| (*name).to_owned()).collect(),
                queues: queues.iter().cloned().collect(),
            };
            assert_eq!(
                held.fits(&machine(state, joiner)),
                good,
                "{state} {accounts:?} {queues:?}"
            );
        }
    }
}
