//! Which APIs there are and which versions they speak: the documents that clients read first.

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Json, microversion};
use crate::app::App;

/// The documents at `/` and below each API's own prefix.
pub fn router() -> Router<App> {
    Router::new()
        .route("/", get(root))
        .route("/identity", get(identity))
        .route("/identity/v3", get(identity_v3))
        .route("/compute", get(compute))
        .route("/compute/v2.1", get(compute_v2_1))
        .route("/image", get(image))
        .route("/image/versions", get(image_versions))
        .route("/image/v2", get(image))
        .route("/network", get(network))
        .route("/network/v2.0", get(network_v2_0))
}

async fn root(State(app): State<App>) -> Json<Value> {
    let at = |path: &str| app.public(path);
    Json(json!({
        "name": "skybus",
        "version": env!("CARGO_PKG_VERSION"),
        "identity": at("/identity/v3"),
        "compute": at("/compute/v2.1"),
        "image": at("/image"),
        "network": at("/network"),
        "versions": { "values": [v3(&app)] },
    }))
}

fn v3(app: &App) -> Value {
    json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{ "rel": "self", "href": app.public("/identity/v3/") }],
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.identity-v3+json",
        }],
    })
}

async fn identity(State(app): State<App>) -> Response {
    let list = Json(json!({ "versions": { "values": [v3(&app)] } }));
    (StatusCode::MULTIPLE_CHOICES, list).into_response()
}

async fn identity_v3(State(app): State<App>) -> Json<Value> {
    Json(json!({ "version": v3(&app) }))
}

fn v2_1(app: &App) -> Value {
    json!({
        "id": "v2.1",
        "status": "CURRENT",
        "version": microversion::MAX.to_string(),
        "min_version": microversion::MIN.to_string(),
        "updated": "2013-07-23T11:33:21Z",
        "links": [
            { "rel": "self", "href": app.public("/compute/v2.1/") },
        ],
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.compute+json;version=2.1",
        }],
    })
}

async fn compute(State(app): State<App>) -> Json<Value> {
    let mut version = v2_1(&app);
    if let Some(fields) = version.as_object_mut() {
        fields.remove("media-types");
    }
    Json(json!({ "versions": [version] }))
}

async fn compute_v2_1(State(app): State<App>) -> Json<Value> {
    Json(json!({ "version": v2_1(&app) }))
}

fn image_list(app: &App) -> Value {
    let one = |id: &str, status: &str| {
        json!({
            "id": id,
            "status": status,
            "links": [{ "rel": "self", "href": app.public("/image/v2/") }],
        })
    };
    json!({ "versions": [
        one("v2.9", "CURRENT"), one("v2.7", "SUPPORTED"), one("v2.6", "SUPPORTED"),
        one("v2.5", "SUPPORTED"), one("v2.4", "SUPPORTED"), one("v2.3", "SUPPORTED"),
        one("v2.2", "SUPPORTED"), one("v2.1", "SUPPORTED"), one("v2.0", "SUPPORTED"),
    ] })
}

async fn image(State(app): State<App>) -> Response {
    (StatusCode::MULTIPLE_CHOICES, Json(image_list(&app))).into_response()
}

async fn image_versions(State(app): State<App>) -> Json<Value> {
    Json(image_list(&app))
}

async fn network(State(app): State<App>) -> Json<Value> {
    Json(json!({ "versions": [{
        "id": "v2.0",
        "status": "CURRENT",
        "links": [{ "rel": "self", "href": app.public("/network/v2.0/") }],
    }] }))
}

/// The Network API's own list of what it has.
async fn network_v2_0(State(app): State<App>) -> Json<Value> {
    let names = [
        ("network", "networks"),
        ("subnet", "subnets"),
        ("port", "ports"),
        ("security_group", "security-groups"),
        ("security_group_rule", "security-group-rules"),
        ("extension", "extensions"),
        ("quota", "quotas"),
    ];
    let resources: Vec<Value> = names
        .iter()
        .map(|(name, path)| {
            let href = app.public(&format!("/network/v2.0/{path}"));
            json!({
                "name": name,
                "collection": path.replace('-', "_"),
                "links": [{ "rel": "self", "href": href }],
            })
        })
        .collect();
    Json(json!({ "resources": resources }))
}
