//! `os-floating-ip-pools` and `os-floating-ips`, and the actions that lead a floating IP to a server.

use std::{collections::HashMap, net::Ipv4Addr};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use skybus_model::{
    id::{FloatingIpId, NetworkId},
    message::Context,
};
use skybus_store::{
    Error as StoreError, Tx, announce,
    identity::projects,
    networks::{
        FloatingIp, Network, Port, Scope,
        floating::{self, NewFloatingIp},
        network, ports,
    },
};

use super::{LAST, until};
use crate::{
    app::App,
    compute::{
        fields::{Fields, Invalid},
        servers::find,
    },
    http::{Auth, Error, Json, Microversion, Once, Path, RequestContext},
};

async fn outside(app: &App, auth: &Auth) -> Result<Vec<Network>, Error> {
    let scope = Scope::Project(auth.project()?);
    let mut all = network::list(app.store.pool(), scope).await?;
    all.retain(|network| network.external);
    Ok(all)
}

/// `GET /os-floating-ip-pools`: the names of the external networks.
pub(crate) async fn pools(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
) -> Result<Response, Error> {
    until(version, LAST)?;
    let pools = outside(&app, &auth).await?;
    let pools: Vec<Value> = pools
        .iter()
        .map(|network| json!({ "name": network.name }))
        .collect();
    Ok(Json(json!({ "floating_ip_pools": pools })).into_response())
}

type Pools = HashMap<NetworkId, String>;

async fn names(app: &App, auth: &Auth) -> Result<Pools, Error> {
    let all = outside(app, auth).await?;
    Ok(all
        .into_iter()
        .map(|network| (network.id, network.name))
        .collect())
}

fn view(floating: &FloatingIp, pools: &Pools) -> Value {
    let target = floating.target.as_ref();
    let device = target
        .map(|target| &target.device)
        .filter(|id| !id.is_empty());
    json!({
        "id": floating.id,
        "ip": floating.address,
        "fixed_ip": target.map(|target| target.fixed),
        "instance_id": device,
        "pool": pools.get(&floating.network),
    })
}

/// `GET /os-floating-ips`: the project's.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
) -> Result<Response, Error> {
    until(version, LAST)?;
    let scope = Scope::Project(auth.project()?);
    let all = floating::list(app.store.pool(), scope).await?;
    let pools = names(&app, &auth).await?;
    let shown: Vec<Value> = all.iter().map(|one| view(one, &pools)).collect();
    Ok(Json(json!({ "floating_ips": shown })).into_response())
}

async fn seen(app: &App, auth: &Auth, id: &str) -> Result<FloatingIp, Error> {
    let missing = || Error::not_found("floating IP", id);
    let known: FloatingIpId = id.parse().map_err(|_| missing())?;
    match floating::get(app.store.pool(), known, whose(auth)?).await {
        Err(StoreError::NotFound(_)) => Err(missing()),
        other => Ok(other?),
    }
}

fn whose(auth: &Auth) -> Result<Scope, Error> {
    if auth.is_admin() {
        return Ok(Scope::Everything);
    }
    Ok(Scope::Project(auth.project()?))
}

/// `GET /os-floating-ips/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    until(version, LAST)?;
    let floating = seen(&app, &auth, &id).await?;
    let pools = names(&app, &auth).await?;
    Ok(Json(json!({ "floating_ip": view(&floating, &pools) })).into_response())
}

/// `POST /os-floating-ips`: one from a pool, by the pool's name or id; from the first without one.
pub(crate) async fn create(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    once: Once,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    until(version, LAST)?;
    let wanted = match &body {
        Value::Null => None,
        body => {
            let fields = Fields::whole(body)?;
            fields.only(&["pool"])?;
            fields.text("pool", 1..=255)?
        }
    };
    let all = outside(&app, &auth).await?;
    let fits = |network: &&Network| match wanted {
        Some(name) => network.name == name || network.id.to_string() == name,
        None => true,
    };
    let pool = all.iter().find(fits).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|network| network.name.as_str()).collect();
        let known = names.join(", ");
        Error::new(
            StatusCode::NOT_FOUND,
            format!("Floating IP pool not found; there are: {known}"),
        )
    })?;
    let project = auth.project()?;
    let mut tx = app.store.begin().await?;
    projects::hold(&mut tx, project).await?;
    let new = NewFloatingIp {
        project,
        network: pool.id,
        address: None,
        description: String::new(),
    };
    let made = match floating::create(&mut tx, new).await {
        Err(StoreError::Conflict(why)) => return Err(Error::new(StatusCode::NOT_FOUND, why)),
        other => other?.map_err(|over| Error::over_quota(over.to_string()))?,
    };
    let pools = Pools::from([(pool.id, pool.name.clone())]);
    let body = json!({ "floating_ip": view(&made, &pools) });
    let response = once.record(&mut tx, StatusCode::OK, None, &body).await?;
    app.push(tx.commit().await?);
    Ok(response)
}

