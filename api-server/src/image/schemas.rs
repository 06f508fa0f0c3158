//! JSON schemas of what this API shows. Clients build their command line and their objects from them.

use serde_json::{Map, Value, json};

use crate::http::{Error, Json, Path};

/// One schema.
pub(super) async fn show(Path(name): Path<String>) -> Result<Json<Value>, Error> {
    match name.as_str() {
        "image" => Ok(Json(image())),
        "images" => Ok(Json(list("images", &image()))),
        "member" => Ok(Json(member())),
        "members" => Ok(Json(list("members", &member()))),
        other => Err(Error::not_found("schema", other)),
    }
}

fn image() -> Value {
    json!({
        "name": "image",
        "properties": properties(),
        "additionalProperties": { "type": "string" },
        "links": [
            { "rel": "self", "href": "{self}" },
            { "rel": "enclosure", "href": "{file}" },
            { "rel": "describedby", "href": "{schema}" },
        ],
    })
}

fn member() -> Value {
    json!({
        "name": "member",
        "properties": {
            "image_id": { "type": "string", "description": "The image" },
            "member_id": { "type": "string", "description": "The project" },
            "status": { "type": "string", "enum": ["pending", "accepted", "rejected"] },
            "created_at": { "type": "string" },
            "updated_at": { "type": "string" },
            "schema": { "type": "string", "readOnly": true },
        },
    })
}

fn list(name: &str, item: &Value) -> Value {
    let mut properties = Map::new();
    properties.insert(name.to_owned(), json!({ "type": "array", "items": item }));
    for link in ["schema", "next", "first"] {
        properties.insert(link.to_owned(), json!({ "type": "string" }));
    }
    json!({
        "name": name,
        "properties": properties,
        "links": [
            { "rel": "first", "href": "{first}" },
            { "rel": "next", "href": "{next}" },
            { "rel": "describedby", "href": "{schema}" },
        ],
    })
}

/// What every image has.
fn properties() -> Value {
    let own = |kind: Value, what: &str| json!({ "type": kind, "description": what });
    let shown =
        |kind: Value, what: &str| json!({ "type": kind, "description": what, "readOnly": true });
    let text = || json!(["null", "string"]);
    json!({
        "id": { "type": "string", "description": "The image's id, a UUID" },
        "name": {
            "type": ["null", "string"], "maxLength": 255, "description": "The image's name",
        },
        "status": {
            "type": "string", "readOnly": true, "description": "Where it is in its life",
            "enum": ["queued", "saving", "active", "killed", "deleted"],
        },
        "visibility": {
            "type": "string", "description": "Who may see it",
            "enum": ["public", "community", "shared", "private"],
        },
        "disk_format": {
            "type": ["null", "string"], "description": "What its bytes are",
            "enum": [null, "raw", "qcow2"],
        },
        "container_format": {
            "type": ["null", "string"], "description": "What they are wrapped in",
            "enum": [null, "bare"],
        },
        "owner": own(text(), "The project that it belongs to"),
        "min_disk": own(json!("integer"), "The least disk of a server, GiB"),
        "min_ram": own(json!("integer"), "The least memory of a server, MiB"),
        "protected": own(json!("boolean"), "Whether it must not be deleted"),
        "os_hidden": own(json!("boolean"), "Whether lists leave it out"),
        "tags": {
            "type": "array", "description": "Words put on it",
            "items": { "type": "string", "maxLength": 255 },
        },
        "size": shown(json!(["null", "integer"]), "Its size in bytes"),
        "virtual_size": shown(json!(["null", "integer"]), "The size of its disk in bytes"),
        "checksum": shown(text(), "The MD5 of its bytes"),
        "os_hash_algo": shown(text(), "The algorithm of os_hash_value"),
        "os_hash_value": shown(text(), "The hash of its bytes"),
        "created_at": shown(json!("string"), "When it was made"),
        "updated_at": shown(json!("string"), "When it was last changed"),
        "self": shown(json!("string"), "Its path"),
        "file": shown(json!("string"), "The path of its bytes"),
        "schema": shown(json!("string"), "The path of this schema"),
    })
}
