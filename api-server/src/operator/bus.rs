//! Dead letters and subscribers, for operators.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use skybus_bus::{
    accounts::{self, Management, subscriber},
    dead::{self, DeadLetter},
};
use skybus_model::{HostName, Timestamp};

use crate::{
    app::App,
    http::{Error, Json, Params, Path},
};

/// How many dead letters are shown unless asked otherwise, and at most.
const USUALLY: usize = 100;
const MOST: usize = 1000;

/// The oldest dead letters.
pub(super) async fn list(State(app): State<App>, params: Params) -> Result<Response, Error> {
    let limit: usize = params.parse("limit")?.unwrap_or(USUALLY);
    if !(1..=MOST).contains(&limit) {
        return Err(Error::bad_request(format!(
            "limit must be from 1 to {MOST}"
        )));
    }
    let letters = dead::list(&app.bus, limit).await.map_err(dead_error)?;
    let shown: Vec<Value> = letters.iter().map(letter).collect();
    Ok(Json(json!({ "dead": shown })).into_response())
}

/// One of them with its body.
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let (found, body) = dead::show(&app.bus, &id).await.map_err(dead_error)?;
    let mut shown = letter(&found);
    shown["body"] = json!(body);
    Ok(Json(json!({ "dead": shown })).into_response())
}

/// Sends it again.
pub(super) async fn replay(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let sent = dead::replay(&app.bus, &id).await.map_err(dead_error)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "dead": letter(&sent) }))).into_response())
}

/// Removes it.
pub(super) async fn drop_letter(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    dead::drop_letter(&app.bus, &id).await.map_err(dead_error)?;
    Ok(StatusCode::NO_CONTENT)
}

fn letter(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id,
        "kind": letter.kind,
        "exchange": letter.exchange,
        "routing_key": letter.routing_key,
        "queue": letter.queue,
        "reason": letter.reason,
        "at": Timestamp(letter.at.saturating_mul(1_000_000)).iso_seconds(),
        "size": letter.size,
        "request_id": letter.request_id,
    })
}

fn dead_error(error: dead::Error) -> Error {
    match error {
        dead::Error::NotFound { id } => Error::not_found("dead letter", id),
        dead::Error::NotOurs { .. } => Error::conflict(error.to_string()),
        dead::Error::NotSent(_) | dead::Error::Broker { .. } => {
            Error::unavailable(5, format!("{error}; see `skybus status`"))
        }
    }
}

/// The subscribers' names.
pub(super) async fn subscribers(State(app): State<App>) -> Result<Response, Error> {
    let names = subscriber::list(&management(&app)?)
        .await
        .map_err(account_error)?;
    let shown: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    Ok(Json(json!({ "subscribers": shown })).into_response())
}

/// Makes a subscriber: a read-only account and a bounded durable queue.
pub(super) async fn subscribe(
    State(app): State<App>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let name = body.get("name").and_then(Value::as_str).ok_or_else(|| {
        Error::bad_request("Invalid input for field name: it is required and must be a text")
    })?;
    let name = named(name)?;
    let keys = keys(&body)?;
    let made = subscriber::add(&management(&app)?, &app.config.broker, &name, &keys).await;
    let made = made.map_err(account_error)?;
    Ok((StatusCode::CREATED, Json(json!({ "subscriber": made }))).into_response())
}

fn named(name: &str) -> Result<HostName, Error> {
    name.parse().map_err(|_| {
        Error::bad_request(
            "Invalid input for field name: use 1 to 63 characters of a-z, 0-9 and '-', starting with \
             a letter or digit",
        )
    })
}

fn keys(body: &Value) -> Result<Vec<String>, Error> {
    let wrong = || {
        Error::bad_request(
            "Invalid input for field keys: it must be a list of routing keys such as \"#\" or \
             \"compute.*.server.report\", each at most 255 characters",
        )
    };
    let Some(keys) = body.get("keys") else {
        return Ok(vec!["#".to_owned()]);
    };
    let keys = keys
        .as_array()
        .filter(|keys| (1..=100).contains(&keys.len()))
        .ok_or_else(wrong)?;
    keys.iter()
        .map(|key| {
            let key = key.as_str().filter(|key| (1..=255).contains(&key.len()));
            key.map(str::to_owned).ok_or_else(wrong)
        })
        .collect()
}

/// Removes a subscriber with its queue.
pub(super) async fn unsubscribe(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Error> {
    let known = subscriber::list(&management(&app)?)
        .await
        .map_err(account_error)?;
    if !known.contains(&name) {
        return Err(Error::not_found("subscriber", name));
    }
    subscriber::remove(&management(&app)?, &named(&name)?)
        .await
        .map_err(account_error)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The broker's management, when this process was told where it is.
pub(super) fn management(app: &App) -> Result<Management, Error> {
    app.config.management().map_err(account_error)?.ok_or_else(|| {
        Error::conflict(
            "this API server was not told where the broker's management is; set `management` in its \
             configuration",
        )
    })
}

/// The caller is told what, the log why.
pub(super) fn account_error(error: accounts::Error) -> Error {
    match &error {
        accounts::Error::Unreachable(_) => Error::unavailable(5, error.to_string()),
        accounts::Error::Address | accounts::Error::Refused { .. } => Error::internal(&error),
    }
}
