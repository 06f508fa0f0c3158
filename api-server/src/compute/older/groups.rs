//! `os-security-groups`: the project's groups, and how a group was shown in the Compute API.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use skybus_model::id::SecurityGroupId;
use skybus_store::{
    Error as StoreError,
    networks::{
        Scope,
        groups::{self, DEFAULT, Group},
        quotas::Resource,
        refresh, rules,
    },
};

use super::{LAST, rules::legacy, until};
use crate::{
    app::App,
    compute::fields::Fields,
    http::{Auth, Error, Json, Microversion, Once, Params, Path, RequestContext},
    network::{self, TOLD_AT_ONCE},
};

fn whose(auth: &Auth) -> Result<Scope, Error> {
    if auth.is_admin() {
        return Ok(Scope::Everything);
    }
    Ok(Scope::Project(auth.project()?))
}

/// A group with its rules, for arriving packets alone.
pub(crate) async fn shown(app: &App, group: &Group) -> Result<Value, Error> {
    let mut shown = Vec::new();
    for rule in rules::of_group(app.store.pool(), group.id).await? {
        shown.extend(legacy(app, &rule).await?);
    }
    Ok(json!({
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "tenant_id": group.project,
        "rules": shown,
    }))
}

/// A group that the caller may see; what may be seen may be changed.
pub(super) async fn seen(app: &App, auth: &Auth, id: &str) -> Result<Group, Error> {
    let missing = || Error::not_found("security group", id);
    let known: SecurityGroupId = id.parse().map_err(|_| missing())?;
    match groups::get(app.store.pool(), known, whose(auth)?).await {
        Err(StoreError::NotFound(_)) => Err(missing()),
        other => Ok(other?),
    }
}

/// `GET /os-security-groups`: the project's; for an administrator who says `all_tenants`, everybody's.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    params: Params,
) -> Result<Response, Error> {
    until(version, LAST)?;
    network::ensure_default_group(&app, &auth).await?;
    let scope = if auth.is_admin() && params.has("all_tenants") {
        Scope::Everything
    } else {
        Scope::Project(auth.project()?)
    };
    let mut all = Vec::new();
    for group in groups::list(app.store.pool(), scope).await? {
        all.push(shown(&app, &group).await?);
    }
    Ok(Json(json!({ "security_groups": all })).into_response())
}

/// `GET /os-security-groups/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    until(version, LAST)?;
    let group = seen(&app, &auth, &id).await?;
    Ok(Json(json!({ "security_group": shown(&app, &group).await? })).into_response())
}

/// Name and description of a body.
fn words(body: &Value) -> Result<(String, String), Error> {
    let fields = Fields::of(body, "security_group")?;
    fields.only(&["name", "description"])?;
    let name = fields.required_text("name", 1..=255)?.trim();
    let description = fields.text("description", 0..=255)?.unwrap_or_default();
    Ok((name.to_owned(), description.to_owned()))
}

/// `POST /os-security-groups`: a group that lets everything out and nothing in.
pub(crate) async fn create(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    once: Once,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    until(version, LAST)?;
    let (name, description) = words(&body)?;
    let project = auth.project()?;
    let mut tx = app.store.begin().await?;
    groups::ensure_default(&mut tx, project).await?;
    network::check_limit(&mut tx, project, Resource::SecurityGroup).await?;
    let group = groups::create(&mut tx, project, &name, &description).await?;
    // It has no rules that this API speaks of.
    let body = json!({ "security_group": {
        "id": group.id, "name": group.name, "description": group.description,
        "tenant_id": group.project, "rules": [],
    }});
    let response = once.record(&mut tx, StatusCode::OK, None, &body).await?;
    tx.commit().await?;
    Ok(response)
}

/// `PUT /os-security-groups/{id}`.
pub(crate) async fn update(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    until(version, LAST)?;
    let known = seen(&app, &auth, &id).await?.id;
    let (name, description) = words(&body)?;
    let mut tx = app.store.begin().await?;
    let mut group = groups::get(tx.conn(), known, Scope::Everything).await?;
    if name != group.name && (group.name == DEFAULT || name == DEFAULT) {
        return Err(Error::bad_request(
            "Unable to update system group 'default': each project has one, and it is found by its name.",
        ));
    }
    (group.name, group.description) = (name, description);
    groups::update(&mut tx, &group).await?;
    tx.commit().await?;
    Ok(Json(json!({ "security_group": shown(&app, &group).await? })).into_response())
}

/// `DELETE /os-security-groups/{id}`. Hosts learn that rules which spoke of it are gone.
pub(crate) async fn delete(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    RequestContext(context): RequestContext,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    until(version, LAST)?;
    let group = seen(&app, &auth, &id).await?;
    if group.name == DEFAULT && !auth.is_admin() {
        return Err(Error::bad_request(
            "Unable to delete system group 'default'",
        ));
    }
    let mut tx = app.store.begin().await?;
    match groups::delete(&mut tx, &group).await {
        Err(StoreError::Conflict(why)) => return Err(Error::bad_request(why)),
        other => other?,
    }
    refresh::flush(&mut tx, &context, TOLD_AT_ONCE).await?;
    app.push(tx.commit().await?);
    Ok(StatusCode::ACCEPTED)
}
