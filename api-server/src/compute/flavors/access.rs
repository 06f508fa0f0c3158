//! Which projects may use a flavor that is not public.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use skybus_model::id::ProjectId;
use skybus_store::compute::flavors;

use crate::{
    app::App,
    compute::fields::{Fields, Invalid},
    http::{Auth, Error, Json, Path},
};

/// Those projects.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let flavor = super::find(&app, &auth, &id).await?;
    if flavor.is_public {
        return Err(Error::new(
            http::StatusCode::NOT_FOUND,
            "Access list not available for public flavors.",
        ));
    }
    shown(&app, &id).await
}

/// `POST /flavors/{id}/action`.
pub(crate) async fn act(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let fields = Fields::whole(&body)?;
    fields.only(&["addTenantAccess", "removeTenantAccess"])?;
    let flavor = super::find(&app, &auth, &id).await?;
    let (inner, add) = match fields.inner("addTenantAccess")? {
        Some(inner) => (inner, true),
        None => match fields.inner("removeTenantAccess")? {
            Some(inner) => (inner, false),
            None => return Err(fields.missing("addTenantAccess").into()),
        },
    };
    inner.only(&["tenant"])?;
    let tenant = inner.required_text("tenant", 1..=64)?;
    let project: ProjectId = tenant
        .parse()
        .map_err(|e| Invalid::new(inner.at("tenant"), format!("{e}")))?;
    if flavor.is_public {
        return Err(Error::conflict("Can not add access to a public flavor."));
    }
    let mut tx = app.store.begin().await?;
    if add && !flavors::allow(&mut tx, &id, project).await? {
        return Err(Error::conflict(format!(
            "Flavor access already exists for flavor {id} and project {project} combination."
        )));
    }
    if !add && !flavors::disallow(&mut tx, &id, project).await? {
        return Err(Error::not_found(
            "flavor access",
            format!("of {id} for {project}"),
        ));
    }
    tx.commit().await?;
    shown(&app, &id).await
}

async fn shown(app: &App, id: &str) -> Result<Response, Error> {
    let projects = flavors::access(&app.store, id).await?;
    let list: Vec<Value> = projects
        .iter()
        .map(|project| json!({ "flavor_id": id, "tenant_id": project }))
        .collect();
    Ok(Json(json!({ "flavor_access": list })).into_response())
}
