//! `/servers/{id}/os-interface` and `/servers/{id}/ips`: where a server is plugged in.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use skybus_store::networks::{Port, ports};

use super::{find, view};
use crate::{
    app::App,
    http::{Auth, Error, Json, Path},
};

/// Its interfaces.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let server = find::visible(&app, &auth, &id).await?;
    let ports = ports::of_server(app.store.pool(), server.id).await?;
    let shown: Vec<Value> = ports.iter().map(interface).collect();
    Ok(Json(json!({ "interfaceAttachments": shown })).into_response())
}

/// One of them.
pub(crate) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path((id, port)): Path<(String, String)>,
) -> Result<Response, Error> {
    let server = find::visible(&app, &auth, &id).await?;
    let ports = ports::of_server(app.store.pool(), server.id).await?;
    let wanted = ports
        .iter()
        .find(|known| port.parse().is_ok_and(|id| known.id == id));
    let found = wanted.ok_or_else(|| Error::not_found("port", &port))?;
    Ok(Json(json!({ "interfaceAttachment": interface(found) })).into_response())
}

pub(super) fn interface(port: &Port) -> Value {
    json!({
        "port_id": port.id,
        "net_id": port.network,
        "mac_addr": port.mac,
        "port_state": port.status,
        "fixed_ips": [{ "subnet_id": port.subnet, "ip_address": port.address }],
    })
}

/// Its addresses, by network.
pub(crate) async fn addresses(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let server = find::visible(&app, &auth, &id).await?;
    let found = ports::addresses_of(app.store.pool(), &[server.id]).await?;
    Ok(Json(json!({ "addresses": plain(view::addresses(&found)) })).into_response())
}

/// Its addresses on one network.
pub(crate) async fn addresses_on(
    State(app): State<App>,
    auth: Auth,
    Path((id, network)): Path<(String, String)>,
) -> Result<Response, Error> {
    let server = find::visible(&app, &auth, &id).await?;
    let found = ports::addresses_of(app.store.pool(), &[server.id]).await?;
    let all = plain(view::addresses(&found));
    match all.get(&network) {
        Some(list) => Ok(Json(json!({ network: list })).into_response()),
        None => Err(Error::not_found("network", network)),
    }
}

/// This older list has only version and address.
fn plain(mut networks: Value) -> Value {
    for list in networks
        .as_object_mut()
        .into_iter()
        .flat_map(|all| all.values_mut())
    {
        for entry in list.as_array_mut().into_iter().flatten() {
            *entry = json!({ "version": entry["version"], "addr": entry["addr"] });
        }
    }
    networks
}
