//! Availability zones: the words that hosts were grouped by.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use skybus_model::Timestamp;
use skybus_store::services::{self, Service};

use super::services::binary;
use crate::{
    app::App,
    http::{Action, Auth, Error, Json},
};

/// The zones' names, and whether anything can run there.
pub(crate) async fn index(State(app): State<App>) -> Result<Response, Error> {
    Ok(answer(&by_zone(&app).await?, |_| Value::Null))
}

/// The same with the hosts, for operators.
pub(crate) async fn detail(State(app): State<App>, auth: Auth) -> Result<Response, Error> {
    Action::ServicesRead.check(&auth)?;
    Ok(answer(&by_zone(&app).await?, hosts))
}

type Zones = BTreeMap<String, Vec<Service>>;

async fn by_zone(app: &App) -> Result<Zones, Error> {
    let mut zones = Zones::new();
    for service in services::all(&app.store).await? {
        if service.service == "compute" {
            zones.entry(service.zone.clone()).or_default().push(service);
        }
    }
    Ok(zones)
}

fn answer(zones: &Zones, hosts: impl Fn(&[Service]) -> Value) -> Response {
    let now = Timestamp::now();
    let shown: Vec<Value> = zones
        .iter()
        .map(|(name, services)| {
            let available = services
                .iter()
                .any(|service| service.enabled && service.is_up(now));
            json!({
                "zoneName": name,
                "zoneState": { "available": available },
                "hosts": hosts(services),
            })
        })
        .collect();
    Json(json!({ "availabilityZoneInfo": shown })).into_response()
}

fn hosts(services: &[Service]) -> Value {
    let now = Timestamp::now();
    let mut hosts = Map::new();
    for service in services {
        let state = json!({
            "available": service.is_up(now),
            "active": service.enabled,
            "updated_at": service.last_seen.iso_micros(),
        });
        hosts.insert(
            service.host.to_string(),
            json!({ binary(&service.service): state }),
        );
    }
    Value::Object(hosts)
}
