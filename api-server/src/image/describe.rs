//! What an owner says of an image, one key at a time: the same rules for create and change.

use serde_json::Value;
use skybus_model::image::{DiskFormat, ImageStatus, Visibility};
use skybus_store::images::Image;

use crate::http::{Action, Auth, Error};

/// The longest name, tag, property name.
const MOST_NAME: usize = 255;
/// The longest value of a property.
const MOST_VALUE: usize = 65_535;
/// The most properties, and the most tags.
const MOST_COUNT: usize = 128;

/// What only the service itself sets.
const READ_ONLY: &[&str] = &[
    "id",
    "status",
    "size",
    "virtual_size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "created_at",
    "updated_at",
    "deleted_at",
    "self",
    "file",
    "schema",
    "stores",
    "direct_url",
    "locations",
    "deleted",
];

/// Whether every image has this; anything else is a property of its owner's.
pub(super) fn is_base(key: &str) -> bool {
    READ_ONLY.contains(&key) || BASE.contains(&key)
}

const BASE: &[&str] = &[
    "name",
    "visibility",
    "owner",
    "disk_format",
    "container_format",
    "min_disk",
    "min_ram",
    "protected",
    "os_hidden",
    "tags",
];

/// Sets one key of an image.
///
/// # Errors
/// 400 when the value does not fit, 403 when the key is not the caller's to set.
pub(super) fn set(image: &mut Image, auth: &Auth, key: &str, value: &Value) -> Result<(), Error> {
    if READ_ONLY.contains(&key) {
        return Err(Error::forbidden(format!("Attribute '{key}' is read-only.")));
    }
    match key {
        "name" => image.name = maybe_text(key, value, MOST_NAME)?,
        "visibility" => image.visibility = visibility(auth, value)?,
        "owner" => image.project = owner(auth, image, value)?,
        "disk_format" => {
            only_while_queued(image, key)?;
            image.disk_format = disk_format(value)?;
        }
        "container_format" => {
            only_while_queued(image, key)?;
            image.container_format = container_format(value)?;
        }
        "min_disk" => image.min_disk = number(key, value)?,
        "min_ram" => image.min_ram = number(key, value)?,
        "protected" => image.protected = flag(key, value)?,
        "os_hidden" => image.hidden = flag(key, value)?,
        "tags" => image.tags = tags(value)?,
        property => set_property(image, property, value)?,
    }
    Ok(())
}

fn set_property(image: &mut Image, key: &str, value: &Value) -> Result<(), Error> {
    if key.starts_with("os_glance") {
        return Err(Error::forbidden(format!("Attribute '{key}' is reserved.")));
    }
    if key.is_empty() || key.chars().count() > MOST_NAME {
        return Err(Error::bad_request(format!(
            "a property's name has 1 to {MOST_NAME} characters"
        )));
    }
    let text = text(key, value, MOST_VALUE)?;
    image.properties.insert(key.to_owned(), text);
    if image.properties.len() > MOST_COUNT {
        return Err(Error::too_large(format!(
            "an image can have {MOST_COUNT} properties and not more"
        )));
    }
    Ok(())
}

fn only_while_queued(image: &Image, key: &str) -> Result<(), Error> {
    if image.status == ImageStatus::Queued {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "Attribute {key} can be only replaced for a queued image."
    )))
}

fn visibility(auth: &Auth, value: &Value) -> Result<Visibility, Error> {
    let wanted = value
        .as_str()
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| {
            Error::bad_request(format!(
                "invalid visibility {value}: use public, community, shared or private"
            ))
        })?;
    if wanted == Visibility::Public {
        Action::ImagesPublish.check(auth)?;
    }
    Ok(wanted)
}

fn owner(auth: &Auth, image: &Image, value: &Value) -> Result<skybus_model::id::ProjectId, Error> {
    let project = value
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            Error::bad_request(format!("invalid owner {value}: it must be a project's id"))
        })?;
    if project != image.project && !auth.is_admin() {
        return Err(Error::forbidden(
            "only an administrator can give an image to another project",
        ));
    }
    Ok(project)
}

fn disk_format(value: &Value) -> Result<Option<DiskFormat>, Error> {
    if value.is_null() {
        return Ok(None);
    }
    let format = value.as_str().and_then(|word| word.parse().ok());
    format.map(Some).ok_or_else(|| {
        Error::bad_request(format!(
            "invalid disk_format {value}: this cloud takes raw and qcow2; convert others, for \
             instance with qemu-img convert -O qcow2"
        ))
    })
}

fn container_format(value: &Value) -> Result<Option<String>, Error> {
    match value {
        Value::Null => Ok(None),
        Value::String(word) if word == "bare" => Ok(Some(word.clone())),
        other => Err(Error::bad_request(format!(
            "invalid container_format {other}: this cloud takes bare only"
        ))),
    }
}

fn number(key: &str, value: &Value) -> Result<i64, Error> {
    let number = value
        .as_i64()
        .filter(|number| (0..=i64::from(i32::MAX)).contains(number));
    number.ok_or_else(|| {
        Error::bad_request(format!(
            "invalid value {value} for {key}: it must be a whole number, 0 or more"
        ))
    })
}

fn flag(key: &str, value: &Value) -> Result<bool, Error> {
    value.as_bool().ok_or_else(|| {
        Error::bad_request(format!(
            "invalid value {value} for {key}: it must be true or false"
        ))
    })
}

fn text(key: &str, value: &Value, most: usize) -> Result<String, Error> {
    let text = value.as_str().ok_or_else(|| {
        Error::bad_request(format!(
            "invalid value {value} for {key}: it must be a string"
        ))
    })?;
    if text.chars().count() > most || text.contains('\0') {
        return Err(Error::bad_request(format!(
            "the value of {key} must have at most {most} characters, and none of them 0"
        )));
    }
    Ok(text.to_owned())
}

fn maybe_text(key: &str, value: &Value, most: usize) -> Result<Option<String>, Error> {
    if value.is_null() {
        Ok(None)
    } else {
        text(key, value, most).map(Some)
    }
}

fn tags(value: &Value) -> Result<Vec<String>, Error> {
    let list = value.as_array().ok_or_else(|| {
        Error::bad_request("invalid value for tags: it must be a list of strings")
    })?;
    let mut tags: Vec<String> = Vec::new();
    for tag in list {
        tags.push(text("tags", tag, MOST_NAME)?);
    }
    checked_tags(tags)
}

/// Tags in order and each once, if there are not too many.
pub(super) fn checked_tags(mut tags: Vec<String>) -> Result<Vec<String>, Error> {
    tags.sort();
    tags.dedup();
    if tags
        .iter()
        .any(|tag| tag.is_empty() || tag.chars().count() > MOST_NAME)
    {
        return Err(Error::bad_request(format!(
            "a tag has 1 to {MOST_NAME} characters"
        )));
    }
    if tags.len() > MOST_COUNT {
        return Err(Error::too_large(format!(
            "an image can have {MOST_COUNT} tags and not more"
        )));
    }
    Ok(tags)
}
