//! Projects: list, make, show, change, remove.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use skybus_model::{Timestamp, id::ProjectId};
use skybus_store::identity::{Project, domains, projects, roles};

use super::{fields, listing};
use crate::{
    app::App,
    http::{Auth, Error, Json, Once, Page, Params, Path},
};

#[derive(Debug, Deserialize)]
pub(super) struct Body {
    project: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, deserialize_with = "fields::given")]
    description: Option<Option<String>>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    domain_id: Option<String>,
    #[serde(default)]
    parent_id: Option<String>,
    #[serde(default)]
    is_domain: bool,
    #[serde(default)]
    tags: Vec<String>,
}

impl Wanted {
    /// Refuses what clients may ask of Keystone and is not here.
    fn check(&self) -> Result<(), Error> {
        fields::domain("project.domain_id", self.domain_id.as_deref())?;
        // Keystone shows the domain as the parent of a project at the top.
        fields::domain("project.parent_id", self.parent_id.as_deref())?;
        if self.is_domain {
            return Err(Error::bad_request(
                "a project cannot be a domain here (project.is_domain)",
            ));
        }
        if !self.tags.is_empty() {
            return Err(Error::bad_request(
                "projects have no tags here (project.tags)",
            ));
        }
        Ok(())
    }
}

/// A project as it is shown.
pub(super) fn view(app: &App, project: &Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "enabled": project.enabled,
        "domain_id": project.domain,
        "parent_id": project.domain,
        "is_domain": false,
        "tags": [],
        "options": {},
        "links": { "self": app.public(&format!("/identity/v3/projects/{}", project.id)) },
    })
}

/// These projects as a list.
pub(super) fn answer(
    app: &App,
    page: &Page,
    params: &Params,
    found: Vec<Project>,
) -> Result<Json<Value>, Error> {
    let items = found.iter().map(|project| view(app, project)).collect();
    listing::answer(app, page, params, "projects", items)
}

/// The project of this id; 404 without one.
pub(super) async fn load(app: &App, id: &str) -> Result<Project, Error> {
    let missing = || Error::not_found("project", id);
    let known: ProjectId = id.parse().map_err(|_| missing())?;
    projects::get(app.store.pool(), known)
        .await?
        .ok_or_else(missing)
}

pub(super) async fn list(
    State(app): State<App>,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let found = projects::list(app.store.pool()).await?;
    answer(&app, &page, &params, found)
}

pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let project = load(&app, &id)
        .await
        .map_err(|error| match auth.is_admin() {
            true => error,
            false => hidden(),
        })?;
    let own = auth.scope == Some(project.id)
        || auth.is_admin()
        || !roles::held(app.store.pool(), project.id, auth.user)
            .await?
            .is_empty();
    if !own {
        return Err(hidden());
    }
    Ok(Json(json!({ "project": view(&app, &project) })))
}

/// The same for a project that is not there and one that is not the caller's.
fn hidden() -> Error {
    Error::forbidden("identity:get_project needs a role in the project, or the role admin")
}

pub(super) async fn create(
    State(app): State<App>,
    once: Once,
    Json(Body { project: wanted }): Json<Body>,
) -> Result<Response, Error> {
    wanted.check()?;
    let name = wanted
        .name
        .ok_or_else(|| Error::bad_request("project.name is missing"))?;
    let description = wanted.description.flatten().unwrap_or_default();
    let project = Project {
        id: ProjectId::random(),
        domain: domains::DEFAULT.to_owned(),
        name: fields::name("project.name", &name, fields::MOST_PROJECT_NAME)?,
        description: fields::text("project.description", description)?,
        enabled: wanted.enabled.unwrap_or(true),
        created_at: Timestamp::now(),
    };
    let mut tx = app.store.begin().await?;
    projects::insert(&mut tx, &project).await?;
    let body = json!({ "project": view(&app, &project) });
    let response = once
        .record(&mut tx, StatusCode::CREATED, None, &body)
        .await?;
    tx.commit().await?;
    Ok(response)
}

pub(super) async fn update(
    State(app): State<App>,
    Path(id): Path<String>,
    Json(Body { project: wanted }): Json<Body>,
) -> Result<Json<Value>, Error> {
    wanted.check()?;
    let missing = || Error::not_found("project", &id);
    let known: ProjectId = id.parse().map_err(|_| missing())?;
    let mut tx = app.store.begin().await?;
    let mut project = projects::get(tx.conn(), known).await?.ok_or_else(missing)?;
    if let Some(name) = wanted.name {
        project.name = fields::name("project.name", &name, fields::MOST_PROJECT_NAME)?;
    }
    if let Some(description) = wanted.description {
        project.description = fields::text("project.description", description.unwrap_or_default())?;
    }
    project.enabled = wanted.enabled.unwrap_or(project.enabled);
    projects::update(&mut tx, &project).await?;
    tx.commit().await?;
    Ok(Json(json!({ "project": view(&app, &project) })))
}

pub(super) async fn delete(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let project = load(&app, &id).await?;
    if auth.scope == Some(project.id) {
        return Err(Error::forbidden(
            "the token is for this project; use one for another to delete it",
        ));
    }
    let mut tx = app.store.begin().await?;
    projects::delete(&mut tx, project.id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
