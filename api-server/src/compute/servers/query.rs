//! What `GET /servers` asks for: filters, read once, then tried on each server.

use std::net::Ipv4Addr;

use regex::{Regex, RegexBuilder};
use skybus_model::{
    Timestamp,
    id::{ImageId, ProjectId},
    server::VmState,
};
use skybus_store::{compute::listing::Wanted, servers::Server};

use super::view::{Beside, asked_zone, status};
use crate::http::{Auth, Error, Microversion, Params};

/// The statuses that can be asked for.
const STATUSES: &[&str] = &[
    "ACTIVE",
    "BUILD",
    "DELETED",
    "ERROR",
    "HARD_REBOOT",
    "MIGRATING",
    "PASSWORD",
    "PAUSED",
    "REBOOT",
    "REBUILD",
    "RESCUE",
    "RESIZE",
    "REVERT_RESIZE",
    "SHELVED",
    "SHELVED_OFFLOADED",
    "SHUTOFF",
    "SOFT_DELETED",
    "SUSPENDED",
    "UNKNOWN",
    "VERIFY_RESIZE",
];
/// Larger patterns are refused before they cost memory.
const MOST_REGEX: usize = 1 << 16;

/// What of it the database does, and what is tried on each server.
#[derive(Debug)]
pub(crate) struct Query {
    /// For the database.
    pub(crate) wanted: Wanted,
    name: Option<Regex>,
    ip: Option<Regex>,
    statuses: Vec<String>,
    exact: Vec<(&'static str, String)>,
    deleted: Option<bool>,
    nothing: bool,
}

impl Query {
    /// Reads the filters. Those that only administrators may use are without effect for others, as in
    /// Nova.
    pub(crate) fn read(params: &Params, auth: &Auth, version: Microversion) -> Result<Self, Error> {
        let admin = auth.is_admin();
        let mut wanted = Wanted {
            project: Some(auth.project()?),
            ..Wanted::default()
        };
        let mut nothing = false;
        if params.flag("all_tenants")?.unwrap_or(false)
            || params.flag("all_projects")?.unwrap_or(false)
        {
            if !admin {
                return Err(Error::forbidden(
                    "os_compute_api:servers:index:get_all_tenants needs the role admin",
                ));
            }
            wanted.project = None;
        }
        if let (true, Some(project)) = (
            admin,
            params.one("project_id").or_else(|| params.one("tenant_id")),
        ) {
            match project.parse::<ProjectId>() {
                Ok(project) if wanted.project.is_none() => wanted.project = Some(project),
                Ok(project) => nothing |= wanted.project != Some(project),
                Err(_) => nothing = true,
            }
        }
        if let Some(since) = moment(params, "changes-since")? {
            wanted.changed_since = Some(since);
            wanted.also_deleted = true;
        }
        if version.since(66)
            && let Some(before) = moment(params, "changes-before")?
        {
            wanted.changed_before = Some(before);
            wanted.also_deleted = true;
        }
        let deleted = params.flag("deleted")?.filter(|_| admin);
        wanted.also_deleted |= deleted == Some(true);
        if admin {
            let host = params
                .one("host")
                .or_else(|| params.one("hypervisor_hostname"));
            wanted.host = host.map(str::to_owned);
        }
        if let Some(image) = params.one("image") {
            let image = image
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or(image);
            match image.parse::<ImageId>() {
                Ok(image) => wanted.image = Some(image.to_string()),
                Err(_) => nothing = true,
            }
        }
        // No server has tags or is locked, so only their absence can be asked for with success.
        nothing |= params.has("tags") || params.has("tags-any");
        nothing |= version.since(73) && params.flag("locked")?.unwrap_or(false);
        let statuses = statuses(params, admin, &mut wanted)?;
        Ok(Self {
            wanted,
            name: pattern(params, "name")?,
            ip: ip(params)?,
            statuses,
            exact: exact(params, admin),
            deleted,
            nothing,
        })
    }

    /// Whether no server can fit.
    pub(crate) const fn is_empty(&self) -> bool {
        self.nothing
    }

    /// Whether [`Self::fits`] may refuse what the database has found.
    pub(crate) const fn decides(&self) -> bool {
        self.name.is_some()
            || self.ip.is_some()
            || self.deleted.is_some()
            || !self.statuses.is_empty()
            || !self.exact.is_empty()
    }

    /// Whether what stands beside a server is needed in order to decide.
    pub(crate) fn needs_beside(&self) -> bool {
        self.ip.is_some()
            || self
                .exact
                .iter()
                .any(|(key, _)| *key == "availability_zone")
    }

