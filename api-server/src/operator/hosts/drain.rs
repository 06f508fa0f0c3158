//! `POST /skybus/v1/hosts/{name}/drain`: no new servers go there. Those that are there stay: nothing moves them.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use skybus_model::HostName;
use skybus_store::{
    Tx, hosts, machines,
    services::{self, Service},
};

use super::known;
use crate::{
    app::App,
    http::{Auth, Error, Json, Path},
};

/// What stands before the operator's name.
pub(super) const DRAINED: &str = "drained by ";

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default = "yes")]
    drain: bool,
}

const fn yes() -> bool {
    true
}

/// Closes a machine's hosts to new servers, or opens them again.
pub(super) async fn drain(
    State(app): State<App>,
    auth: Auth,
    Path(name): Path<String>,
    Json(asked): Json<Asked>,
) -> Result<Response, Error> {
    let name = known(&name)?;
    let machines = machines::all(&app.store).await?;
    let machine = machines
        .iter()
        .find(|machine| machine.name == name && !machine.state.is_away())
        .ok_or_else(|| Error::not_found("host", &name))?;
    let all = services::all(&app.store).await?;
    let own: Vec<(HostName, String)> = all
        .into_iter()
        .filter(|service| {
            service.service != services::SCHEDULER && machine.has(&service.host, &machines)
        })
        .map(|service| (service.host, service.service))
        .collect();
    if own.is_empty() {
        return Err(Error::conflict(format!(
            "no worker of host {name} has been heard yet, so there is nothing to be drained"
        )));
    }
    let mut tx = app.store.begin().await?;
    for (host, service) in &own {
        if let Some(service) = services::find(&mut tx, host, service).await? {
            switch(&mut tx, service, &auth, asked.drain).await?;
        }
    }
    app.push(tx.commit().await?);
    let hosts = hosts::all(&app.store).await?;
    let own = hosts
        .iter()
        .filter(|host| machine.has(&host.name, &machines));
    let left: i64 = own.map(|host| host.servers).sum();
    let shown: Value = json!({ "name": name, "drained": asked.drain, "servers": left });
    Ok(Json(json!({ "host": shown })).into_response())
}

/// One that an operator has disabled for a reason of their own is left as it is.
async fn switch(tx: &mut Tx, mut service: Service, auth: &Auth, drain: bool) -> Result<(), Error> {
    let is_drained = is_drained(&service);
    if drain && service.enabled {
        service.enabled = false;
        service.disabled_reason = Some(format!("{DRAINED}{}", auth.user_name));
    } else if !drain && is_drained {
        service.enabled = true;
        service.disabled_reason = None;
    } else {
        return Ok(());
    }
    Ok(services::save(tx, &service).await?)
}

/// Whether it was closed by draining its host.
pub(super) fn is_drained(service: &Service) -> bool {
    let reason = service.disabled_reason.as_deref().unwrap_or_default();
    !service.enabled && reason.starts_with(DRAINED)
}
