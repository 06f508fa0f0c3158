//! Floating IPs. The hosts of the ports that one leads to, or led to, learn of a change in the transaction
//! that makes it.

mod input;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::id::{FloatingIpId, NetworkId, SubnetId};
use skybus_store::{
    Tx,
    identity::projects,
    networks::{
        FloatingIp,
        floating::{self, NewFloatingIp},
        quotas::Resource,
    },
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

fn view(floating: &FloatingIp) -> Value {
    let target = floating.target.as_ref();
    json!({
        "id": floating.id,
        "tenant_id": floating.project,
        "project_id": floating.project,
        "description": floating.description,
        "floating_network_id": floating.network,
        "floating_ip_address": floating.address,
        "port_id": target.and(floating.port),
        "fixed_ip_address": target.map(|target| target.fixed),
        "status": floating.status(),
        "port_details": target.map(|target| json!({
            "name": target.name,
            "network_id": target.network,
            "mac_address": target.mac,
            "admin_state_up": true,
            "status": target.status,
            "device_id": target.device,
            "device_owner": target.device_owner,
        })),
        // There are no routers: each host translates for the ports that it serves.
        "router_id": null,
        "dns_domain": "",
        "dns_name": "",
        "tags": [],
        "created_at": floating.created_at.iso_seconds(),
        "updated_at": floating.updated_at.iso_seconds(),
    })
}

async fn seen(app: &App, auth: &Auth, id: FloatingIpId) -> Result<FloatingIp, Error> {
    match floating::get(app.store.pool(), id, scope(auth)?).await {
        Err(skybus_store::Error::NotFound(_)) => Err(missing(id)),
        other => Ok(other?),
    }
}

fn missing(id: FloatingIpId) -> Error {
    Error::not_found("floating IP", id).named("FloatingIPNotFound")
}

/// Lists floating IPs.
pub(super) async fn list(
    State(app): State<App>,
    auth: Auth,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let all = floating::list(app.store.pool(), scope(&auth)?).await?;
    let items = all.iter().map(view).collect();
    listing::page(&app, "floatingips", items, page, &params)
}

/// Shows a floating IP.
pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<FloatingIpId>,
    params: Params,
) -> Result<Json<Value>, Error> {
    Ok(listing::one(
        "floatingip",
        view(&seen(&app, &auth, id).await?),
        &params,
    ))
}

/// Gives a project a floating IP and, if it is asked for, leads it to a port at once.
pub(super) async fn create(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    once: Once,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let mut body = Body::open("floatingip", body)?;
    let project = body.project(&auth)?;
    let network = body
        .word::<NetworkId>("floating_network_id")?
        .ok_or_else(|| Error::bad_request("a floating IP needs a floating_network_id"))?;
    let subnet = body.word::<SubnetId>("subnet_id")?;
    let address = input::address(&mut body, &auth)?;
    let wish = input::wish(&mut body)?;
    let description = body.text("description")?.unwrap_or_default();
    input::take_fixed(&mut body)?;
    body.done()?;
    let mut tx = app.store.begin().await?;
    projects::hold(&mut tx, project).await?;
    input::check_network(&mut tx, &auth, network, (subnet, address)).await?;
    let new = NewFloatingIp {
        project,
        network,
        address,
        description,
    };
    let mut made = allocated(&mut tx, new).await?;
    if let Some(Some(port)) = wish.port {
        input::check_port(&mut tx, &auth, port, wish.fixed).await?;
        made = floating::lead(&mut tx, made.id, Some(port), &context).await?;
    }
    let body = json!({ "floatingip": view(&made) });
    let response = once
        .record(&mut tx, StatusCode::CREATED, None, &body)
        .await?;
    app.push(tx.commit().await?);
    Ok(response)
}

async fn allocated(tx: &mut Tx, new: NewFloatingIp) -> Result<FloatingIp, Error> {
    let word = if new.address.is_some() {
        "IpAddressInUse"
    } else {
        "IpAddressGenerationFailure"
    };
    floating::create(tx, new)
        .await
        .map_err(|error| listing::in_words(error, word))?
        .map_err(|over| limits::over(Resource::FloatingIp, over.limit, over.used))
}

/// Leads a floating IP to another port or nowhere, or changes what is said of it.
pub(super) async fn update(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path(id): Path<FloatingIpId>,
    params: Params,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    seen(&app, &auth, id).await?;
    let mut body = Body::open("floatingip", body)?;
    let description = body.text("description")?;
    let wish = input::wish(&mut body)?;
    input::take_fixed(&mut body)?;
    body.done()?;
    let mut tx = app.store.begin().await?;
    if let Some(to) = wish.port {
        if let Some(port) = to {
            input::check_port(&mut tx, &auth, port, wish.fixed).await?;
        }
        floating::lead(&mut tx, id, to, &context).await?;
    }
    // After that, because whoever takes a port away changes the floating IP's row with the subnet locked.
    if let Some(description) = description {
        floating::describe(&mut tx, id, &description).await?;
    }
    app.push(tx.commit().await?);
    Ok(listing::one(
        "floatingip",
        view(&seen(&app, &auth, id).await?),
        &params,
    ))
}

/// Gives a floating IP back.
pub(super) async fn delete(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path(id): Path<FloatingIpId>,
) -> Result<StatusCode, Error> {
    seen(&app, &auth, id).await?;
    let mut tx = app.store.begin().await?;
    floating::delete(&mut tx, id, &context).await?;
    app.push(tx.commit().await?);
    Ok(StatusCode::NO_CONTENT)
}
