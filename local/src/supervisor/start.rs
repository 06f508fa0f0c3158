//! The start: broker, its set-up, roles, and waiting until all of them are well.

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::{Keepers, health};
use crate::{
    DataDir, Error, broker,
    cloud::{Cloud, ROLES},
    process::Watched,
    progress::Progress,
    roles,
    status::api,
};

/// Roles end first, so that they can say goodbye to the broker; its name service ends last.
pub(crate) const ROLES_END: u32 = 0;
const BROKER_ENDS: u32 = 1;
const EPMD_ENDS: u32 = 2;

const BROKER_LIMIT: Duration = Duration::from_secs(120);
pub(crate) const ROLE_LIMIT: Duration = Duration::from_secs(90);
const HOSTS_LIMIT: Duration = Duration::from_secs(60);

/// Starts or adopts everything, in order. Cancelled at any point, the keepers know what runs.
pub(super) async fn everything(
    data: &DataDir,
    cloud: &Cloud,
    keepers: &mut Keepers,
) -> Result<(), Error> {
    let begun = Instant::now();
    if cloud.options.broker.is_none() {
        keepers.keep(broker::epmd(data, cloud)?, EPMD_ENDS).await?;
        keepers
            .keep(broker::node(data, cloud)?, BROKER_ENDS)
            .await?;
        let ask = || broker::setup::answers(cloud);
        health::until_well(data, keepers.board(), broker::NODE, BROKER_LIMIT, ask).await?;
    } else {
        end_own_broker(keepers).await?;
    }
    tell("the broker answers", begun);
    broker::setup::set_up(cloud).await?;
    tell("exchanges, queues and accounts are there", begun);
    let (control, workers): (Vec<_>, Vec<_>) = roles::prepare(data, cloud)?
        .into_iter()
        .partition(|spec| matches!(spec.name.as_str(), "api" | "scheduler"));
    for spec in control {
        keepers.keep(spec, ROLES_END).await?;
    }
    // A worker's first heartbeat is lost when no scheduler hears it, and the next is seconds away.
    let ask = || broker::setup::hears_heartbeats(cloud);
    health::until_well(data, keepers.board(), "scheduler", ROLE_LIMIT, ask).await?;
    for spec in workers {
        keepers.keep(spec, ROLES_END).await?;
    }
    let client = client()?;
    let board = keepers.board();
    try_join_all(ROLES.map(|role| {
        let client = &client;
        let ask = move || health::of_role(client, &cloud.ports, role);
        health::until_well(data, board, role, ROLE_LIMIT, ask)
    }))
    .await?;
    tell("all roles are well", begun);
    // A role that has just started may be well before it is of use. A cloud that answers can also boot
    // a server: its API has heard of a compute and a network worker, and its broker is still in reach.
    let ask = || hosts_are_up(&client, cloud);
    health::until_well(data, board, "api", HOSTS_LIMIT, ask).await?;
    tell("the hosts are up", begun);
    Ok(())
}

async fn hosts_are_up(client: &reqwest::Client, cloud: &Cloud) -> Result<(), String> {
    for role in ROLES {
        health::of_role(client, &cloud.ports, role)
            .await
            .map_err(|why| format!("{role}: {why}"))?;
    }
    let hosts = api::hosts(client, cloud).await?;
    let up = hosts.iter().filter(|host| host.state == "up").count();
    if up < 2 {
        return Err(format!(
            "{up} workers have reported to the API, and it takes two to boot a server"
        ));
    }
    Ok(())
}

/// A client for health pages, which answer at once or not at all.
pub(crate) fn client() -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .no_proxy()
        .build()
        .map_err(|e| Error::Broker(e.to_string()))
}

/// The operator has named another broker since; ours, if it was left running, is not needed any more.
async fn end_own_broker(keepers: &Keepers) -> Result<(), Error> {
    for name in [broker::NODE, "epmd"] {
        let left = keepers.board().process(name);
        if let Some(watched) = left.id.map(Watched::hold).transpose()?.flatten() {
            watched.stop(Duration::from_secs(left.grace_seconds)).await;
        }
        keepers.board().stopped(name);
    }
    Ok(())
}

pub(crate) fn tell(what: &str, begun: Instant) {
    let text = format!("{:5.1} s  {what}", begun.elapsed().as_secs_f32());
    tracing::info!("{text}");
    Progress::Step(text).tell();
}