/// `DELETE /os-floating-ips/{id}`.
pub(crate) async fn delete(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    RequestContext(context): RequestContext,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    until(version, LAST)?;
    let floating = seen(&app, &auth, &id).await?;
    let mut tx = app.store.begin().await?;
    floating::delete(&mut tx, floating.id, &context).await?;
    app.push(tx.commit().await?);
    Ok(StatusCode::ACCEPTED)
}

/// What `addFloatingIp` and `removeFloatingIp` name.
#[derive(Debug)]
pub(crate) struct Named {
    address: Ipv4Addr,
    fixed: Option<Ipv4Addr>,
}

/// Reads the body of the action `action`.
pub(crate) fn named(fields: &Fields<'_>, action: &str) -> Result<Named, Invalid> {
    let inner = fields
        .inner(action)?
        .ok_or_else(|| fields.missing(action))?;
    inner.only(&["address", "fixed_address"])?;
    let read = |key: &str| -> Result<Option<Ipv4Addr>, Invalid> {
        let Some(text) = inner.text(key, 1..=64)? else {
            return Ok(None);
        };
        let address = text.parse();
        let address =
            address.map_err(|_| Invalid::new(inner.at(key), "it must be an IPv4 address"))?;
        Ok(Some(address))
    };
    Ok(Named {
        address: read("address")?.ok_or_else(|| inner.missing("address"))?,
        fixed: read("fixed_address")?,
    })
}

async fn at(tx: &mut Tx, auth: &Auth, address: Ipv4Addr) -> Result<FloatingIp, Error> {
    match floating::at(tx.conn(), address, whose(auth)?).await {
        Err(StoreError::NotFound(_)) => Err(Error::not_found("floating IP", address)),
        other => Ok(other?),
    }
}

/// Leads a floating IP to a server, from wherever it leads to.
pub(crate) async fn add(
    app: &App,
    auth: &Auth,
    context: &Context,
    id: &str,
    named: &Named,
) -> Result<(), Error> {
    let mut tx = app.store.begin().await?;
    let server = find::locked(&mut tx, auth, id).await?;
    let floating = at(&mut tx, auth, named.address).await?;
    let ports = ports::of_server(tx.conn(), server.id).await?;
    let port = chosen(&ports, named.fixed)?;
    floating::lead(&mut tx, floating.id, Some(port.id), context).await?;
    announce::server(&mut tx, &server, "compute.instance.update", context).await?;
    app.push(tx.commit().await?);
    Ok(())
}

fn chosen(ports: &[Port], fixed: Option<Ipv4Addr>) -> Result<&Port, Error> {
    let Some(first) = ports.first() else {
        return Err(Error::bad_request(
            "No fixed IPs associated to instance: it has no network interface that a floating IP could \
             lead to.",
        ));
    };
    match fixed {
        None => Ok(first),
        Some(fixed) => ports
            .iter()
            .find(|port| port.address == fixed)
            .ok_or_else(|| Error::bad_request("Specified fixed address not assigned to instance.")),
    }
}

/// Takes a floating IP away from a server.
pub(crate) async fn remove(
    app: &App,
    auth: &Auth,
    context: &Context,
    id: &str,
    named: &Named,
) -> Result<(), Error> {
    let mut tx = app.store.begin().await?;
    let server = find::locked(&mut tx, auth, id).await?;
    let floating = at(&mut tx, auth, named.address).await?;
    let ports = ports::of_server(tx.conn(), server.id).await?;
    let Some(port) = ports.iter().find(|port| Some(port.id) == floating.port) else {
        return Err(Error::conflict(format!(
            "Floating IP {} is not associated with instance {}.",
            named.address, server.id
        )));
    };
    // Not from where it may lead to by now: that may be another server.
    floating::take_away(&mut tx, floating.id, port.id, context).await?;
    announce::server(&mut tx, &server, "compute.instance.update", context).await?;
    app.push(tx.commit().await?);
    Ok(())
}
