//! Security groups. A project's `default` group is there as soon as somebody looks.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::id::SecurityGroupId;
use skybus_store::networks::{
    Rule, Scope,
    groups::{self, DEFAULT, Group},
    quotas::Resource,
    refresh, rules,
};

use super::{
    body::{Body, wrong},
    group_rules, limits,
    listing::{self, scope},
};
use crate::{
    app::App,
    http::{Auth, Error, Json, Once, Page, Params, Path, RequestContext},
};

fn view(group: &Group, rules: &[Rule]) -> Value {
    let own = rules.iter().filter(|rule| rule.group == group.id);
    json!({
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "tenant_id": group.project,
        "project_id": group.project,
        "security_group_rules": own.map(group_rules::view).collect::<Vec<_>>(),
        "stateful": true,
        "shared": false,
        "tags": [],
        "created_at": group.created_at.iso_seconds(),
        "updated_at": group.updated_at.iso_seconds(),
    })
}

/// A group that the caller may see; what may be seen may be changed.
pub(super) async fn seen(app: &App, auth: &Auth, id: SecurityGroupId) -> Result<Group, Error> {
    match groups::get(app.store.pool(), id, scope(auth)?).await {
        Err(skybus_store::Error::NotFound(_)) => Err(Error::not_found("security group", id)),
        other => Ok(other?),
    }
}

/// Makes the `default` group of the caller's project when it is missing.
pub(crate) async fn ensure_default(app: &App, auth: &Auth) -> Result<(), Error> {
    let Some(project) = auth.scope else {
        return Ok(());
    };
    if !groups::has_default(app.store.pool(), project).await? {
        let mut tx = app.store.begin().await?;
        groups::ensure_default(&mut tx, project).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Lists groups.
pub(super) async fn list(
    State(app): State<App>,
    auth: Auth,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    ensure_default(&app, &auth).await?;
    let scope = scope(&auth)?;
    let rules = rules::list(app.store.pool(), scope).await?;
    let groups = groups::list(app.store.pool(), scope).await?;
    let items = groups.iter().map(|group| view(group, &rules)).collect();
    listing::page(&app, "security_groups", items, page, &params)
}

async fn shown(app: &App, group: &Group) -> Result<Value, Error> {
    Ok(view(
        group,
        &rules::of_group(app.store.pool(), group.id).await?,
    ))
}

/// Shows a group.
pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<SecurityGroupId>,
    params: Params,
) -> Result<Json<Value>, Error> {
    let group = seen(&app, &auth, id).await?;
    Ok(listing::one(
        "security_group",
        shown(&app, &group).await?,
        &params,
    ))
}

fn take_fixed(body: &mut Body) -> Result<(), Error> {
    let yes = [json!(true), json!("True"), json!("true")];
    body.only("stateful", &yes, "groups are stateful")
}

/// Makes a group that lets everything out and nothing in.
pub(super) async fn create(
    State(app): State<App>,
    auth: Auth,
    once: Once,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let mut body = Body::open("security_group", body)?;
    let project = body.project(&auth)?;
    let name = body.text("name")?.unwrap_or_default();
    let description = body.text("description")?.unwrap_or_default();
    take_fixed(&mut body)?;
    body.done()?;
    let mut tx = app.store.begin().await?;
    groups::ensure_default(&mut tx, project).await?;
    limits::check(&mut tx, project, Resource::SecurityGroup).await?;
    let group = groups::create(&mut tx, project, &name, &description)
        .await
        .map_err(|error| listing::in_words(error, "SecurityGroupDefaultAlreadyExists"))?;
    let rules = rules::of_group(tx.conn(), group.id).await?;
    let body = json!({ "security_group": view(&group, &rules) });
    let response = once
        .record(&mut tx, StatusCode::CREATED, None, &body)
        .await?;
    tx.commit().await?;
    Ok(response)
}

/// Renames a group. The default group keeps its name, because it is found by it.
pub(super) async fn update(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<SecurityGroupId>,
    params: Params,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    seen(&app, &auth, id).await?;
    let mut body = Body::open("security_group", body)?;
    let (name, description) = (body.text("name")?, body.text("description")?);
    take_fixed(&mut body)?;
    body.done()?;
    let mut tx = app.store.begin().await?;
    let mut group = groups::get(tx.conn(), id, Scope::Everything).await?;
    if let Some(name) = name.filter(|name| *name != group.name) {
        if group.name == DEFAULT {
            let text = "Updating default security group not allowed.";
            return Err(Error::conflict(text).named("SecurityGroupCannotUpdateDefault"));
        }
        if name == DEFAULT {
            return Err(wrong(
                "name",
                &json!(name),
                "the project has a default group already",
            ));
        }
        group.name = name;
    }
    group.description = description.unwrap_or(group.description);
    groups::update(&mut tx, &group).await?;
    tx.commit().await?;
    let group = seen(&app, &auth, id).await?;
    Ok(listing::one(
        "security_group",
        shown(&app, &group).await?,
        &params,
    ))
}

/// Deletes a group that guards no port. Hosts learn that rules which spoke of it are gone.
pub(super) async fn delete(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path(id): Path<SecurityGroupId>,
) -> Result<StatusCode, Error> {
    let group = seen(&app, &auth, id).await?;
    if group.name == DEFAULT && !auth.is_admin() {
        let text = "Insufficient rights for removing default security group.";
        return Err(Error::conflict(text).named("SecurityGroupCannotRemoveDefault"));
    }
    let mut tx = app.store.begin().await?;
    groups::delete(&mut tx, &group)
        .await
        .map_err(|error| listing::in_words(error, "SecurityGroupInUse"))?;
    refresh::flush(&mut tx, &context, listing::TOLD_AT_ONCE).await?;
    app.push(tx.commit().await?);
    Ok(StatusCode::NO_CONTENT)
}