    /// Whether the server fits.
    pub(crate) fn fits(&self, server: &Server, beside: &Beside) -> bool {
        let matches = |pattern: &Option<Regex>, text: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(text))
        };
        matches(&self.name, &server.name)
            && (self.statuses.is_empty()
                || self
                    .statuses
                    .iter()
                    .any(|word| word == status(server.state)))
            && self
                .deleted
                .is_none_or(|deleted| deleted == (server.state.vm == VmState::Deleted))
            && (self.ip.is_none()
                || beside
                    .addresses
                    .iter()
                    .any(|a| matches(&self.ip, &a.address.to_string())))
            && self
                .exact
                .iter()
                .all(|(key, value)| equals(server, beside, key, value))
    }
}

/// Filters that compare one field, and whether only administrators may use them.
const EXACT: &[(&str, bool)] = &[
    ("uuid", false),
    ("flavor", false),
    ("user_id", true),
    ("key_name", true),
    ("availability_zone", true),
    ("config_drive", true),
    ("description", true),
    ("hostname", true),
    ("vm_state", true),
    ("task_state", true),
    ("power_state", true),
    ("reservation_id", false),
];

fn exact(params: &Params, admin: bool) -> Vec<(&'static str, String)> {
    EXACT
        .iter()
        .filter(|(_, admins)| admin || !admins)
        .filter_map(|(key, _)| params.one(key).map(|value| (*key, value.to_owned())))
        .collect()
}

fn equals(server: &Server, beside: &Beside, key: &str, value: &str) -> bool {
    let text = |field: &str| field == value;
    match key {
        "uuid" => value.parse().is_ok_and(|id| server.id == id),
        "flavor" => text(&server.flavor.id) || value.ends_with(&format!("/{}", server.flavor.id)),
        "user_id" => value.parse().is_ok_and(|id| server.owner == id),
        "key_name" => text(server.key_name.as_deref().unwrap_or("")),
        "availability_zone" => text(
            beside
                .zone
                .as_deref()
                .or_else(|| asked_zone(server))
                .unwrap_or(""),
        ),
        "config_drive" => crate::compute::fields::flag_word(value) == Some(server.config_drive),
        "description" => text(server.description.as_deref().unwrap_or("")),
        "hostname" => text(&server.hostname),
        "vm_state" => text(server.state.vm.as_str()),
        "task_state" => text(server.state.task.map_or("", |task| task.as_str())),
        "power_state" => text(&server.power.nova_number().to_string()),
        // Reservations are named after their only or first server.
        "reservation_id" => server.id.to_string().get(..8) == value.strip_prefix("r-"),
        _ => true,
    }
}

fn statuses(params: &Params, admin: bool, wanted: &mut Wanted) -> Result<Vec<String>, Error> {
    let mut statuses = Vec::new();
    for word in params.all("status").map(str::to_uppercase) {
        if !STATUSES.contains(&word.as_str()) {
            return Err(Error::bad_request(format!(
                "invalid value {word:?} for status: use one of {}",
                STATUSES.join(", ")
            )));
        }
        if word == "DELETED" {
            if !admin {
                return Err(Error::forbidden(
                    "Only administrators may list deleted instances",
                ));
            }
            wanted.also_deleted = true;
        }
        statuses.push(word);
    }
    Ok(statuses)
}

fn moment(params: &Params, key: &str) -> Result<Option<Timestamp>, Error> {
    let Some(text) = params.one(key) else {
        return Ok(None);
    };
    Timestamp::parse(text).map(Some).ok_or_else(|| {
        Error::bad_request(format!(
            "invalid value {text:?} for {key}: write a time as 2026-11-22T10:20:30Z"
        ))
    })
}

fn pattern(params: &Params, key: &str) -> Result<Option<Regex>, Error> {
    let Some(text) = params.one(key).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    RegexBuilder::new(text)
        .size_limit(MOST_REGEX)
        .build()
        .map(Some)
        .map_err(|_| {
            Error::bad_request(format!(
                "invalid value for {key}: {text:?} is not a regular expression"
            ))
        })
}

/// A whole address means that address; anything else is a regular expression.
fn ip(params: &Params) -> Result<Option<Regex>, Error> {
    let whole = params
        .one("ip")
        .and_then(|text| text.parse::<Ipv4Addr>().ok());
    match whole {
        None => pattern(params, "ip"),
        Some(address) => {
            let text = format!("^{}$", regex::escape(&address.to_string()));
            Regex::new(&text).map(Some).map_err(Error::internal)
        }
    }
}
