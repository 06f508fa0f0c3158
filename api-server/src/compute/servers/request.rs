//! What `POST /servers` asks for, read and checked as far as the body alone can tell.

use std::{collections::BTreeMap, net::Ipv4Addr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use skybus_model::{
    HostName,
    id::{ImageId, NetworkId, PortId},
};

use super::super::fields::{Fields, Invalid, checked_length, checked_name};
use crate::http::Microversion;

/// The most servers of one request; the quota is the real bound.
const MOST_SERVERS: i64 = 1000;
/// The longest user data, in the base64 characters that are sent.
const MOST_USER_DATA: usize = 65_535;
/// The most interfaces of one server.
const MOST_NETWORKS: usize = 16;

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

/// Where the interfaces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Networks {
    /// To the one network that the project can use.
    Auto,
    /// Nowhere: a server without network.
    None,
    /// To these, in this order.
    These(Vec<Interface>),
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Interface {
    /// A new port on this network, with this fixed IP or any.
    On(NetworkId, Option<Ipv4Addr>),
    /// A port that exists.
    Port(PortId),
}

/// Reads the body.
pub(crate) fn read(body: &Value, version: Microversion) -> Result<Boot, Invalid> {
    let fields = Fields::of(body, "server")?;
    fields.only(KNOWN)?;
    gated(&fields, version)?;
    unbuilt(&fields)?;
    let image = image(&fields)?;
    only_image_disk(&fields, image)?;
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
        networks: networks(&fields, version)?,
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

/// Clients describe the boot from an image in the words of volumes too; nothing else is built.
fn only_image_disk(fields: &Fields<'_>, image: ImageId) -> Result<(), Invalid> {
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

fn networks(fields: &Fields<'_>, version: Microversion) -> Result<Networks, Invalid> {
    let field = fields.at("networks");
    match fields.value("networks") {
        None if version.since(37) => Err(Invalid::new(
            field,
            "it is required since microversion 2.37; give a list, \"auto\" or \"none\"",
        )),
        None => Ok(Networks::Auto),
        Some(Value::String(word)) if version.since(37) => match word.as_str() {
            "auto" => Ok(Networks::Auto),
            "none" => Ok(Networks::None),
            _ => Err(Invalid::new(
                field,
                "it must be a list, \"auto\" or \"none\"",
            )),
        },
        Some(_) => {
            let list = fields.list("networks", MOST_NETWORKS)?.unwrap_or_default();
            if list.is_empty() {
                return Ok(Networks::Auto);
            }
            let interfaces: Result<Vec<_>, _> = list
                .iter()
                .enumerate()
                .map(|(at, one)| interface(&Fields::object(&format!("{field}.{at}"), one)?))
                .collect();
            Ok(Networks::These(interfaces?))
        }
    }
}

fn interface(fields: &Fields<'_>) -> Result<Interface, Invalid> {
    fields.only(&["uuid", "port", "fixed_ip", "tag"])?;
    if fields.given("tag") {
        return Err(Invalid::new(
            fields.at("tag"),
            "tagged interfaces are not built yet",
        ));
    }
    let fixed = fields
        .text("fixed_ip", 1..=64)?
        .map(|text| {
            text.parse::<Ipv4Addr>().map_err(|_| {
                Invalid::new(
                    fields.at("fixed_ip"),
                    format!("{text:?} is not an IPv4 address"),
                )
            })
        })
        .transpose()?;
    let id = |key: &str| fields.text(key, 1..=64);
    match (id("port")?, id("uuid")?) {
        (Some(_), _) if fixed.is_some() => Err(Invalid::new(
            fields.at("fixed_ip"),
            "a port has its address already; leave fixed_ip out",
        )),
        (Some(port), _) => port
            .parse()
            .map(Interface::Port)
            .map_err(|e| Invalid::new(fields.at("port"), e.to_string())),
        (None, Some(network)) => network
            .parse()
            .map(|network| Interface::On(network, fixed))
            .map_err(|e| Invalid::new(fields.at("uuid"), e.to_string())),
        (None, None) => Err(fields.missing("uuid")),
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
