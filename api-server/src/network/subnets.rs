//! Subnets.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::id::{NetworkId, SubnetId};
use skybus_store::networks::{
    Scope, Subnet,
    quotas::Resource,
    refresh,
    subnets::{self, NewSubnet},
};

use super::{
    body::Body,
    limits,
    listing::{self, scope},
    networks, subnet_input,
};
use crate::{
    app::App,
    http::{Auth, Error, Json, Once, Page, Params, Path, RequestContext},
};

fn view(subnet: &Subnet) -> Value {
    json!({
        "id": subnet.id,
        "name": subnet.name,
        "description": subnet.description,
        "network_id": subnet.network,
        "tenant_id": subnet.project,
        "project_id": subnet.project,
        "ip_version": 4,
        "cidr": subnet.cidr,
        "gateway_ip": subnet.gateway,
        "enable_dhcp": subnet.dhcp,
        "dns_nameservers": subnet.dns,
        "allocation_pools": subnet.pools,
        "host_routes": [],
        "service_types": [],
        "subnetpool_id": null,
        "ipv6_address_mode": null,
        "ipv6_ra_mode": null,
        "tags": [],
        "created_at": subnet.created_at.iso_seconds(),
        "updated_at": subnet.updated_at.iso_seconds(),
    })
}

async fn seen(app: &App, auth: &Auth, id: SubnetId) -> Result<Subnet, Error> {
    match subnets::get(app.store.pool(), id, scope(auth)?).await {
        Err(skybus_store::Error::NotFound(_)) => Err(Error::not_found("subnet", id)),
        other => Ok(other?),
    }
}

async fn own(app: &App, auth: &Auth, id: SubnetId) -> Result<Subnet, Error> {
    let subnet = seen(app, auth, id).await?;
    networks::own(app, auth, subnet.network).await?;
    Ok(subnet)
}

/// Lists subnets.
pub(super) async fn list(
    State(app): State<App>,
    auth: Auth,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let subnets = subnets::list(app.store.pool(), scope(&auth)?).await?;
    listing::page(
        &app,
        "subnets",
        subnets.iter().map(view).collect(),
        page,
        &params,
    )
}

/// Shows a subnet.
pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<SubnetId>,
    params: Params,
) -> Result<Json<Value>, Error> {
    Ok(listing::one(
        "subnet",
        view(&seen(&app, &auth, id).await?),
        &params,
    ))
}

/// Makes a network's subnet.
pub(super) async fn create(
    State(app): State<App>,
    auth: Auth,
    once: Once,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let mut body = Body::open("subnet", body)?;
    let project = body.project(&auth)?;
    let network = body
        .word::<NetworkId>("network_id")?
        .ok_or_else(|| Error::bad_request("a subnet needs a network_id"))?;
    subnet_input::take_fixed(&mut body)?;
    let addresses = subnet_input::addresses(&mut body)?;
    let new = NewSubnet {
        network,
        project,
        name: body.text("name")?.unwrap_or_default(),
        description: body.text("description")?.unwrap_or_default(),
        cidr: addresses.cidr,
        gateway: addresses.gateway,
        dns: subnet_input::dns(&mut body)?.unwrap_or_default(),
        pools: addresses.pools,
    };
    body.done()?;
    networks::own(&app, &auth, network).await?;
    let mut tx = app.store.begin().await?;
    limits::check(&mut tx, project, Resource::Subnet).await?;
    let subnet = subnets::create(&mut tx, new).await?;
    let body = json!({ "subnet": view(&subnet) });
    let response = once
        .record(&mut tx, StatusCode::CREATED, None, &body)
        .await?;
    tx.commit().await?;
    Ok(response)
}

/// Renames a subnet or sets its name servers; hosts learn of the latter.
pub(super) async fn update(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path(id): Path<SubnetId>,
    params: Params,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    own(&app, &auth, id).await?;
    let mut body = Body::open("subnet", body)?;
    let (name, description) = (body.text("name")?, body.text("description")?);
    let dns = subnet_input::dns(&mut body)?;
    let mut tx = app.store.begin().await?;
    let mut subnet = subnets::get(tx.conn(), id, Scope::Everything).await?;
    let fixed = "a subnet's addresses cannot be changed; make another network";
    body.only("gateway_ip", &[json!(subnet.gateway)], fixed)?;
    body.only("allocation_pools", &[json!(subnet.pools)], fixed)?;
    subnet_input::take_fixed(&mut body)?;
    body.done()?;
    subnet.name = name.unwrap_or(subnet.name);
    subnet.description = description.unwrap_or(subnet.description);
    let other_dns = dns.filter(|dns| *dns != subnet.dns);
    let told = other_dns.is_some();
    subnet.dns = other_dns.unwrap_or(subnet.dns);
    subnets::update(&mut tx, &subnet).await?;
    if told {
        refresh::network_changed(&mut tx, subnet.network).await?;
        refresh::flush(&mut tx, &context, listing::TOLD_AT_ONCE).await?;
    }
    app.push(tx.commit().await?);
    Ok(listing::one(
        "subnet",
        view(&seen(&app, &auth, id).await?),
        &params,
    ))
}

/// Deletes a subnet, when no port has an address of it.
pub(super) async fn delete(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<SubnetId>,
) -> Result<StatusCode, Error> {
    let subnet = own(&app, &auth, id).await?;
    let mut tx = app.store.begin().await?;
    subnets::delete(&mut tx, &subnet)
        .await
        .map_err(|error| listing::in_words(error, "SubnetInUse"))?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
