//! Collects what servers are shown with: addresses, groups, zones; for many servers in few queries.

use std::collections::{BTreeSet, HashMap};

use skybus_model::{HostName, Timestamp};
use skybus_store::{
    compute::listing,
    hosts::{self, Standing},
    networks::ports::addresses_of,
    servers::Server,
};

use super::view::{Beside, BesideAll, Lens};
use crate::{app::App, http::Error};

/// Servers per query; PostgreSQL and SQLite both take so many parameters.
const CHUNK: usize = 500;

/// What stands beside these servers.
pub(crate) async fn of(app: &App, lens: &Lens, servers: &[Server]) -> Result<BesideAll, Error> {
    let mut all: BesideAll = servers.iter().map(|s| (s.id, Beside::default())).collect();
    let ids: Vec<_> = servers.iter().map(|server| server.id).collect();
    for chunk in ids.chunks(CHUNK) {
        for address in addresses_of(app.store.pool(), chunk).await? {
            if let Some(beside) = all.get_mut(&address.server) {
                beside.addresses.push(address);
            }
        }
        for (server, group) in listing::groups_of(&app.store, chunk).await? {
            if let Some(beside) = all.get_mut(&server) {
                beside.groups.push(group);
            }
        }
    }
    if servers.iter().any(|server| server.host.is_some()) {
        hosted(app, lens, servers, &mut all).await?;
    }
    Ok(all)
}

/// What stands beside one server.
pub(crate) async fn of_one(app: &App, lens: &Lens, server: &Server) -> Result<Beside, Error> {
    let mut all = of(app, lens, std::slice::from_ref(server)).await?;
    Ok(all.remove(&server.id).unwrap_or_default())
}

async fn hosted(
    app: &App,
    lens: &Lens,
    servers: &[Server],
    all: &mut BesideAll,
) -> Result<(), Error> {
    let named: BTreeSet<&HostName> = servers.iter().filter_map(|s| s.host.as_ref()).collect();
    let named: Vec<HostName> = named.into_iter().cloned().collect();
    let now = Timestamp::now();
    let mut hosts: HashMap<HostName, Standing> = HashMap::new();
    for chunk in named.chunks(CHUNK) {
        let standing = hosts::standing(&app.store, chunk).await?;
        hosts.extend(standing.into_iter().map(|one| (one.host.clone(), one)));
    }
    for server in servers {
        let (Some(host), Some(beside)) = (&server.host, all.get_mut(&server.id)) else {
            continue;
        };
        let host = hosts.get(host);
        beside.zone = host.map(|host| host.zone.clone());
        if lens.admin && lens.version.since(16) {
            beside.host_status = host_status(host, now);
        }
    }
    Ok(())
}

fn host_status(host: Option<&Standing>, now: Timestamp) -> &'static str {
    match host.and_then(|host| host.compute.as_ref()) {
        None => "UNKNOWN",
        Some(compute) => match (compute.is_up(now), compute.enabled) {
            (false, _) => "DOWN",
            (true, false) => "MAINTENANCE",
            (true, true) => "UP",
        },
    }
}
