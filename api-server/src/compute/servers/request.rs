//! What `POST /servers` asks for, read and checked as far as the body alone can tell.

mod known;
mod networks;

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use skybus_model::{HostName, id::ImageId};

pub(crate) use self::networks::{Interface, Networks};
use super::super::fields::{Fields, Invalid, checked_length, checked_name};
use crate::http::Microversion;

/// The most servers of one request; the quota is the real bound.
const MOST_SERVERS: i64 = 1000;
/// The longest user data, in the base64 characters that are sent.
const MOST_USER_DATA: usize = 65_535;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Boot {
    /// The name; with several servers each gets a number behind it.
    pub(crate) name: String,
    /// What its owner says of it.
    pub(crate) description: Option<String>,
    /// The guest's own name, when it is not to be made from `name`.
    pub(crate) hostname: Option<String>,
    /// The flavor's id.
    pub(crate) flavor: String,
    /// The image.
    pub(crate) image: ImageId,
    /// The keypair's name.
    pub(crate) key_name: Option<String>,
    /// Where its interfaces go.
    pub(crate) networks: Networks,
    /// Names or ids of security groups.
    pub(crate) groups: Vec<String>,
    /// Base64, as it was given.
    pub(crate) user_data: Option<String>,
    /// Whether a config drive is wanted.
    pub(crate) config_drive: bool,
    /// Keys and values.
    pub(crate) metadata: BTreeMap<String, String>,
    /// The administrator's password, when it is not to be made up.
    pub(crate) admin_pass: Option<String>,
    /// At least so many.
    pub(crate) least: i64,
    /// At most so many.
    pub(crate) most: i64,
    /// The zone.
    pub(crate) zone: Option<String>,
    /// The very host; for administrators only.
    pub(crate) host: Option<HostName>,
    /// Whether the answer is to be a reservation's id alone.
    pub(crate) reservation: bool,
}

/// Reads the body.
pub(crate) fn read(body: &Value, version: Microversion) -> Result<Boot, Invalid> {
    let fields = Fields::of(body, "server")?;
    known::check(&fields, version)?;
    let image = image(&fields)?;
    known::only_image_disk(&fields, image)?;
    let (least, most) = counts(&fields)?;
    let (zone, host) = place(&fields)?;
    let name = fields.required_text("name", 1..=255)?;
    fields.word("OS-DCF:diskConfig", &["AUTO", "MANUAL"])?;
    let key_name = fields.text("key_name", 1..=255)?;
    Ok(Boot {
        name: checked_name(&fields.at("name"), name)?.to_owned(),
        description: fields.text("description", 0..=255)?.map(str::to_owned),
        hostname: hostname(&fields)?,
        flavor: last_part(&flavor(&fields)?).to_owned(),
        image,
        key_name: key_name.map(str::to_owned),
        networks: networks::networks(&fields, version)?,
        groups: groups(&fields)?,
        user_data: user_data(&fields)?,
        config_drive: drive(&fields)?,
        metadata: fields
            .inner("metadata")?
            .map_or(Ok(BTreeMap::new()), |m| metadata(&m))?,
        admin_pass: fields.text("adminPass", 1..=255)?.map(str::to_owned),
        least,
        most,
        zone,
        host,
        reservation: fields.flag("return_reservation_id")?.unwrap_or(false),
    })
}

fn flavor(fields: &Fields<'_>) -> Result<String, Invalid> {
    match fields.value("flavorRef") {
        None => Err(fields.missing("flavorRef")),
        Some(Value::String(text)) => {
            checked_length(&fields.at("flavorRef"), text, 1..=512).map(str::to_owned)
        }
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(Invalid::new(
            fields.at("flavorRef"),
            "it must be a flavor's id",
        )),
    }
}

fn image(fields: &Fields<'_>) -> Result<ImageId, Invalid> {
    let text = fields.text("imageRef", 0..=512)?.unwrap_or_default();
    if text.is_empty() {
        return Err(Invalid::new(
            fields.at("imageRef"),
            "it is required: every server is made from an image (volumes are not built yet)",
        ));
    }
    last_part(text)
        .parse()
        .map_err(|_| Invalid::new(fields.at("imageRef"), "it must be an image's id, a UUID"))
}

