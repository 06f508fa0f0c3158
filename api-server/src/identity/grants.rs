//! Who has which role in which project: giving, taking, looking; and domains, of which there is one.

use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};
use skybus_store::identity::{Assignment, assignments, domains, roles};

use super::{listing, projects, roles as role_view, tokens::domain_view, users};
use crate::{
    app::App,
    http::{Error, Json, Page, Params, Path},
};

type Three = Path<(String, String, String)>;

/// `PUT /projects/{p}/users/{u}/roles/{r}`.
pub(super) async fn give(
    State(app): State<App>,
    Path((project, user, role)): Three,
) -> Result<StatusCode, Error> {
    let project = projects::load(&app, &project).await?;
    let user = users::load(&app, &user).await?;
    let role = role_view::load(&app, &role).await?;
    let mut tx = app.store.begin().await?;
    assignments::give(&mut tx, project.id, user.id, role.id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /projects/{p}/users/{u}/roles/{r}`.
pub(super) async fn take(
    State(app): State<App>,
    Path((project, user, role)): Three,
) -> Result<StatusCode, Error> {
    let project = projects::load(&app, &project).await?;
    let user = users::load(&app, &user).await?;
    let role = role_view::load(&app, &role).await?;
    let mut tx = app.store.begin().await?;
    if !assignments::take(&mut tx, project.id, user.id, role.id).await? {
        return Err(not_given());
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `HEAD` (and `GET`) `/projects/{p}/users/{u}/roles/{r}`.
pub(super) async fn check(
    State(app): State<App>,
    Path((project, user, role)): Three,
) -> Result<StatusCode, Error> {
    let project = projects::load(&app, &project).await?;
    let user = users::load(&app, &user).await?;
    let role = role_view::load(&app, &role).await?;
    let held = roles::held(app.store.pool(), project.id, user.id).await?;
    match held.iter().any(|one| one.id == role.id) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(not_given()),
    }
}

fn not_given() -> Error {
    Error::new(
        StatusCode::NOT_FOUND,
        "the user does not have that role in the project",
    )
}

/// `GET /projects/{p}/users/{u}/roles`.
pub(super) async fn held(
    State(app): State<App>,
    Path((project, user)): Path<(String, String)>,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let project = projects::load(&app, &project).await?;
    let user = users::load(&app, &user).await?;
    let found = roles::held(app.store.pool(), project.id, user.id).await?;
    let items = found
        .iter()
        .map(|role| role_view::view(&app, role))
        .collect();
    listing::answer(&app, &page, &params, "roles", items)
}

/// `GET /role_assignments`.
pub(super) async fn list(State(app): State<App>, params: Params) -> Result<Json<Value>, Error> {
    let names = params.flag("include_names")?.unwrap_or(false);
    // Groups, other domains and the system as a scope exist for Keystone; here nothing is given there.
    let elsewhere = ["group.id", "scope.domain.id", "scope.system"]
        .iter()
        .any(|key| params.has(key));
    let mut found = match elsewhere {
        true => Vec::new(),
        false => assignments::list(app.store.pool()).await?,
    };
    let same = |id: String, key: &str| params.one(key).is_none_or(|wanted| plain(wanted) == id);
    found.retain(|one| {
        same(one.user.to_string(), "user.id")
            && same(one.role.to_string(), "role.id")
            && same(one.project.to_string(), "scope.project.id")
    });
    let items: Vec<Value> = found.iter().map(|one| view(&app, one, names)).collect();
    let links = json!({ "self": app.public("/identity/v3/role_assignments"), "previous": null, "next": null });
    Ok(Json(json!({ "role_assignments": items, "links": links })))
}

fn plain(id: &str) -> String {
    id.replace('-', "")
}

fn view(app: &App, one: &Assignment, names: bool) -> Value {
    let path = format!(
        "/identity/v3/projects/{}/users/{}/roles/{}",
        one.project, one.user, one.role
    );
    let mut shown = json!({
        "scope": { "project": { "id": one.project } },
        "user": { "id": one.user },
        "role": { "id": one.role },
        "links": { "assignment": app.public(&path) },
    });
    if names {
        let domain = json!({ "id": domains::DEFAULT, "name": "Default" });
        shown["scope"]["project"]["name"] = json!(one.project_name);
        shown["scope"]["project"]["domain"] = domain.clone();
        shown["user"]["name"] = json!(one.user_name);
        shown["user"]["domain"] = domain;
        shown["role"]["name"] = json!(one.role_name);
    }
    shown
}

/// `GET /domains`.
pub(super) async fn list_domains(
    State(app): State<App>,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let found = domains::list(app.store.pool()).await?;
    let items = found
        .iter()
        .map(|domain| domain_view(&app, domain))
        .collect();
    listing::answer(&app, &page, &params, "domains", items)
}

/// `GET /domains/{id}`.
pub(super) async fn show_domain(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let found = domains::find(app.store.pool(), &id).await?;
    let domain = found
        .filter(|domain| domain.id == id)
        .ok_or_else(|| Error::not_found("domain", &id))?;
    Ok(Json(json!({ "domain": domain_view(&app, &domain) })))
}
