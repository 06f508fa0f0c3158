//! `GET /skybus/v1/status`: the cloud as this API server sees it, and what is wrong with it.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use skybus_model::Timestamp;
use skybus_store::{
    audit, hosts, outbox,
    services::{self, Service},
};

use super::bus::management;
use crate::{
    app::App,
    http::{Error, Json},
};

/// A message that has waited longer than this says that the bus is not well.
const LONG_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Everything at a glance.
pub(super) async fn status(State(app): State<App>) -> Result<Response, Error> {
    let now = Timestamp::now();
    let mut problems = Vec::new();
    let services = services::all(&app.store).await?;
    let (waiting, oldest) = outbox::waiting(&app.store).await?;
    let api = json!({
        "role": "api",
        "version": env!("CARGO_PKG_VERSION"),
        "broker": word(app.bus.connected(), app.bus.blocked()),
        "waiting_messages": waiting,
    });
    if let Some(trouble) = app.bus.trouble() {
        problems.push(format!("{trouble}; requests are taken and wait"));
    }
    if let Some(oldest) = oldest.filter(|oldest| now.since(*oldest) > LONG_WAIT) {
        let seconds = now.since(oldest).as_secs();
        problems.push(format!(
            "{waiting} messages wait, the oldest for {seconds} s"
        ));
    }
    let mut roles = vec![api];
    roles.extend(services.iter().map(|service| role(service, now)));
    problems.extend(services.iter().filter_map(|service| trouble(service, now)));
    let hosts = hosts::all(&app.store).await?;
    if hosts.is_empty() {
        problems.push("no compute host has joined; nothing can be booted".to_owned());
    }
    let hosts: Vec<Value> = hosts
        .iter()
        .map(|host| {
            json!({
                "host": host.name,
                "zone": host.zone,
                "hypervisor": host.hypervisor,
                "capacity": host.capacity,
                "used": host.used,
                "servers": host.servers,
            })
        })
        .collect();
    let queues = queues(&app, &mut problems).await;
    let audited = audit::last(&app.store).await?;
    if let Some(last) = audited.filter(|last| last.findings > 0) {
        let (n, s) = (last.findings, if last.findings == 1 { "" } else { "s" });
        problems.push(format!("audit: {n} finding{s}; see `skybus audit`"));
    }
    let shown = json!({
        "roles": roles,
        "hosts": hosts,
        "queues": queues,
        "audit": audited.map(|last| json!({
            "at": last.at.iso_micros_z(),
            "findings": last.findings,
        })),
        "problems": problems,
    });
    Ok(Json(shown).into_response())
}

const fn word(connected: bool, blocked: bool) -> &'static str {
    match (connected, blocked) {
        (false, _) => "away",
        (true, true) => "blocked",
        (true, false) => "connected",
    }
}

fn role(service: &Service, now: Timestamp) -> Value {
    let carries = (service.service == "network").then_some(&service.carries);
    json!({
        "role": service.service,
        "host": service.host,
        "version": service.version,
        "state": if service.is_up(now) { "up" } else { "down" },
        "enabled": service.enabled,
        "last_seen": service.last_seen.iso_micros_z(),
        "carries": carries,
    })
}

fn trouble(service: &Service, now: Timestamp) -> Option<String> {
    let name = format!("{} on {}", service.service, service.host);
    if service.forced_down {
        return Some(format!("{name} was declared down by an operator"));
    }
    let silent = now.since(service.last_seen).as_secs();
    (!service.is_up(now)).then(|| format!("{name} has been silent for {silent} s"))
}

/// The broker's queues, as far as its management tells.
async fn queues(app: &App, problems: &mut Vec<String>) -> Vec<Value> {
    let Ok(management) = management(app) else {
        return Vec::new();
    };
    let queues = match management.queues().await {
        Ok(queues) => queues,
        Err(error) => {
            problems.push(format!("the queues are not known: {error}"));
            return Vec::new();
        }
    };
    for queue in &queues {
        if queue.name == skybus_bus::topology::names::DEAD && queue.messages > 0 {
            let count = queue.messages;
            problems.push(format!("{count} dead letters; see `skybus bus dead list`"));
        } else if queue.is_headless() {
            problems.push(format!(
                "nobody leads {}; it is made anew if that lasts",
                queue.name
            ));
        } else if queue.messages > 0 && queue.consumers == 0 {
            problems.push(format!(
                "{} messages in {}, read by nobody",
                queue.messages, queue.name
            ));
        }
    }
    queues.iter().map(|queue| json!(queue)).collect()
}
