//! Ports.

mod input;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::id::{NetworkId, PortId};
use skybus_store::networks::{
    NewPort, Port, Scope, groups,
    ports::{self, Narrow},
    quotas::Resource,
    refresh,
};

use super::{
    body::Body,
    limits,
    listing::{self, scope},
};
use crate::{
    app::App,
    http::{Auth, Error, Json, Once, Page, Params, Path, RequestContext},
};

fn view(port: &Port, auth: &Auth) -> Value {
    let mut out = json!({
        "id": port.id,
        "name": port.name,
        "description": port.description,
        "network_id": port.network,
        "tenant_id": port.project,
        "project_id": port.project,
        "mac_address": port.mac,
        "fixed_ips": [{ "subnet_id": port.subnet, "ip_address": port.address }],
        "admin_state_up": true,
        "status": port.status,
        "device_id": port.device,
        "device_owner": port.device_owner,
        "security_groups": port.groups,
        "port_security_enabled": true,
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "dns_name": port.hostname,
        "binding:vnic_type": "normal",
        "tags": [],
        "revision_number": port.generation,
        "created_at": port.created_at.iso_seconds(),
        "updated_at": port.updated_at.iso_seconds(),
    });
    if let (true, Some(out)) = (auth.is_admin(), out.as_object_mut()) {
        let host = port
            .host
            .as_ref()
            .map(|host| host.as_str())
            .unwrap_or_default();
        let kind = if port.host.is_some() {
            "tap"
        } else {
            "unbound"
        };
        out.insert("binding:host_id".to_owned(), json!(host));
        out.insert("binding:vif_type".to_owned(), json!(kind));
        out.insert("binding:vif_details".to_owned(), json!({}));
        out.insert("binding:profile".to_owned(), json!({}));
    }
    out
}

async fn seen(app: &App, auth: &Auth, id: PortId) -> Result<Port, Error> {
    match ports::get(app.store.pool(), id, scope(auth)?).await {
        Err(skybus_store::Error::NotFound(_)) => Err(Error::not_found("port", id)),
        other => Ok(other?),
    }
}

/// Lists ports. The filters that name few of them are left to the database.
pub(super) async fn list(
    State(app): State<App>,
    auth: Auth,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let single = |key: &str| params.one(key).filter(|_| params.all(key).count() == 1);
    let narrow = match (single("device_id"), single("network_id")) {
        (Some(device), _) => Narrow::Device(device.to_owned()),
        (None, Some(network)) => match network.parse::<NetworkId>() {
            Ok(network) => Narrow::Network(network),
            Err(_) => return Ok(Json(json!({ "ports": [] }))),
        },
        (None, None) => Narrow::No,
    };
    let ports = ports::list(app.store.pool(), scope(&auth)?, narrow).await?;
    let items = ports.iter().map(|port| view(port, &auth)).collect();
    listing::page(&app, "ports", items, page, &params)
}

/// Shows a port.
pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<PortId>,
    params: Params,
) -> Result<Json<Value>, Error> {
    Ok(listing::one(
        "port",
        view(&seen(&app, &auth, id).await?, &auth),
        &params,
    ))
}

/// Makes a port that nothing uses yet.
pub(super) async fn create(
    State(app): State<App>,
    auth: Auth,
    once: Once,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let mut body = Body::open("port", body)?;
    let project = body.project(&auth)?;
    let network = body
        .word::<NetworkId>("network_id")?
        .ok_or_else(|| Error::bad_request("a port needs a network_id"))?;
    let mut new = NewPort::new(network, project);
    new.name = body.text("name")?.unwrap_or_default();
    new.description = body.text("description")?.unwrap_or_default();
    new.device = body.text("device_id")?.unwrap_or_default();
    new.device_owner = body.text("device_owner")?.unwrap_or_default();
    new.hostname = body.text("dns_name")?.unwrap_or_default();
    new.mac = input::mac(&mut body, &auth)?;
    let fixed = input::fixed_ip(&mut body)?;
    new.address = fixed.as_ref().and_then(|fixed| fixed.address);
    let wanted_groups = input::groups(&mut body)?;
    input::take_fixed(&mut body)?;
    body.done()?;
    let mut tx = app.store.begin().await?;
    input::check_network(&mut tx, &auth, network).await?;
    input::check_subnet(&mut tx, network, fixed.and_then(|fixed| fixed.subnet)).await?;
    limits::check(&mut tx, project, Resource::Port).await?;
    new.groups = match wanted_groups {
        None => vec![groups::ensure_default(&mut tx, project).await?.id],
        Some(wanted) => input::own_groups(&mut tx, project, wanted).await?,
    };
    let word = if new.address.is_some() {
        "IpAddressInUse"
    } else {
        "IpAddressGenerationFailure"
    };
    let port = ports::create(&mut tx, new)
        .await
        .map_err(|error| listing::in_words(error, word))?;
    let body = json!({ "port": view(&port, &auth) });
    let response = once
        .record(&mut tx, StatusCode::CREATED, None, &body)
        .await?;
    app.push(tx.commit().await?);
    Ok(response)
}

/// Renames a port, or sets the groups that guard it; its host learns of the latter at once.
pub(super) async fn update(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path(id): Path<PortId>,
    params: Params,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    seen(&app, &auth, id).await?;
    let mut body = Body::open("port", body)?;
    let mut tx = app.store.begin().await?;
    let mut port = ports::get(tx.conn(), id, Scope::Everything).await?;
    port.name = body.text("name")?.unwrap_or(port.name);
    port.description = body.text("description")?.unwrap_or(port.description);
    input::device(&mut body, &mut port)?;
    let same = [json!([{ "subnet_id": port.subnet, "ip_address": port.address }])];
    body.only(
        "fixed_ips",
        &same,
        "a port keeps its address; make another port",
    )?;
    body.only(
        "mac_address",
        &[json!(port.mac)],
        "a port keeps its hardware address",
    )?;
    body.only(
        "dns_name",
        &[json!(port.hostname)],
        "the name of a port cannot be changed yet",
    )?;
    let wanted_groups = input::groups(&mut body)?;
    input::take_fixed(&mut body)?;
    body.done()?;
    if let Some(wanted) = wanted_groups {
        let groups = input::own_groups(&mut tx, port.project, wanted).await?;
        groups::set_of_port(&mut tx, &port, &groups).await?;
        refresh::flush(&mut tx, &context, listing::TOLD_AT_ONCE).await?;
    }
    // After that, because the subnet is locked before the port's row.
    ports::update(&mut tx, &port).await?;
    app.push(tx.commit().await?);
    Ok(listing::one(
        "port",
        view(&seen(&app, &auth, id).await?, &auth),
        &params,
    ))
}

/// Deletes a port that no server uses.
pub(super) async fn delete(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<PortId>,
) -> Result<StatusCode, Error> {
    seen(&app, &auth, id).await?;
    let mut tx = app.store.begin().await?;
    let port = ports::get(tx.conn(), id, Scope::Everything).await?;
    if let Some(server) = port.server {
        let text = format!("Port {id} is used by server {server}; delete the server instead.");
        return Err(Error::conflict(text).named("PortInUse"));
    }
    ports::delete_unused(&mut tx, &port).await?;
    app.push(tx.commit().await?);
    Ok(StatusCode::NO_CONTENT)
}