/// Old clients send the address of a flavor or image instead of its id.
fn last_part(text: &str) -> &str {
    text.trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(text)
}

fn counts(fields: &Fields<'_>) -> Result<(i64, i64), Invalid> {
    let least = fields.integer("min_count", 1..=MOST_SERVERS)?;
    let most = fields.integer("max_count", 1..=MOST_SERVERS)?;
    let least_or_one = least.unwrap_or(1);
    let most = most.unwrap_or(least_or_one);
    if least_or_one > most {
        return Err(Invalid::new(
            fields.at("min_count"),
            "min_count must be <= max_count",
        ));
    }
    Ok((least_or_one, most))
}

/// `zone`, `zone:host` or, since 2.74, `host` beside it.
fn place(fields: &Fields<'_>) -> Result<(Option<String>, Option<HostName>), Invalid> {
    let field = fields.at("availability_zone");
    let text = fields
        .text("availability_zone", 0..=255)?
        .filter(|text| !text.is_empty());
    let mut parts = text.unwrap_or_default().splitn(3, ':');
    let zone = parts
        .next()
        .filter(|zone| !zone.is_empty())
        .map(str::to_owned);
    let named = parts
        .next()
        .or_else(|| parts.next())
        .filter(|host| !host.is_empty());
    let separate = match fields.text("host", 1..=255)? {
        Some(host) => Some(host),
        None => fields.text("hypervisor_hostname", 1..=255)?,
    };
    if named.is_some() && separate.is_some() {
        return Err(Invalid::new(
            field,
            "a host was named here and in another field; name it once",
        ));
    }
    let host = named
        .or(separate)
        .map(|host| {
            host.parse()
                .map_err(|e| Invalid::new(field, format!("{e}")))
        })
        .transpose()?;
    Ok((zone, host))
}

fn hostname(fields: &Fields<'_>) -> Result<Option<String>, Invalid> {
    let Some(name) = fields.text("hostname", 1..=63)? else {
        return Ok(None);
    };
    let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if fits {
        Ok(Some(name.to_owned()))
    } else {
        Err(Invalid::new(
            fields.at("hostname"),
            "it must be 1 to 63 letters, digits and hyphens, and not begin or end with a hyphen",
        ))
    }
}

fn groups(fields: &Fields<'_>) -> Result<Vec<String>, Invalid> {
    let mut names: Vec<String> = Vec::new();
    for (at, one) in fields
        .list("security_groups", 64)?
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let one = Fields::object(&format!("{}.{at}", fields.at("security_groups")), one)?;
        one.only(&["name"])?;
        let name = one.required_text("name", 1..=255)?;
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn user_data(fields: &Fields<'_>) -> Result<Option<String>, Invalid> {
    let Some(text) = fields.text("user_data", 0..=MOST_USER_DATA)? else {
        return Ok(None);
    };
    // `base64` breaks lines; the breaks are no part of the data.
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    match STANDARD.decode(&packed) {
        Ok(_) => Ok(Some(packed).filter(|packed| !packed.is_empty())),
        Err(why) => Err(Invalid::new(
            fields.at("user_data"),
            format!("it must be base64: {why}"),
        )),
    }
}

/// An empty text means no, as old clients send it.
fn drive(fields: &Fields<'_>) -> Result<bool, Invalid> {
    match fields.value("config_drive") {
        Some(Value::String(text)) if text.is_empty() => Ok(false),
        _ => Ok(fields.flag("config_drive")?.unwrap_or(false)),
    }
}

/// Keys and values of a server, wherever they are given.
pub(crate) fn metadata(fields: &Fields<'_>) -> Result<BTreeMap<String, String>, Invalid> {
    let mut items = BTreeMap::new();
    for (key, value) in fields.entries() {
        let field = fields.at(&key.chars().take(80).collect::<String>());
        checked_length(&format!("{field} (the key)"), key, 1..=255)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | ' ');
        if !key.chars().all(fits) {
            return Err(Invalid::new(
                field,
                "a key may have letters, digits, blanks, '-', '_', ':' and '.'",
            ));
        }
        let value = value
            .as_str()
            .ok_or_else(|| Invalid::new(&field, "a value must be a text"))?;
        checked_length(&field, value, 0..=255)?;
        items.insert(key.clone(), value.to_owned());
    }
    Ok(items)
}
