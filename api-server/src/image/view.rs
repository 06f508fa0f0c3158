//! An image as the Image API shows it.

use serde_json::{Map, Value, json};
use skybus_store::images::Image;

/// The image as JSON. Paths are as clients of this API join them: without the service's own prefix.
pub(super) fn image(image: &Image) -> Value {
    let mut out: Map<String, Value> = image
        .properties
        .iter()
        .map(|(key, value)| (key.clone(), Value::String(value.clone())))
        .collect();
    for key in FIELDS {
        out.insert((*key).to_owned(), field(image, key));
    }
    Value::Object(out)
}

/// The names of what every image has.
pub(super) const FIELDS: &[&str] = &[
    "id",
    "name",
    "status",
    "visibility",
    "owner",
    "disk_format",
    "container_format",
    "min_disk",
    "min_ram",
    "protected",
    "os_hidden",
    "size",
    "virtual_size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "tags",
    "created_at",
    "updated_at",
    "self",
    "file",
    "schema",
];

/// One of the things that every image has.
pub(super) fn field(image: &Image, key: &str) -> Value {
    let id = image.id;
    match key {
        "id" => json!(id),
        "name" => json!(image.name),
        "status" => json!(image.status),
        "visibility" => json!(image.visibility),
        "owner" => json!(image.project),
        "disk_format" => json!(image.disk_format),
        "container_format" => json!(image.container_format),
        "min_disk" => json!(image.min_disk),
        "min_ram" => json!(image.min_ram),
        "protected" => json!(image.protected),
        "os_hidden" => json!(image.hidden),
        "size" => json!(image.size),
        "virtual_size" => json!(image.virtual_size),
        "checksum" => json!(image.md5),
        "os_hash_algo" => json!(image.sha512.as_ref().map(|_| "sha512")),
        "os_hash_value" => json!(image.sha512),
        "tags" => json!(image.tags),
        "created_at" => json!(image.created_at.iso_seconds()),
        "updated_at" => json!(image.updated_at.iso_seconds()),
        "self" => json!(format!("/v2/images/{id}")),
        "file" => json!(format!("/v2/images/{id}/file")),
        "schema" => json!("/v2/schemas/image"),
        other => json!(image.properties.get(other)),
    }
}
