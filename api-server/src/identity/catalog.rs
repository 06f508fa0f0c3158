//! The catalog: which services there are and where. It is made from the configuration, not kept.

use axum::extract::State;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::listing;
use crate::{
    app::App,
    http::{Error, Json, Page, Params, Path},
};

/// Type, name and path of each service.
const SERVICES: [(&str, &str, &str); 4] = [
    ("identity", "keystone", "/identity/v3"),
    ("compute", "nova", "/compute/v2.1"),
    ("image", "glance", "/image"),
    ("network", "neutron", "/network"),
];

const INTERFACES: [&str; 3] = ["public", "internal", "admin"];

/// The id of something that is kept nowhere: the same at every start and on every API server.
fn id_of(what: &str) -> String {
    let digest = Sha256::digest(what.as_bytes());
    hex::encode(digest.get(..16).unwrap_or_default())
}

/// The catalog, as tokens show it.
pub(super) fn view(app: &App) -> Value {
    SERVICES
        .iter()
        .map(|(kind, name, path)| {
            let endpoints: Vec<Value> = INTERFACES
                .iter()
                .map(|interface| {
                    json!({
                        "id": id_of(&format!("{kind} {interface}")),
                        "interface": interface,
                        "region": app.config.region,
                        "region_id": app.config.region,
                        "url": app.public(path),
                    })
                })
                .collect();
            json!({ "id": id_of(kind), "type": kind, "name": name, "endpoints": endpoints })
        })
        .collect()
}

fn services(app: &App) -> Vec<Value> {
    SERVICES
        .iter()
        .map(|(kind, name, _)| {
            let id = id_of(kind);
            json!({
                "id": id, "type": kind, "name": name, "enabled": true, "description": "",
                "links": { "self": app.public(&format!("/identity/v3/services/{id}")) },
            })
        })
        .collect()
}

fn endpoints(app: &App) -> Vec<Value> {
    let mut all = Vec::new();
    for (kind, _, path) in SERVICES {
        for interface in INTERFACES {
            let id = id_of(&format!("{kind} {interface}"));
            all.push(json!({
                "id": id, "interface": interface, "service_id": id_of(kind), "enabled": true,
                "region": app.config.region, "region_id": app.config.region,
                "url": app.public(path),
                "links": { "self": app.public(&format!("/identity/v3/endpoints/{id}")) },
            }));
        }
    }
    all
}

fn regions(app: &App) -> Vec<Value> {
    let id = &app.config.region;
    vec![json!({
        "id": id, "description": "", "parent_region_id": null,
        "links": { "self": app.public(&format!("/identity/v3/regions/{id}")) },
    })]
}

fn one(all: Vec<Value>, noun: &'static str, id: &str) -> Result<Json<Value>, Error> {
    let found = all.into_iter().find(|item| item["id"] == id);
    let item = found.ok_or_else(|| Error::not_found(noun, id))?;
    Ok(Json(json!({ noun: item })))
}

macro_rules! pair {
    ($list:ident, $show:ident, $all:ident, $noun:literal, $plural:literal) => {
        pub(super) async fn $list(
            State(app): State<App>,
            page: Page,
            params: Params,
        ) -> Result<Json<Value>, Error> {
            listing::answer(&app, &page, &params, $plural, $all(&app))
        }

        pub(super) async fn $show(
            State(app): State<App>,
            Path(id): Path<String>,
        ) -> Result<Json<Value>, Error> {
            one($all(&app), $noun, &id)
        }
    };
}

pair!(list_services, show_service, services, "service", "services");
pair!(
    list_endpoints,
    show_endpoint,
    endpoints,
    "endpoint",
    "endpoints"
);
pair!(list_regions, show_region, regions, "region", "regions");
