//! `skybus status` of a machine that has joined a cloud.

use futures::future::join_all;

use super::Host;
use crate::{
    DataDir, Error,
    state::{Phase, State},
    status::{
        Report,
        gather::{of_roles, role, runs},
    },
    supervisor,
};

/// What runs here, and what is wrong with it.
///
/// # Errors
/// When what the machine remembers cannot be read.
pub async fn report(data: &DataDir) -> Result<Report, Error> {
    let host = Host::load(data)?;
    let state = State::load(data);
    let supervised = data.is_supervised();
    let client = supervisor::client()?;
    let names = host.roles();
    let asked = names.iter().map(|name| {
        let (client, state, ports) = (&client, &state, &host.ports);
        async move {
            runs(state, name)?;
            supervisor::health_of_role(client, ports, name).await
        }
    });
    let health = join_all(asked).await;
    let roles: Vec<_> = names
        .iter()
        .zip(health)
        .map(|(name, health)| role(&state, name, health))
        .collect();
    let mut problems = Vec::new();
    if host.removed {
        problems.push(format!(
            "this machine ({}) was removed from the cloud; `skybus down --purge` clears it",
            host.name
        ));
    } else if host.grant.is_none() {
        problems.push("this machine has not joined yet; repeat `skybus join TOKEN`".to_owned());
    } else if state.phase == Phase::Stopped && state.alive().next().is_none() {
        problems.push("nothing runs here; start it with `skybus join`".to_owned());
    } else {
        if !supervised {
            problems.push(
                "the supervisor does not run, nothing that dies is started again; `skybus join` brings it back"
                    .to_owned(),
            );
        }
        problems.extend(of_roles(data, &roles, &state));
    }
    Ok(Report {
        data_dir: data.path().to_owned(),
        url: host.api,
        phase: state.phase,
        supervisor: state.supervisor.filter(|_| supervised).map(|id| id.pid),
        roles,
        hosts: None,
        queues: None,
        problems,
    })
}
