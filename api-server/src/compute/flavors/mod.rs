//! Flavors: listed and shown for everyone, made and removed by administrators.

pub(crate) mod access;
pub(crate) mod manage;
pub(crate) mod specs;
mod view;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use skybus_model::id::ProjectId;
use skybus_store::{
    Error as StoreError,
    compute::flavors::{self, Flavor},
};

use crate::{
    app::App,
    compute::servers::Lens,
    http::{Auth, Error, Json, Microversion, Page, Params, Path, Way},
};

/// What flavors can be sorted by.
const SORT_KEYS: &[&str] = &[
    "flavorid",
    "id",
    "name",
    "memory_mb",
    "vcpus",
    "root_gb",
    "ephemeral_gb",
    "swap",
    "created_at",
    "updated_at",
    "disabled",
    "is_public",
    "rxtx_factor",
    "vcpu_weight",
];

/// The short list.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    page: Page,
    params: Params,
) -> Result<Response, Error> {
    list(&app, &auth, version, page, &params, view::brief).await
}

/// The full list.
pub(crate) async fn detail(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    page: Page,
    params: Params,
) -> Result<Response, Error> {
    list(&app, &auth, version, page, &params, view::full).await
}

/// One flavor.
pub(crate) async fn show(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let flavor = find(&app, &auth, &id).await?;
    let lens = Lens::new(&app, &auth, version);
    Ok(Json(json!({ "flavor": view::full(&lens, &flavor) })).into_response())
}

/// The flavor with this id, if the caller may use it.
pub(crate) async fn find(app: &App, auth: &Auth, id: &str) -> Result<Flavor, Error> {
    flavors::find(&app.store, id, whose(auth)?)
        .await
        .map_err(|error| missing(error, id))
}

/// Administrators see every flavor.
fn whose(auth: &Auth) -> Result<Option<ProjectId>, Error> {
    if auth.is_admin() {
        Ok(None)
    } else {
        auth.project().map(Some)
    }
}

/// Nova's words for a flavor that is not there.
pub(crate) fn missing(error: StoreError, id: &str) -> Error {
    match error {
        StoreError::NotFound(_) => Error::not_found("flavor", id),
        other => other.into(),
    }
}

async fn list(
    app: &App,
    auth: &Auth,
    version: Microversion,
    page: Page,
    params: &Params,
    shown: fn(&Lens, &Flavor) -> Value,
) -> Result<Response, Error> {
    let least_ram: i64 = params.parse("minRam")?.unwrap_or(0);
    let least_disk: i64 = params.parse("minDisk")?.unwrap_or(0);
    let public = match params.one("is_public") {
        Some("None" | "none") if auth.is_admin() => None,
        Some(_) if auth.is_admin() => params.flag("is_public")?,
        None if auth.is_admin() => Some(true),
        _ => None,
    };
    let mut all = flavors::list(&app.store, whose(auth)?).await?;
    all.retain(|flavor| {
        flavor.resources.ram_mib >= least_ram
            && flavor.resources.disk_gib >= least_disk
            && public.is_none_or(|public| public == flavor.is_public)
    });
    // Nova lists flavors upwards unless told otherwise.
    let page = page
        .unless_said(Way::Up)?
        .sorted_by(SORT_KEYS, ("flavorid", Way::Up))?;
    let cut = page.cut(all, |flavor| flavor.id.clone(), sort_value)?;
    let lens = Lens::new(app, auth, version);
    let mut body = Map::new();
    let items = cut
        .items
        .iter()
        .map(|flavor| shown(&lens, flavor))
        .collect();
    body.insert("flavors".to_owned(), Value::Array(items));
    if let Some(links) = page.links(&lens.base, &cut) {
        body.insert("flavors_links".to_owned(), links);
    }
    Ok(Json(body).into_response())
}

fn sort_value(flavor: &Flavor, key: &str) -> Value {
    match key {
        "flavorid" | "id" => json!(flavor.id),
        "name" => json!(flavor.name),
        "memory_mb" => json!(flavor.resources.ram_mib),
        "vcpus" => json!(flavor.resources.vcpus),
        "root_gb" => json!(flavor.resources.disk_gib),
        "is_public" => json!(flavor.is_public),
        "created_at" | "updated_at" => json!(flavor.created_at),
        _ => Value::Null,
    }
}
