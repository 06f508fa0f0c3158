//! `DELETE /skybus/v1/hosts/{name}`: takes a machine away, in three steps that can each be done again: its rows
//! go, in the transaction that says that it leaves; the broker forgets it; it is removed.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;
use skybus_fault::{self as fault, Point};
use skybus_model::{HostName, machine};
use skybus_store::machines;

use super::{broker, known};
use crate::{
    app::App,
    http::{Auth, Error, Json, Path},
    operator::bus::management,
};

/// Removes it; 202 when the broker is away: then it goes on by itself.
pub(super) async fn remove(
    State(app): State<App>,
    auth: Auth,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let name = known(&name)?;
    management(&app)?;
    let mut tx = app.store.begin().await?;
    let machine = machines::leave(&mut tx, &name).await?;
    app.push(tx.commit().await?);
    tracing::info!(host = %name, role = %machine.role, operator = %auth.user, "is being removed");
    fault::hit(Point::HostLeaving, "");
    match finish(&app, &name).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(error) => {
            tracing::warn!(host = %name, %error, "its accounts cannot be removed now; it is tried again");
            let shown = json!({ "host": { "name": name, "state": machine::State::Leaving } });
            Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
        }
    }
}

/// What is left to do for a machine that leaves.
///
/// # Errors
/// When broker or database do not answer; doing it again is harmless.
pub(super) async fn finish(app: &App, name: &HostName) -> Result<(), Error> {
    broker::settle(app, name).await?;
    fault::hit(Point::HostDismissed, "");
    let mut tx = app.store.begin().await?;
    machines::forget(&mut tx, name).await?;
    app.push(tx.commit().await?);
    tracing::info!(host = %name, "removed");
    Ok(())
}
