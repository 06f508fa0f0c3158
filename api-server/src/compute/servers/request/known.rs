//! Which fields of a boot are understood, since when, and what to do without the others.

use serde_json::Value;
use skybus_model::id::ImageId;

use crate::{
    compute::fields::{Fields, Invalid},
    http::Microversion,
};

/// The fields that are understood, in every microversion that is spoken.
const KNOWN: &[&str] = &[
    "name",
    "description",
    "hostname",
    "flavorRef",
    "imageRef",
    "key_name",
    "networks",
    "security_groups",
    "user_data",
    "config_drive",
    "metadata",
    "adminPass",
    "min_count",
    "max_count",
    "availability_zone",
    "host",
    "hypervisor_hostname",
    "return_reservation_id",
    "OS-DCF:diskConfig",
    "block_device_mapping_v2",
    "block_device_mapping",
    "personality",
    "accessIPv4",
    "accessIPv6",
    "tags",
    "trusted_image_certificates",
    "os:scheduler_hints",
    "OS-SCH-HNT:scheduler_hints",
    "OS-EXT-AZ:availability_zone",
    "progress",
    "status",
];

/// Fields that OpenStack has and this cloud not yet. Empty ones are taken, because clients send them.
const UNBUILT: &[(&str, &str)] = &[
    ("personality", "put the files into user_data"),
    ("block_device_mapping", "boot from imageRef alone"),
    (
        "accessIPv4",
        "leave it out; the addresses are in `addresses`",
    ),
    (
        "accessIPv6",
        "leave it out; the addresses are in `addresses`",
    ),
    ("tags", "use metadata"),
    (
        "trusted_image_certificates",
        "leave it out; images are checked by their SHA-512",
    ),
    (
        "os:scheduler_hints",
        "leave them out; an administrator can name a host in availability_zone",
    ),
    (
        "OS-SCH-HNT:scheduler_hints",
        "leave them out; an administrator can name a host in availability_zone",
    ),
];

/// Refuses what is not known, not yet known in this version, or not built.
pub(super) fn check(fields: &Fields<'_>, version: Microversion) -> Result<(), Invalid> {
    fields.only(KNOWN)?;
    gated(fields, version)?;
    unbuilt(fields)
}

/// Fields that only newer microversions have are refused in older ones, as Nova does: a client that
/// sends one there believes that it takes effect.
fn gated(fields: &Fields<'_>, version: Microversion) -> Result<(), Invalid> {
    let since = [
        ("description", 19),
        ("tags", 52),
        ("trusted_image_certificates", 63),
        ("host", 74),
        ("hypervisor_hostname", 74),
        ("hostname", 90),
    ];
    for (key, minor) in since {
        if fields.given(key) && !version.since(minor) {
            return Err(Invalid::new(
                fields.at(key),
                format!(
                    "it is understood since microversion 2.{minor}; the request is in {version}"
                ),
            ));
        }
    }
    Ok(())
}

fn unbuilt(fields: &Fields<'_>) -> Result<(), Invalid> {
    for (key, instead) in UNBUILT {
        let empty = match fields.value(key) {
            None => true,
            Some(Value::Array(list)) => list.is_empty(),
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::String(text)) => text.is_empty(),
            Some(_) => false,
        };
        if !empty {
            return Err(Invalid::new(
                fields.at(key),
                format!("this cloud has not built that yet; {instead}"),
            ));
        }
    }
    Ok(())
}

/// Clients describe the boot from an image in the words of volumes too; nothing else is built.
pub(super) fn only_image_disk(fields: &Fields<'_>, image: ImageId) -> Result<(), Invalid> {
    let Some(disks) = fields.list("block_device_mapping_v2", 64)? else {
        return Ok(());
    };
    let is_the_image = |disk: &Value| {
        let text = |key: &str| disk.get(key).and_then(Value::as_str);
        let boots = match disk.get("boot_index") {
            Some(Value::Number(n)) => n.as_i64() == Some(0),
            Some(Value::String(n)) => n == "0",
            _ => false,
        };
        boots
            && text("source_type") == Some("image")
            && text("destination_type").unwrap_or("local") == "local"
            && text("uuid").and_then(|id| id.parse::<ImageId>().ok()) == Some(image)
    };
    if disks.is_empty() || (disks.len() == 1 && disks.iter().all(is_the_image)) {
        Ok(())
    } else {
        Err(Invalid::new(
            fields.at("block_device_mapping_v2"),
            "volumes and further disks are not built yet; boot from imageRef alone",
        ))
    }
}
