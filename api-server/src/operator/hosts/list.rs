//! `GET /skybus/v1/hosts`: the machines, with what runs on them.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use skybus_model::{Timestamp, machine};
use skybus_store::{
    hosts::{self, Host},
    machines::{self, Machine},
    services::{self, Service},
};

use super::drain::is_drained;
use crate::{
    app::App,
    http::{Error, Json},
};

/// All but those that were removed.
pub(super) async fn list(State(app): State<App>) -> Result<Response, Error> {
    let (machines, hosts, services) = (
        machines::all(&app.store).await?,
        hosts::all(&app.store).await?,
        services::all(&app.store).await?,
    );
    let there = machines
        .iter()
        .filter(|machine| machine.state != machine::State::Removed);
    let shown: Vec<Value> = there
        .map(|machine| one((machine, &machines), &hosts, &services))
        .collect();
    Ok(Json(json!({ "hosts": shown })).into_response())
}

fn one((machine, all): (&Machine, &[Machine]), hosts: &[Host], services: &[Service]) -> Value {
    let now = Timestamp::now();
    let hosts: Vec<&Host> = hosts.iter().filter(|h| machine.has(&h.name, all)).collect();
    let services: Vec<&Service> = services
        .iter()
        .filter(|s| machine.has(&s.host, all))
        .collect();
    let mut zones: Vec<&str> = hosts.iter().map(|host| host.zone.as_str()).collect();
    zones.dedup();
    let seen = services.iter().map(|service| service.last_seen).max();
    let invited = machine.state == machine::State::Invited;
    let shown = services.iter().map(|service| {
        let carries = (service.service == "network").then_some(&service.carries);
        json!({
            "host": service.host,
            "service": service.service,
            "state": if service.is_up(now) { "up" } else { "down" },
            "enabled": service.enabled,
            "disabled_reason": service.disabled_reason,
            "carries": carries,
        })
    });
    json!({
        "name": machine.name,
        "role": machine.role,
        "state": machine.state,
        "drained": services.iter().any(|service| is_drained(service)),
        "services": shown.collect::<Vec<_>>(),
        "hosts": hosts.len(),
        "servers": hosts.iter().map(|host| host.servers).sum::<i64>(),
        "zones": zones,
        "seen": seen.map(Timestamp::iso_micros_z),
        "expires_at": machine.expires_at.filter(|_| invited).map(Timestamp::iso_micros_z),
    })
}
