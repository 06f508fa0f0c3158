//! The network workers, and the zones that they are in.

use std::collections::BTreeSet;

use axum::extract::State;
use serde_json::{Value, json};
use skybus_model::Timestamp;
use skybus_store::services::{self, Service};

use super::listing;
use crate::{
    app::App,
    http::{Error, Json, Page, Params},
};

async fn workers(app: &App) -> Result<Vec<Service>, Error> {
    let all = services::all(&app.store).await?;
    Ok(all
        .into_iter()
        .filter(|service| service.service == "network")
        .collect())
}

fn view(worker: &Service, now: Timestamp) -> Value {
    json!({
        "id": worker.id,
        "agent_type": "DHCP agent",
        "binary": "skybus-network",
        "host": worker.host,
        "topic": "network",
        "availability_zone": worker.zone,
        "admin_state_up": worker.enabled,
        "alive": worker.is_up(now),
        "heartbeat_timestamp": worker.last_seen.iso_seconds(),
        "started_at": null,
        "created_at": null,
        "description": worker.disabled_reason,
        "configurations": configurations(worker),
        "resources_synced": null,
    })
}

/// What its host can carry, in Neutron's words as far as there are any, and why it cannot carry the rest.
fn configurations(worker: &Service) -> Value {
    let carries = &worker.carries;
    json!({
        "flat_networks": carries.flat,
        "vlan_networks": carries.vlan,
        "tunneling_ip": carries.tunnel,
        "tunnel_types": carries.tunnel.map(|_| "vxlan").into_iter().collect::<Vec<_>>(),
        "lacks": carries.lacks,
    })
}

/// Lists network workers.
pub(super) async fn list(
    State(app): State<App>,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let now = Timestamp::now();
    let items = workers(&app)
        .await?
        .iter()
        .map(|worker| view(worker, now))
        .collect();
    listing::page(&app, "agents", items, page, &params)
}

/// Lists the zones of the network workers.
pub(super) async fn zones(State(app): State<App>) -> Result<Json<Value>, Error> {
    let zones: BTreeSet<String> = workers(&app)
        .await?
        .into_iter()
        .map(|worker| worker.zone)
        .collect();
    let zones: Vec<Value> = zones
        .into_iter()
        .map(|name| json!({ "name": name, "resource": "network", "state": "available" }))
        .collect();
    Ok(Json(json!({ "availability_zones": zones })))
}
