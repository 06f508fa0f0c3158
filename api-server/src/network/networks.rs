//! Networks.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::{
    id::{NetworkId, SubnetId},
    segment::Segment,
};
use skybus_store::networks::{
    Network, Scope,
    network::{self, NewNetwork},
    quotas::Resource,
    subnets,
};

use super::{
    body::{Body, wrong},
    limits,
    listing::{self, scope},
    provider,
};
use crate::{
    app::App,
    http::{Auth, Error, Json, Once, Page, Params, Path},
};

fn view(network: &Network, subnet: Option<SubnetId>, auth: &Auth) -> Value {
    let mut out = json!({
        "id": network.id,
        "name": network.name,
        "description": network.description,
        "tenant_id": network.project,
        "project_id": network.project,
        "admin_state_up": true,
        "status": "ACTIVE",
        "shared": network.shared,
        "router:external": network.external,
        "is_default": false,
        "mtu": network.mtu,
        "subnets": subnet.into_iter().collect::<Vec<_>>(),
        "availability_zones": ["nova"],
        "availability_zone_hints": [],
        "port_security_enabled": true,
        "ipv4_address_scope": null,
        "ipv6_address_scope": null,
        "tags": [],
        "created_at": network.created_at.iso_seconds(),
        "updated_at": network.updated_at.iso_seconds(),
    });
    if let (true, Some(out)) = (auth.is_admin(), out.as_object_mut()) {
        out.extend(provider::view(network).map(|(key, is)| (key.to_owned(), is)));
    }
    out
}

async fn seen(app: &App, auth: &Auth, id: NetworkId) -> Result<Network, Error> {
    match network::get(app.store.pool(), id, scope(auth)?).await {
        Err(skybus_store::Error::NotFound(_)) => Err(Error::not_found("network", id)),
        other => Ok(other?),
    }
}

/// A network that the caller may change: a shared one may be seen, but not touched.
pub(super) async fn own(app: &App, auth: &Auth, id: NetworkId) -> Result<Network, Error> {
    let network = seen(app, auth, id).await?;
    if auth.is_admin() || auth.scope == Some(network.project) {
        return Ok(network);
    }
    Err(Error::forbidden(format!(
        "network {id} belongs to another project"
    )))
}

/// Lists networks.
pub(super) async fn list(
    State(app): State<App>,
    auth: Auth,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let scope = scope(&auth)?;
    let subnets = subnets::list(app.store.pool(), scope).await?;
    let of = |id| {
        subnets
            .iter()
            .find(|subnet| subnet.network == id)
            .map(|subnet| subnet.id)
    };
    let networks = network::list(app.store.pool(), scope).await?;
    let items = networks
        .iter()
        .map(|network| view(network, of(network.id), &auth))
        .collect();
    listing::page(&app, "networks", items, page, &params)
}

async fn shown(app: &App, auth: &Auth, id: NetworkId) -> Result<Value, Error> {
    let network = seen(app, auth, id).await?;
    let subnet = subnets::of_network(app.store.pool(), id).await?;
    Ok(view(&network, subnet.map(|subnet| subnet.id), auth))
}

/// Shows a network.
pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<NetworkId>,
    params: Params,
) -> Result<Json<Value>, Error> {
    Ok(listing::one(
        "network",
        shown(&app, &auth, id).await?,
        &params,
    ))
}

/// Makes a network.
pub(super) async fn create(
    State(app): State<App>,
    auth: Auth,
    once: Once,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let mut body = Body::open("network", body)?;
    let project = body.project(&auth)?;
    let mtu = mtu(&mut body)?;
    let wish = provider::wish(&mut body, &auth)?;
    let new = NewNetwork {
        project,
        name: body.text("name")?.unwrap_or_default(),
        description: body.text("description")?.unwrap_or_default(),
        shared: sharing(&mut body, &auth)?.unwrap_or(false),
        external: false,
        mtu,
        segment: Segment::Local,
        waits: None,
    };
    external(&mut body, false)?;
    take_fixed(&mut body)?;
    body.done()?;
    let mut tx = app.store.begin().await?;
    limits::check(&mut tx, project, Resource::Network).await?;
    let network = provider::make(&mut tx, &auth, new, wish).await?;
    let body = json!({ "network": view(&network, None, &auth) });
    let response = once
        .record(&mut tx, StatusCode::CREATED, None, &body)
        .await?;
    tx.commit().await?;
    Ok(response)
}

/// Takes the size of the largest packet; 0 is as good as none.
fn mtu(body: &mut Body) -> Result<Option<u16>, Error> {
    let Some(mtu) = body.number("mtu")?.filter(|mtu| *mtu != 0) else {
        return Ok(None);
    };
    let fits = u16::try_from(mtu)
        .ok()
        .filter(|mtu| (576..=9000).contains(mtu));
    let why = "it must be between 576 and 9000";
    fits.map(Some).ok_or_else(|| wrong("mtu", &json!(mtu), why))
}

fn sharing(body: &mut Body, auth: &Auth) -> Result<Option<bool>, Error> {
    let shared = body.flag("shared")?;
    if shared == Some(true) && !auth.is_admin() {
        return Err(Error::forbidden(
            "only an administrator can share a network with all projects",
        ));
    }
    Ok(shared)
}

/// Takes `router:external`, which a network keeps.
fn external(body: &mut Body, is: bool) -> Result<(), Error> {
    let words = if is {
        [json!(true), json!("True"), json!("true")]
    } else {
        [json!(false), json!("False"), json!("false")]
    };
    let why =
        "there is one external network, of the configured floating range; others are not built yet";
    body.only("router:external", &words, why)
}

/// What can only be as it is.
fn take_fixed(body: &mut Body) -> Result<(), Error> {
    let yes = [json!(true), json!("True"), json!("true")];
    let no = [json!(false), json!("False"), json!("false")];
    body.only("admin_state_up", &yes, "networks cannot be switched off")?;
    body.only("port_security_enabled", &yes, "ports are always guarded")?;
    body.only("is_default", &no, "there is one external network")?;
    let why = "guests' own VLANs are not carried";
    body.only("vlan_transparent", &no, why)?;
    body.only(
        "availability_zone_hints",
        &[json!([])],
        "networks are in every zone",
    )?;
    body.only("dns_domain", &[json!("")], "DNS domains are not built yet")
}

/// Renames a network or, for administrators, shares it.
pub(super) async fn update(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<NetworkId>,
    params: Params,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    let before = own(&app, &auth, id).await?;
    let mut body = Body::open("network", body)?;
    let (name, description) = (body.text("name")?, body.text("description")?);
    let shared = sharing(&mut body, &auth)?;
    external(&mut body, before.external)?;
    provider::keep(&mut body, &auth, &before)?;
    take_fixed(&mut body)?;
    body.done()?;
    let mut tx = app.store.begin().await?;
    let mut network = network::get(tx.conn(), id, Scope::Everything).await?;
    network.name = name.unwrap_or(network.name);
    network.description = description.unwrap_or(network.description);
    network.shared = shared.unwrap_or(network.shared);
    network::update(&mut tx, &network).await?;
    tx.commit().await?;
    Ok(listing::one(
        "network",
        shown(&app, &auth, id).await?,
        &params,
    ))
}

/// Deletes a network and its subnet, when no port is on it.
pub(super) async fn delete(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<NetworkId>,
) -> Result<StatusCode, Error> {
    own(&app, &auth, id).await?;
    let mut tx = app.store.begin().await?;
    network::delete(&mut tx, id)
        .await
        .map_err(|error| listing::in_words(error, "NetworkInUse"))?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
