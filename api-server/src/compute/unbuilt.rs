//! Calls of Nova's that this cloud answers with "nothing of that here", or with an honest refusal.
//!
//! Clients ask some of them on their way to something else; an empty list lets them go on.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};

use super::servers::find;
use crate::{
    app::App,
    http::{Auth, Error, Json, Microversion, Path},
};

/// `GET /extensions`: what was once optional and is now part of the API.
pub(crate) async fn extensions() -> Response {
    let shown: Vec<Value> = EXTENSIONS.iter().map(|alias| extension(alias)).collect();
    Json(json!({ "extensions": shown })).into_response()
}

/// `GET /extensions/{alias}`.
pub(crate) async fn one_extension(Path(alias): Path<String>) -> Result<Response, Error> {
    match EXTENSIONS.iter().find(|known| **known == alias) {
        Some(alias) => Ok(Json(json!({ "extension": extension(alias) })).into_response()),
        None => Err(Error::not_found("extension", alias)),
    }
}

const EXTENSIONS: &[&str] = &[
    "OS-DCF",
    "OS-EXT-AZ",
    "OS-EXT-IPS",
    "OS-EXT-IPS-MAC",
    "OS-EXT-SRV-ATTR",
    "OS-EXT-STS",
    "OS-FLV-DISABLED",
    "OS-FLV-EXT-DATA",
    "OS-SRV-USG",
    "os-admin-actions",
    "os-availability-zone",
    "os-config-drive",
    "os-console-output",
    "os-extended-volumes",
    "os-flavor-access",
    "os-flavor-extra-specs",
    "os-flavor-manage",
    "os-floating-ip-pools",
    "os-floating-ips",
    "os-hypervisors",
    "os-instance-actions",
    "os-keypairs",
    "os-multiple-create",
    "os-quota-sets",
    "os-security-groups",
    "os-server-start-stop",
    "os-services",
    "os-used-limits",
    "os-user-data",
];

fn extension(alias: &str) -> Value {
    json!({
        "alias": alias,
        "name": alias.trim_start_matches("os-").trim_start_matches("OS-"),
        "description": "Part of the Compute API.",
        "namespace": "",
        "updated": "2014-12-03T00:00:00Z",
        "links": [],
    })
}

/// Accounting is not built.
pub(crate) async fn usage() -> Error {
    Error::new(
        StatusCode::NOT_FOUND,
        "os-simple-tenant-usage is not built yet in this cloud; GET /limits says what is used now.",
    )
}

/// A server's diagnostics are not built.
pub(crate) async fn diagnostics(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    find::visible(&app, &auth, &id).await?;
    Err(Error::bad_request(
        "diagnostics is not built yet in this cloud; read its console log with os-getConsoleOutput.",
    ))
}

/// There are no volumes.
pub(crate) async fn no_volumes(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    find::visible(&app, &auth, &id).await?;
    Ok(Json(json!({ "volumeAttachments": [] })).into_response())
}

/// Volumes cannot be attached.
pub(crate) async fn volumes() -> Error {
    Error::bad_request("Volumes are not built yet in this cloud.")
}

/// No server has tags.
pub(crate) async fn no_tags(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    if !version.since(26) {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            "tags came with microversion 2.26",
        ));
    }
    find::visible(&app, &auth, &id).await?;
    Ok(Json(json!({ "tags": [] })).into_response())
}

/// Tags cannot be set.
pub(crate) async fn tags() -> Error {
    Error::bad_request("Tags are not built yet in this cloud; use metadata.")
}

/// No server migrates.
pub(crate) async fn no_migrations(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    find::visible(&app, &auth, &id).await?;
    Ok(Json(json!({ "migrations": [] })).into_response())
}

/// No guest hands its password back.
pub(crate) async fn no_password(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    find::visible(&app, &auth, &id).await?;
    Ok(Json(json!({ "password": "" })).into_response())
}

/// There are no server groups.
pub(crate) async fn no_server_groups() -> Response {
    Json(json!({ "server_groups": [] })).into_response()
}

/// Server groups cannot be made.
pub(crate) async fn server_groups() -> Error {
    Error::bad_request("Server groups are not built yet in this cloud.")
}

/// There are no aggregates.
pub(crate) async fn no_aggregates() -> Response {
    Json(json!({ "aggregates": [] })).into_response()
}

/// Aggregates cannot be made.
pub(crate) async fn aggregates() -> Error {
    Error::bad_request(
        "Aggregates are not built yet in this cloud; a host's zone is in its own configuration.",
    )
}
