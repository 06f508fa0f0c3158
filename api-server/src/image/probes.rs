//! What clients ask before they upload, and what this service does not have, said plainly.

use http::StatusCode;
use serde_json::{Value, json};

use crate::http::{Error, Json};

/// No import: bytes are sent with `PUT /images/ID/file`.
pub(super) async fn import() -> Json<Value> {
    Json(json!({ "import-methods": {
        "description": "Import methods available.",
        "type": "array",
        "value": [],
    }}))
}

/// One store, of files.
pub(super) async fn stores() -> Json<Value> {
    Json(json!({ "stores": [{
        "id": "file",
        "description": "Files in the data directory of the API server",
        "default": "true",
    }]}))
}

/// There is no import.
pub(super) async fn no_import() -> Error {
    Error::new(
        StatusCode::NOT_FOUND,
        "images cannot be imported here; send the bytes with PUT /v2/images/ID/file",
    )
}

/// There are no tasks.
pub(super) async fn no_tasks() -> Json<Value> {
    Json(json!({ "tasks": [], "first": "/v2/tasks", "schema": "/v2/schemas/tasks" }))
}

/// There are no metadata definitions.
pub(super) async fn no_metadefs() -> Json<Value> {
    Json(json!({
        "namespaces": [],
        "first": "/v2/metadefs/namespaces",
        "schema": "/v2/schemas/metadefs/namespaces",
    }))
}
