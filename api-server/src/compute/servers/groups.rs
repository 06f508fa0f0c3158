//! A server's security groups, in the words of the Compute API. The groups themselves belong to the
//! Network API; what is changed here are the groups of the server's ports.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;
use skybus_model::{id::SecurityGroupId, message::Context};
use skybus_store::{
    Tx, announce,
    networks::{Scope, groups, ports, refresh},
    servers::Server,
};

use super::find;
use crate::{
    app::App,
    compute::older::groups::shown,
    http::{Auth, Error, Json, Path},
    network::TOLD_AT_ONCE,
};

/// `GET /servers/{id}/os-security-groups`.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let server = find::visible(&app, &auth, &id).await?;
    let mut ids: Vec<SecurityGroupId> = Vec::new();
    for port in ports::of_server(app.store.pool(), server.id).await? {
        ids.extend(port.groups);
    }
    ids.sort_unstable();
    ids.dedup();
    let mut all = Vec::new();
    for id in ids {
        let group = groups::get(app.store.pool(), id, Scope::Everything).await?;
        all.push(shown(&app, &group).await?);
    }
    Ok(Json(json!({ "security_groups": all })).into_response())
}

/// Puts the server's ports under one more group.
pub(crate) async fn add(
    app: &App,
    auth: &Auth,
    context: &Context,
    id: &str,
    name: &str,
) -> Result<(), Error> {
    change(app, auth, context, id, name, |groups, group| {
        if !groups.contains(&group) {
            groups.push(group);
        }
    })
    .await
}

/// Takes the server's ports from under a group.
pub(crate) async fn remove(
    app: &App,
    auth: &Auth,
    context: &Context,
    id: &str,
    name: &str,
) -> Result<(), Error> {
    change(app, auth, context, id, name, |groups, group| {
        groups.retain(|known| *known != group);
    })
    .await
}

async fn change(
    app: &App,
    auth: &Auth,
    context: &Context,
    id: &str,
    name: &str,
    edit: impl Fn(&mut Vec<SecurityGroupId>, SecurityGroupId),
) -> Result<(), Error> {
    let mut tx = app.store.begin().await?;
    let server = find::locked(&mut tx, auth, id).await?;
    let group = named(&mut tx, &server, name).await?;
    let mut ports = ports::of_server(tx.conn(), server.id).await?;
    if ports.is_empty() {
        return Err(Error::bad_request(format!(
            "instance {} has no network interface that a security group could guard",
            server.id
        )));
    }
    let mut changed = false;
    for port in &mut ports {
        let mut now = port.groups.clone();
        edit(&mut now, group);
        if now != port.groups {
            groups::set_of_port(&mut tx, port, &now).await?;
            changed = true;
        }
    }
    if !changed {
        return Err(Error::conflict(format!(
            "for security group {name} nothing is to be changed on instance {}",
            server.id
        )));
    }
    refresh::flush(&mut tx, context, TOLD_AT_ONCE).await?;
    announce::server(&mut tx, &server, "compute.instance.update", context).await?;
    app.push(tx.commit().await?);
    Ok(())
}

async fn named(tx: &mut Tx, server: &Server, name: &str) -> Result<SecurityGroupId, Error> {
    let found = groups::named(tx.conn(), server.project, name).await?;
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => Err(Error::not_found("security group", name)),
        _ => Err(Error::conflict(format!(
            "Multiple security groups found matching '{name}'. Use an ID to be more specific."
        ))),
    }
}
