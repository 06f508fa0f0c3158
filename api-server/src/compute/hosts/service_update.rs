//! Closing and opening services, and declaring them dead: in the old form, by host and program, and in
//! the form since 2.53, by id.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use skybus_model::{HostName, id::ServiceId};
use skybus_store::services::{self, Service};

use super::services::{full, service_of};
use crate::{
    app::App,
    compute::fields::{Fields, Invalid},
    http::{Error, Json, Microversion, Path},
};

/// What is to be changed; what is absent stays.
#[derive(Debug, Default)]
struct Change {
    enabled: Option<bool>,
    reason: Option<String>,
    forced_down: Option<bool>,
}

impl Change {
    fn apply(self, service: &mut Service) {
        if let Some(enabled) = self.enabled {
            service.enabled = enabled;
            service.disabled_reason = self.reason;
        }
        if let Some(forced_down) = self.forced_down {
            service.forced_down = forced_down;
        }
    }
}

/// `PUT /os-services/enable`.
pub(crate) async fn enable(
    State(app): State<App>,
    version: Microversion,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let fields = old_form(&body, version, &["host", "binary"])?;
    let change = Change {
        enabled: Some(true),
        ..Change::default()
    };
    let service = by_name(&app, &fields, change).await?;
    Ok(short(&service, json!({ "status": "enabled" })))
}

/// `PUT /os-services/disable`.
pub(crate) async fn disable(
    State(app): State<App>,
    version: Microversion,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let fields = old_form(&body, version, &["host", "binary"])?;
    let change = Change {
        enabled: Some(false),
        ..Change::default()
    };
    let service = by_name(&app, &fields, change).await?;
    Ok(short(&service, json!({ "status": "disabled" })))
}

/// `PUT /os-services/disable-log-reason`.
pub(crate) async fn disable_with_reason(
    State(app): State<App>,
    version: Microversion,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let fields = old_form(&body, version, &["host", "binary", "disabled_reason"])?;
    let reason = fields.required_text("disabled_reason", 1..=255)?.to_owned();
    let shown = json!({ "status": "disabled", "disabled_reason": reason });
    let change = Change {
        enabled: Some(false),
        reason: Some(reason),
        forced_down: None,
    };
    let service = by_name(&app, &fields, change).await?;
    Ok(short(&service, shown))
}

/// `PUT /os-services/force-down` (2.11 to 2.52).
pub(crate) async fn force_down(
    State(app): State<App>,
    version: Microversion,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    if !version.since(11) {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            "force-down came with microversion 2.11",
        ));
    }
    let fields = old_form(&body, version, &["host", "binary", "forced_down"])?;
    let forced = fields
        .flag("forced_down")?
        .ok_or_else(|| fields.missing("forced_down"))?;
    let change = Change {
        forced_down: Some(forced),
        ..Change::default()
    };
    let service = by_name(&app, &fields, change).await?;
    Ok(short(&service, json!({ "forced_down": forced })))
}

/// `PUT /os-services/{id}` (since 2.53).
pub(crate) async fn update(
    State(app): State<App>,
    version: Microversion,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    if !version.since(53) {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            "services are changed by their id since microversion 2.53",
        ));
    }
    let fields = Fields::whole(&body)?;
    fields.only(&["status", "disabled_reason", "forced_down"])?;
    let enabled = fields
        .word("status", &["enabled", "disabled"])?
        .map(|word| word == "enabled");
    let reason = fields.text("disabled_reason", 1..=255)?.map(str::to_owned);
    let forced_down = fields.flag("forced_down")?;
    if reason.is_some() && enabled != Some(false) {
        let why = "a reason goes with status disabled";
        return Err(Invalid::new("disabled_reason", why).into());
    }
    if enabled.is_none() && forced_down.is_none() {
        let why = "nothing is to be changed; give status or forced_down";
        return Err(Invalid::new("body", why).into());
    }
    let id: ServiceId = id.parse().map_err(|_| Error::not_found("service", &id))?;
    let found = services::all(&app.store)
        .await?
        .into_iter()
        .find(|known| known.id == id);
    let service = found.ok_or_else(|| Error::not_found("service", id))?;
    let change = Change {
        enabled,
        reason,
        forced_down,
    };
    let service = save(&app, &service.host, &service.service, change).await?;
    Ok(Json(json!({ "service": full(&service, version) })).into_response())
}

fn old_form<'a>(
    body: &'a Value,
    version: Microversion,
    known: &[&str],
) -> Result<Fields<'a>, Error> {
    if version.since(53) {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            "since microversion 2.53 services are changed by PUT /os-services/{id}",
        ));
    }
    let fields = Fields::whole(body)?;
    fields.only(known)?;
    Ok(fields)
}

async fn by_name(app: &App, fields: &Fields<'_>, change: Change) -> Result<Service, Error> {
    let host = fields.required_text("host", 1..=255)?;
    let binary = fields.required_text("binary", 1..=255)?;
    let missing = || Error::not_found("service", format!("{binary} on host {host}"));
    let host: HostName = host.parse().map_err(|_| missing())?;
    match save(app, &host, service_of(binary), change).await {
        Err(error) if error.status() == StatusCode::NOT_FOUND => Err(missing()),
        other => other,
    }
}

async fn save(app: &App, host: &HostName, name: &str, change: Change) -> Result<Service, Error> {
    let mut tx = app.store.begin().await?;
    let found = services::find(&mut tx, host, name).await?;
    let mut service = found.ok_or_else(|| Error::not_found("service", name))?;
    change.apply(&mut service);
    services::save(&mut tx, &service).await?;
    tx.commit().await?;
    Ok(service)
}

fn short(service: &Service, more: Value) -> Response {
    let mut shown = json!({
        "host": service.host,
        "binary": super::services::binary(&service.service),
    });
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    Json(json!({ "service": shown })).into_response()
}
