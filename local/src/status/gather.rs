//! Asking everybody who may know, at the same time, none of them for long.

use futures::future::join_all;
use skybus_bus::accounts::QueueState;
use skybus_model::Timestamp;

use super::{
    Report, Role,
    api::{self, Known},
};
use crate::{
    DataDir, Error, broker,
    cloud::{Cloud, ROLES},
    state::{Phase, Process, State},
    supervisor,
};

/// A queue with so many messages is falling behind.
const MANY: u64 = 1000;

pub(super) async fn report(data: &DataDir) -> Result<Report, Error> {
    let cloud = Cloud::load(data)?;
    let state = State::load(data);
    let supervised = data.is_supervised();
    let client = supervisor::client()?;
    let names = names(&cloud);
    let asked = names
        .iter()
        .map(|name| health(&client, &cloud, &state, name));
    let (health, queues, known) =
        tokio::join!(join_all(asked), queues(&cloud), api::known(&client, &cloud));
    let roles: Vec<_> = names
        .iter()
        .zip(health)
        .map(|(name, health)| role(&state, name, health))
        .collect();

    let mut problems = Vec::new();
    if state.phase == Phase::Stopped && state.alive().next().is_none() {
        problems.push("the cloud does not run; start it with `skybus up`".to_owned());
    } else {
        if !supervised {
            problems.push("the supervisor does not run, nothing that dies is started again; `skybus up` brings it back".to_owned());
        }
        problems.extend(of_roles(data, &roles, &state));
        problems.extend(of_queues(
            queues.as_deref().map_err(Clone::clone).as_ref().map(|q| *q),
        ));
        problems.extend(of_api(&known));
    }
    Ok(Report {
        data_dir: data.path().to_owned(),
        url: cloud.url(),
        phase: state.phase,
        supervisor: state.supervisor.filter(|_| supervised).map(|id| id.pid),
        roles,
        hosts: known.ok().map(|known| known.hosts),
        queues: queues.ok(),
        problems,
    })
}

fn names(cloud: &Cloud) -> Vec<&'static str> {
    let own = cloud.options.broker.is_none().then_some(broker::NODE);
    own.into_iter().chain(ROLES).collect()
}

async fn health(
    client: &reqwest::Client,
    cloud: &Cloud,
    state: &State,
    name: &str,
) -> Result<(), String> {
    runs(state, name)?;
    if name == broker::NODE {
        return broker::setup::answers(cloud).await;
    }
    supervisor::health_of_role(client, &cloud.ports, name).await
}

/// Whether a process runs.
pub(crate) fn runs(state: &State, name: &str) -> Result<(), String> {
    let process = state.processes.get(name).and_then(|p| p.id);
    if process.is_some_and(|id| id.is_alive()) {
        Ok(())
    } else {
        Err("it does not run".to_owned())
    }
}

async fn queues(cloud: &Cloud) -> Result<Vec<QueueState>, String> {
    let management = broker::setup::management(cloud).map_err(|e| e.to_string())?;
    let mut queues = management.queues().await.map_err(|e| e.to_string())?;
    queues.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(queues)
}

pub(crate) fn role(state: &State, name: &str, health: Result<(), String>) -> Role {
    let nothing = Process::default();
    let process = state.processes.get(name).unwrap_or(&nothing);
    let alive = process.id.filter(|id| id.is_alive());
    Role {
        name: name.to_owned(),
        pid: alive.map(|id| id.pid),
        uptime_seconds: alive.map(|_| Timestamp::now().since(process.since).as_secs()),
        restarts: process.restarts,
        health: health.err().unwrap_or_else(|| "ok".to_owned()),
    }
}

pub(crate) fn of_roles(data: &DataDir, roles: &[Role], state: &State) -> Vec<String> {
    let unwell = roles.iter().filter(|role| role.health != "ok");
    unwell
        .map(|role| {
            let last = state
                .processes
                .get(&role.name)
                .and_then(|p| p.last_end.as_deref());
            let last = last
                .map(|how| format!("; last time it ended with {how}"))
                .unwrap_or_default();
            let log = data.log(&role.name);
            format!(
                "{}: {}{last} (log: {})",
                role.name,
                role.health,
                log.display()
            )
        })
        .collect()
}

fn of_queues(queues: Result<&[QueueState], &String>) -> Vec<String> {
    let queues = match queues {
        Ok(queues) => queues,
        Err(why) => return vec![format!("the broker's queues cannot be seen: {why}")],
    };
    let waiting = queues
        .iter()
        .filter(|queue| queue.name != DEAD && queue.messages >= MANY);
    let waiting = waiting.map(|queue| {
        format!(
            "{} messages wait in {}; its consumer falls behind",
            queue.messages, queue.name
        )
    });
    let dead = queues
        .iter()
        .find(|queue| queue.name == DEAD && queue.messages > 0);
    let dead = dead.map(|queue| {
        format!(
            "{} messages could not be handled; see `skybus bus dead list`",
            queue.messages
        )
    });
    waiting.chain(dead).collect()
}

const DEAD: &str = skybus_bus::topology::names::DEAD;

fn of_api(known: &Result<Known, String>) -> Vec<String> {
    let known = match known {
        Ok(known) => known,
        Err(why) => return vec![format!("the API does not say what the hosts do: {why}")],
    };
    let down = known
        .hosts
        .iter()
        .filter(|host| host.state != "up" && host.status == "enabled");
    let down = down.map(|host| format!("{} on {} is down", host.binary, host.host));
    let amiss = match known.findings {
        0 => None,
        1 => Some("audit: 1 finding; see `skybus audit`".to_owned()),
        n => Some(format!("audit: {n} findings; see `skybus audit`")),
    };
    down.chain(amiss).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_of_an_audit_are_a_problem() {
        let known = |findings| {
            Ok(Known {
                hosts: Vec::new(),
                findings,
            })
        };
        assert_eq!(of_api(&known(0)), Vec::<String>::new());
        assert_eq!(of_api(&known(3)), ["audit: 3 findings; see `skybus audit`"]);
    }
}
