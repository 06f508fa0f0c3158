//! Collects what servers are shown with: addresses, groups, zones; for many servers in few queries.

use std::collections::HashMap;

use skybus_model::{HostName, Timestamp};
use skybus_store::{
    compute::listing, hosts, networks::ports::addresses_of, servers::Server, services,
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
    let zones: HashMap<HostName, String> = hosts::all(&app.store)
        .await?
        .into_iter()
        .map(|host| (host.name, host.zone))
        .collect();
    let mut health = HashMap::new();
    if lens.admin && lens.version.since(16) {
        let now = Timestamp::now();
        for service in services::all(&app.store).await? {
            if service.service == "compute" {
                let word = match (service.is_up(now), service.enabled) {
                    (false, _) => "DOWN",
                    (true, false) => "MAINTENANCE",
                    (true, true) => "UP",
                };
                health.insert(service.host, word);
            }
        }
    }
    for server in servers {
        let (Some(host), Some(beside)) = (&server.host, all.get_mut(&server.id)) else {
            continue;
        };
        beside.zone = zones.get(host).cloned();
        beside.host_status = health.get(host).copied().unwrap_or("UNKNOWN");
    }
    Ok(())
}
