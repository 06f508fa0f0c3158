//! Roles: list, make, show, change, remove. The three that the policy speaks of cannot be changed.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use skybus_model::id::RoleId;
use skybus_store::identity::{Role, roles};

use super::{fields, listing};
use crate::{
    app::App,
    http::{Error, Json, Once, Page, Params, Path},
};

const FIXED: [&str; 3] = ["admin", "member", "reader"];

#[derive(Debug, Deserialize)]
pub(super) struct Body {
    role: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, deserialize_with = "fields::given")]
    description: Option<Option<String>>,
    #[serde(default)]
    domain_id: Option<String>,
}

/// A role as it is shown.
pub(super) fn view(app: &App, role: &Role) -> Value {
    let options = match FIXED.contains(&role.name.as_str()) {
        true => json!({ "immutable": true }),
        false => json!({}),
    };
    json!({
        "id": role.id,
        "name": role.name,
        "description": role.description,
        "domain_id": null,
        "options": options,
        "links": { "self": app.public(&format!("/identity/v3/roles/{}", role.id)) },
    })
}

/// The role of this id; 404 without one.
pub(super) async fn load(app: &App, id: &str) -> Result<Role, Error> {
    let missing = || Error::not_found("role", id);
    let known: RoleId = id.parse().map_err(|_| missing())?;
    roles::get(app.store.pool(), known)
        .await?
        .ok_or_else(missing)
}

async fn changeable(app: &App, id: &str) -> Result<Role, Error> {
    let role = load(app, id).await?;
    if FIXED.contains(&role.name.as_str()) {
        let name = &role.name;
        return Err(Error::forbidden(format!(
            "the role {name} is part of the policy and immutable"
        )));
    }
    Ok(role)
}

pub(super) async fn list(
    State(app): State<App>,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let found = roles::list(app.store.pool()).await?;
    let items = found.iter().map(|role| view(&app, role)).collect();
    listing::answer(&app, &page, &params, "roles", items)
}

pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let role = load(&app, &id).await?;
    Ok(Json(json!({ "role": view(&app, &role) })))
}

pub(super) async fn create(
    State(app): State<App>,
    once: Once,
    Json(Body { role: wanted }): Json<Body>,
) -> Result<Response, Error> {
    if wanted.domain_id.is_some() {
        return Err(Error::bad_request(
            "roles belong to no domain here (role.domain_id)",
        ));
    }
    let name = wanted
        .name
        .ok_or_else(|| Error::bad_request("role.name is missing"))?;
    let text = wanted.description.flatten();
    let role = Role {
        id: RoleId::random(),
        name: fields::name("role.name", &name, fields::MOST_NAME)?,
        description: text
            .map(|text| fields::text("role.description", text))
            .transpose()?,
    };
    let mut tx = app.store.begin().await?;
    roles::insert(&mut tx, &role).await?;
    let body = json!({ "role": view(&app, &role) });
    let response = once
        .record(&mut tx, StatusCode::CREATED, None, &body)
        .await?;
    tx.commit().await?;
    Ok(response)
}

pub(super) async fn update(
    State(app): State<App>,
    Path(id): Path<String>,
    Json(Body { role: wanted }): Json<Body>,
) -> Result<Json<Value>, Error> {
    let mut role = changeable(&app, &id).await?;
    if let Some(name) = wanted.name {
        role.name = fields::name("role.name", &name, fields::MOST_NAME)?;
    }
    if let Some(text) = wanted.description {
        role.description = text
            .map(|text| fields::text("role.description", text))
            .transpose()?;
    }
    let mut tx = app.store.begin().await?;
    roles::update(&mut tx, &role).await?;
    tx.commit().await?;
    Ok(Json(json!({ "role": view(&app, &role) })))
}

pub(super) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let role = changeable(&app, &id).await?;
    let mut tx = app.store.begin().await?;
    roles::delete(&mut tx, role.id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
