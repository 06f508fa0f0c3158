//! `POST /servers/{id}/action`: one JSON object with one key, the action's name.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::Value;
use skybus_model::server::{Request, VmState};

use super::{change, console, groups};
use crate::{
    app::App,
    compute::{
        fields::{Fields, Invalid},
        older::{floating, until},
    },
    http::{Action, Auth, Error, Json, Microversion, Path, RequestContext},
};

/// Actions of Nova's that are not built yet, and what to do instead.
const UNBUILT: &[(&str, &str)] = &[
    ("addFixedIp", "create a port and boot with it"),
    (
        "changePassword",
        "set adminPass when booting with a config drive",
    ),
    ("confirmResize", "boot a new server of the other flavor"),
    ("createBackup", "copy the data from inside the guest"),
    ("createImage", "copy the data from inside the guest"),
    ("evacuate", "delete the server and boot it again"),
    ("injectNetworkInfo", "reboot the server"),
    ("lock", "give the project's members the role reader"),
    ("migrate", "delete the server and boot it again"),
    ("os-getSerialConsole", "use os-getConsoleOutput"),
    ("os-getSPICEConsole", "use os-getConsoleOutput"),
    ("os-getRDPConsole", "use os-getConsoleOutput"),
    ("os-getVNCConsole", "use os-getConsoleOutput"),
    ("os-migrateLive", "delete the server and boot it again"),
    ("os-resetNetwork", "reboot the server"),
    ("pause", "use os-stop"),
    ("rebuild", "delete the server and boot it again"),
    ("removeFixedIp", "delete the server and boot it again"),
    ("rescue", "read its console log with os-getConsoleOutput"),
    ("resetNetwork", "reboot the server"),
    ("resize", "boot a new server of the other flavor"),
    ("restore", "a deleted server cannot come back"),
    ("revertResize", "boot a new server of the other flavor"),
    ("shelve", "use os-stop"),
    ("shelveOffload", "use os-stop"),
    ("suspend", "use os-stop"),
    ("trigger_crash_dump", "use reboot of type HARD"),
    ("unlock", "nothing is locked"),
    ("unpause", "use os-start"),
    ("unrescue", "use os-start"),
    ("unshelve", "use os-start"),
    ("resume", "use os-start"),
];
/// Those that are.
const BUILT: &[&str] = &[
    "os-start",
    "os-stop",
    "reboot",
    "forceDelete",
    "os-resetState",
    "os-getConsoleOutput",
    "addSecurityGroup",
    "removeSecurityGroup",
    "addFloatingIp",
    "removeFloatingIp",
];
/// The last microversion that knew of floating IPs.
const LAST_FLOATING: u16 = 43;

/// An action, read.
enum Asked {
    Wish(Request),
    Reset(VmState),
    Console(Option<i64>),
    AddGroup(String),
    RemoveGroup(String),
    AddFloating(floating::Named),
    RemoveFloating(floating::Named),
}

/// Does what the body names.
pub(crate) async fn act(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    RequestContext(context): RequestContext,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    match read(&body)? {
        Asked::Wish(request) => change::wish(&app, &auth, &context, &id, request).await?,
        Asked::Reset(to) => {
            Action::ServersReset.check(&auth)?;
            change::reset(&app, &auth, &context, &id, to).await?;
        }
        Asked::Console(lines) => return console::tail(&app, &auth, &id, lines).await,
        Asked::AddGroup(name) => groups::add(&app, &auth, &context, &id, &name).await?,
        Asked::RemoveGroup(name) => groups::remove(&app, &auth, &context, &id, &name).await?,
        Asked::AddFloating(named) => {
            until(version, LAST_FLOATING)?;
            floating::add(&app, &auth, &context, &id, &named).await?;
        }
        Asked::RemoveFloating(named) => {
            until(version, LAST_FLOATING)?;
            floating::remove(&app, &auth, &context, &id, &named).await?;
        }
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

fn read(body: &Value) -> Result<Asked, Error> {
    let fields = Fields::whole(body)?;
    let mut entries = fields.entries();
    let (Some((name, _)), None) = (entries.next(), entries.next()) else {
        let what = "it must have exactly one field, the name of the action";
        return Err(Invalid::new("body", what).into());
    };
    Ok(match name.as_str() {
        "os-start" => Asked::Wish(Request::Start),
        "os-stop" => Asked::Wish(Request::Stop),
        "forceDelete" => Asked::Wish(Request::Delete),
        "reboot" => Asked::Wish(reboot(&fields)?),
        "os-resetState" => Asked::Reset(reset_to(&fields)?),
        "os-getConsoleOutput" => Asked::Console(console::lines(&fields)?),
        "addSecurityGroup" => Asked::AddGroup(group(&fields, name)?),
        "removeSecurityGroup" => Asked::RemoveGroup(group(&fields, name)?),
        "addFloatingIp" => Asked::AddFloating(floating::named(&fields, name)?),
        "removeFloatingIp" => Asked::RemoveFloating(floating::named(&fields, name)?),
        other => return Err(unbuilt(other)),
    })
}

fn unbuilt(name: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    match UNBUILT.iter().find(|(known, _)| *known == name) {
        Some((_, instead)) => Error::bad_request(format!(
            "The action {shown} is not built yet in this cloud; {instead}."
        )),
        None => Error::bad_request(format!(
            "There is no such action: {shown}. Known are {}.",
            BUILT.join(", ")
        )),
    }
}

fn reboot(fields: &Fields<'_>) -> Result<Request, Invalid> {
    let inner = fields
        .inner("reboot")?
        .ok_or_else(|| fields.missing("reboot"))?;
    inner.only(&["type"])?;
    let kind = inner.required_text("type", 1..=16)?.to_uppercase();
    match kind.as_str() {
        "SOFT" => Ok(Request::RebootSoft),
        "HARD" => Ok(Request::RebootHard),
        _ => Err(Invalid::new("reboot.type", "it must be SOFT or HARD")),
    }
}

fn reset_to(fields: &Fields<'_>) -> Result<VmState, Invalid> {
    let inner = fields
        .inner("os-resetState")?
        .ok_or_else(|| fields.missing("os-resetState"))?;
    inner.only(&["state"])?;
    let state = inner.word("state", &["active", "error"])?;
    match state.ok_or_else(|| inner.missing("state"))? {
        "active" => Ok(VmState::Active),
        _ => Ok(VmState::Error),
    }
}

fn group(fields: &Fields<'_>, action: &str) -> Result<String, Invalid> {
    let inner = fields
        .inner(action)?
        .ok_or_else(|| fields.missing(action))?;
    inner.only(&["name"])?;
    inner.required_text("name", 1..=255).map(str::to_owned)
}
