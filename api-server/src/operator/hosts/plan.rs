//! `GET /skybus/v1/hosts/{name}/network-plan`: what a host's network worker would change there, asked of it.

use std::time::Duration;

use axum::extract::State;
use serde_json::{Value, json};
use skybus_bus::CallError;
use skybus_model::message::{
    Service,
    call::{NetworkPlan, PlanAnswer},
};
use skybus_store::services;

use super::known;
use crate::{
    app::App,
    http::{Error, Json, Path},
};

/// How long a host may take to look at all its networks.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a host.
pub(super) async fn plan(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Error> {
    let host = known(&name)?;
    let network = Service::Network.to_string();
    let services = services::all(&app.store).await?;
    if !services
        .iter()
        .any(|one| one.host == host && one.service == network)
    {
        return Err(Error::not_found("network worker of host", &host));
    }
    match app.bus.call(&host, &NetworkPlan {}, PATIENCE).await {
        Ok(PlanAnswer::Changes(changes)) => Ok(Json(
            json!({ "plan": { "host": host, "changes": changes } }),
        )),
        Ok(PlanAnswer::Failed(why)) => Err(Error::unavailable(
            5,
            format!("Host {host} cannot say what it would change: {why}"),
        )),
        Err(error) => Err(unanswered(&error)),
    }
}

fn unanswered(error: &CallError) -> Error {
    let text = match error {
        CallError::NotSent(_) => "The message broker is away; try again later.".to_owned(),
        other => format!(
            "The network worker does not answer: {other}; `skybus host list` shows whether it is up."
        ),
    };
    Error::unavailable(5, text)
}
