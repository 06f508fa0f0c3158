//! Boots that are refused: a table that is read by columns.

use serde_json::{Value, json};

use super::super::cloud::Cloud;

/// More or other fields of a boot, the microversion, and what is answered.
pub(super) type Boot = (Value, &'static str, u16, &'static str);

#[rustfmt::skip]
pub(super) fn boots(cloud: &Cloud) -> Vec<Boot> {
    let random = "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";
    let long = "x".repeat(256);
    let too_much = "QUFB".repeat(16_384);
    let old = "2.1";
    vec![
        (json!({ "name": "" }), old, 400, "server.name: it has 0 characters; 1 to 255"),
        (json!({ "name": long }), old, 400, "server.name: it has 256 characters; 1 to 255"),
        (json!({ "name": null }), old, 400, "server.name: it is required"),
        (json!({ "name": "  " }), old, 400, "blanks alone"),
        (json!({ "name": " vm" }), old, 400, "begin or end with a blank"),
        (json!({ "name": "a\u{7}b" }), old, 400, "control characters"),
        (json!({ "name": ["x"] }), old, 400, "must be a text, not a list"),
        (json!({ "flavorRef": "nope" }), old, 400, "Flavor nope could not be found"),
        (json!({ "flavorRef": null }), old, 400, "server.flavorRef: it is required"),
        (json!({ "flavorRef": {} }), old, 400, "server.flavorRef: it must be a flavor's id"),
        (json!({ "imageRef": null }), old, 400, "server.imageRef: it is required"),
        (json!({ "imageRef": "debian" }), old, 400, "server.imageRef: it must be an image's id"),
        (json!({ "imageRef": random }), old, 400, "Image 4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b could"),
        (json!({ "imageRef": cloud.eves_image }), old, 400, "could not be found"),
        (json!({ "imageRef": cloud.queued_image }), old, 400, "is not active (it is queued)"),
        (json!({ "imageRef": cloud.large_image }), old, 400, "Flavor's disk is too small"),
        (json!({ "key_name": "nokey" }), old, 400, "Invalid key_name provided"),
        (json!({ "key_name": 5 }), old, 400, "server.key_name: it must be a text"),
        (json!({ "security_groups": [{ "name": "nope" }] }), old, 400, "Security group nope not found"),
        (json!({ "security_groups": "default" }), old, 400, "server.security_groups: it must be a list"),
        (json!({ "security_groups": [{}] }), old, 400, "security_groups.0.name: it is required"),
        (json!({ "user_data": "not base64!" }), old, 400, "server.user_data: it must be base64"),
        (json!({ "user_data": too_much }), old, 400, "0 to 65535 are allowed"),
        (json!({ "config_drive": "maybe" }), old, 400, "server.config_drive"),
        (json!({ "metadata": { "k": 5 } }), old, 400, "server.metadata.k: a value must be a text"),
        (json!({ "metadata": { "k": "v".repeat(256) } }), old, 400, "0 to 255 are allowed"),
        (json!({ "metadata": { "k".repeat(256): "v" } }), old, 400, "1 to 255 are allowed"),
        (json!({ "metadata": { "a/b": "v" } }), old, 400, "a key may have letters"),
        (json!({ "metadata": [] }), old, 400, "server.metadata: it must be an object"),
        (json!({ "metadata": many(129) }), old, 403, "metadata_items: Requested 129"),
        (json!({ "min_count": 0 }), old, 400, "server.min_count: 0 was given"),
        (json!({ "min_count": "two" }), old, 400, "whole number from 1"),
        (json!({ "min_count": 3, "max_count": 2 }), old, 400, "min_count must be <= max_count"),
        (json!({ "max_count": 100_000 }), old, 400, "server.max_count"),
        (json!({ "min_count": 11 }), old, 403, "Requested 11, but already used 0 of 10 instances"),
        (json!({ "flavorRef": "5", "min_count": 3 }), old, 403, "24, but already used 0 of 20 cores"),
        (json!({ "availability_zone": "mars" }), old, 400, "zone mars is not available"),
        (json!({ "availability_zone": "nova:node-1" }), old, 403, "naming a host needs the role admin"),
        (json!({ "availability_zone": "nova:No Host" }), old, 400, "cannot be a host's name"),
        (json!({ "networks": [{ "uuid": random }] }), old, 400, "Network 4f3c2a5e"),
        (json!({ "networks": [{ "uuid": "flat" }] }), old, 400, "networks.0.uuid"),
        (json!({ "networks": [{}] }), old, 400, "networks.0.uuid: it is required"),
        (json!({ "networks": [{ "port": random }] }), old, 400, "Port 4f3c2a5e"),
        (json!({ "networks": [{ "port": cloud.eves_port }] }), old, 400, "could not be found"),
        (json!({ "networks": "auto" }), old, 400, "server.networks: it must be a list"),
        (json!({ "networks": "all" }), "2.37", 400, "a list, \"auto\" or \"none\""),
        (json!({}), "2.37", 400, "server.networks: it is required since microversion 2.37"),
        (json!({ "networks": [{ "uuid": cloud.network, "fixed_ip": "10.1.0" }] }), old, 400, "is not an IPv4 address"),
        (json!({ "networks": [{ "uuid": cloud.network, "fixed_ip": "192.168.0.1" }] }), old, 400, "Fixed IP 192.168.0.1 is not a valid ip address"),
        (json!({ "networks": [{ "uuid": cloud.network, "fixed_ip": "10.1.0.9" }], "min_count": 2 }), old, 400, "a fixed IP cannot be given to several servers"),
        (json!({ "adminPass": "" }), old, 400, "server.adminPass"),
        (json!({ "OS-DCF:diskConfig": "auto" }), old, 400, "one of AUTO, MANUAL"),
        (json!({ "description": "x" }), old, 400, "understood since microversion 2.19"),
        (json!({ "hostname": "a.b", "networks": "auto" }), "2.90", 400, "server.hostname"),
        (json!({ "tags": ["a"], "networks": "auto" }), "2.52", 400, "not built that yet; use metadata"),
        (json!({ "personality": [{ "path": "/a", "contents": "" }] }), old, 400, "user_data"),
        (json!({ "block_device_mapping_v2": [{ "source_type": "volume", "uuid": random }] }), old, 400, "volumes and further disks are not built yet"),
        (json!({ "os:scheduler_hints": { "group": random } }), old, 400, "not built that yet"),
        (json!({ "colour": "red" }), old, 400, "server.colour: no such field is known"),
        (json!({}), "2.97", 406, "the range is 2.1 to 2.96"),
        (json!({}), "two", 400, "malformed"),
    ]
}

pub(super) fn many(count: usize) -> Value {
    (0..count)
        .map(|n| (format!("k{n}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
