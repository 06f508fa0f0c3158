//! How many of each a project may have, and has.

use axum::extract::State;
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::id::ProjectId;
use skybus_store::networks::quotas::{self, Resource};

use super::body::{Body, wrong};
use crate::{
    app::App,
    http::{Auth, Error, Json, Path},
};

/// What this cloud does not have yet: a project may have none.
const NONE: &[&str] = &["router", "rbac_policy", "subnetpool"];

fn check(auth: &Auth, project: ProjectId) -> Result<(), Error> {
    if auth.sees(project) {
        return Ok(());
    }
    Err(Error::forbidden(
        "only an administrator can look at another project's quota",
    ))
}

fn with_none(mut quota: Map<String, Value>, none: &Value) -> Json<Value> {
    for name in NONE {
        quota.insert((*name).to_owned(), none.clone());
    }
    Json(json!({ "quota": quota }))
}

async fn limits(app: &App, project: ProjectId) -> Result<Json<Value>, Error> {
    let mut quota = Map::new();
    for resource in Resource::ALL {
        let limit = quotas::limit(app.store.pool(), project, resource).await?;
        quota.insert(resource.as_str().to_owned(), json!(limit));
    }
    Ok(with_none(quota, &json!(0)))
}

/// A project's limits.
pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path(project): Path<ProjectId>,
) -> Result<Json<Value>, Error> {
    check(&auth, project)?;
    limits(&app, project).await
}

/// What holds for a project of which nobody said otherwise.
pub(super) async fn defaults() -> Json<Value> {
    let quota = Resource::ALL
        .iter()
        .map(|resource| {
            (
                resource.as_str().to_owned(),
                json!(resource.default_limit()),
            )
        })
        .collect();
    with_none(quota, &json!(0))
}

/// A project's limits and use.
pub(super) async fn details(
    State(app): State<App>,
    auth: Auth,
    Path(project): Path<ProjectId>,
) -> Result<Json<Value>, Error> {
    check(&auth, project)?;
    let mut quota = Map::new();
    for resource in Resource::ALL {
        let limit = quotas::limit(app.store.pool(), project, resource).await?;
        let used = quotas::used(app.store.pool(), project, resource).await?;
        let detail = json!({ "limit": limit, "used": used, "reserved": 0 });
        quota.insert(resource.as_str().to_owned(), detail);
    }
    Ok(with_none(
        quota,
        &json!({ "limit": 0, "used": 0, "reserved": 0 }),
    ))
}

/// Sets some of a project's limits.
pub(super) async fn update(
    State(app): State<App>,
    Path(project): Path<ProjectId>,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    let mut body = Body::open("quota", body)?;
    let mut tx = app.store.begin().await?;
    for resource in Resource::ALL {
        let Some(most) = body.number(resource.as_str())? else {
            continue;
        };
        if most < -1 || most > i64::from(i32::MAX) {
            let why = "it must be -1 (no limit) or more";
            return Err(wrong(resource.as_str(), &json!(most), why));
        }
        quotas::set(&mut tx, project, resource, most).await?;
    }
    for name in NONE {
        body.only(
            name,
            &[json!(0), json!(-1)],
            "this cloud does not have them yet",
        )?;
    }
    body.value("force");
    body.value("check_limit");
    body.value("tenant_id");
    body.value("project_id");
    body.done()?;
    tx.commit().await?;
    limits(&app, project).await
}

/// The defaults hold again.
pub(super) async fn reset(
    State(app): State<App>,
    Path(project): Path<ProjectId>,
) -> Result<StatusCode, Error> {
    let mut tx = app.store.begin().await?;
    quotas::reset(&mut tx, project).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
