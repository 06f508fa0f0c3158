//! `os-services`: the worker processes on the hosts.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use skybus_model::Timestamp;
use skybus_store::services::{self, Service};

use super::number;
use crate::{
    app::App,
    http::{Error, Json, Microversion, Params},
};

/// The name of a service's program, as Nova's clients look for it.
pub(super) fn binary(service: &str) -> String {
    format!("nova-{service}")
}

/// The service that a program's name means: Nova's, ours, or the bare word.
pub(super) fn service_of(binary: &str) -> &str {
    binary
        .strip_prefix("nova-")
        .or_else(|| binary.strip_prefix("skybus-"))
        .unwrap_or(binary)
}

/// All of them, or those of a host or of a program.
pub(crate) async fn index(
    State(app): State<App>,
    version: Microversion,
    params: Params,
) -> Result<Response, Error> {
    let mut all = services::all(&app.store).await?;
    if let Some(host) = params.one("host").filter(|host| !host.is_empty()) {
        all.retain(|service| service.host.as_str() == host);
    }
    if let Some(program) = params.one("binary").filter(|program| !program.is_empty()) {
        all.retain(|service| service.service == service_of(program));
    }
    let shown: Vec<Value> = all.iter().map(|service| full(service, version)).collect();
    Ok(Json(json!({ "services": shown })).into_response())
}

/// A service in full.
pub(super) fn full(service: &Service, version: Microversion) -> Value {
    let id = service.id.to_string();
    let mut shown = json!({
        "id": if version.since(53) { json!(id) } else { json!(number(&id)) },
        "binary": binary(&service.service),
        "host": service.host,
        "zone": service.zone,
        "status": if service.enabled { "enabled" } else { "disabled" },
        "state": if service.is_up(Timestamp::now()) { "up" } else { "down" },
        "updated_at": service.last_seen.iso_micros(),
        "disabled_reason": service.disabled_reason,
    });
    if version.since(11) {
        shown["forced_down"] = json!(service.forced_down);
    }
    shown
}
