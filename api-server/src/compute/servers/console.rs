//! The end of a server's console log, asked of its host.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use serde_json::json;
use skybus_bus::CallError;
use skybus_model::message::call::{ConsoleAnswer, ConsoleTail};

use super::find;
use crate::{
    app::App,
    compute::fields::{Fields, Invalid},
    http::{Auth, Error, Json},
};

/// How long a host may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// More lines than a console log ever has here.
const MOST_LINES: i64 = 1_000_000;

/// How many lines are asked for; all when absent.
pub(crate) fn lines(fields: &Fields<'_>) -> Result<Option<i64>, Invalid> {
    let Some(inner) = fields.inner("os-getConsoleOutput")? else {
        return Ok(None);
    };
    inner.only(&["length"])?;
    // -1 is Nova's word for all.
    inner.integer("length", -1..=MOST_LINES)
}

/// Reads the console log of the server with this id.
pub(crate) async fn tail(
    app: &App,
    auth: &Auth,
    id: &str,
    lines: Option<i64>,
) -> Result<Response, Error> {
    let server = find::visible(app, auth, id).await?;
    let Some(host) = server.host.clone() else {
        return Err(Error::conflict(format!(
            "Instance {} not ready: it has no host yet, and so no console",
            server.id
        )));
    };
    let question = ConsoleTail {
        server: server.id,
        lines: lines.and_then(|lines| usize::try_from(lines).ok()),
    };
    match app.bus.call(&host, &question, PATIENCE).await {
        Ok(ConsoleAnswer::Text(output)) => Ok(Json(json!({ "output": output })).into_response()),
        Ok(ConsoleAnswer::NoSuchServer) => Err(Error::conflict(format!(
            "Instance {} not ready: its machine does not exist on its host yet",
            server.id
        ))),
        Err(error) => Err(unanswered(&error, auth)),
    }
}

/// Hosts are named to operators only.
fn unanswered(error: &CallError, auth: &Auth) -> Error {
    tracing::warn!(%error, "a console could not be read");
    let reason = match error {
        CallError::NotSent(_) => "the message broker is away".to_owned(),
        other if auth.is_admin() => other.to_string(),
        _ => "the server's host does not answer".to_owned(),
    };
    Error::unavailable(
        5,
        format!("The console cannot be read now: {reason}; try again later."),
    )
}
