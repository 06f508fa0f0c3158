//! `/servers/{id}/os-instance-actions`: what was asked of a server, and how it went.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use skybus_model::{Timestamp, operation::Hop, operation::Step};
use skybus_store::{
    hops,
    operations::{self, Operation},
};

use super::{
    find,
    view::{Lens, host_id},
};
use crate::{
    app::App,
    http::{Auth, Error, Json, Microversion, Page, Params, Path, Way},
};

/// What was asked, newest first.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    page: Page,
    params: Params,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let server = find::visible_or_gone(&app, &auth, &id).await?;
    let since = moment(&params, "changes-since")?;
    let before = moment(&params, "changes-before")?;
    let mut all = operations::of_server(&app.store, server.id).await?;
    if version.since(58) {
        all.retain(|operation| since.is_none_or(|since| updated(operation) >= since));
    }
    if version.since(66) {
        all.retain(|operation| before.is_none_or(|before| updated(operation) <= before));
    }
    let page = page.sorted_by(&[], ("start", Way::Down))?;
    // Several operations of a server may come with one request; a marker names the request.
    let cut = page.cut(
        all,
        |o| o.context.request_id.clone(),
        |o, _| json!(o.started_at),
    )?;
    let lens = Lens::new(&app, &auth, version);
    let mut body = Map::new();
    let shown = cut
        .items
        .iter()
        .map(|operation| action(&lens, operation))
        .collect();
    body.insert("instanceActions".to_owned(), Value::Array(shown));
    if let Some(links) = page.links(&lens.base, &cut).filter(|_| version.since(58)) {
        body.insert("links".to_owned(), links);
    }
    Ok(Json(body).into_response())
}

/// One of them with its events, by the id of the request that it came with.
pub(crate) async fn show(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    Path((id, request)): Path<(String, String)>,
) -> Result<Response, Error> {
    let server = find::visible_or_gone(&app, &auth, &id).await?;
    let all = operations::of_server(&app.store, server.id).await?;
    // A request that is repeated with its id leads to one action, whose events are those of all it did.
    let of_request: Vec<&Operation> = all
        .iter()
        .filter(|operation| operation.context.request_id == request)
        .collect();
    let last = of_request.last().ok_or_else(|| {
        Error::not_found(
            "action",
            format!("for request_id {request} on instance {}", server.id),
        )
    })?;
    let lens = Lens::new(&app, &auth, version);
    let mut shown = action(&lens, last);
    shown["start_time"] = json!(of_request[0].started_at.iso_micros());
    if lens.admin || version.since(51) {
        let mut told = Vec::new();
        for operation in &of_request {
            let hops = hops::of(&app.store, operation.id).await?;
            told.extend(events(&lens, operation, &hops));
        }
        shown["events"] = Value::Array(told);
    }
    Ok(Json(json!({ "instanceAction": shown })).into_response())
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

fn updated(operation: &Operation) -> Timestamp {
    operation.ended_at.unwrap_or(operation.started_at)
}

fn action(lens: &Lens, operation: &Operation) -> Value {
    let message = match (&operation.fault, operation.step) {
        (Some(fault), Step::Failed) => json!(fault.message),
        (_, Step::Overtaken) => json!("overtaken by a later wish"),
        _ => Value::Null,
    };
    let mut shown = json!({
        "action": operation.kind.as_str(),
        "instance_uuid": operation.server,
        "request_id": operation.context.request_id,
        "user_id": operation.actor,
        "project_id": operation.project,
        "start_time": operation.started_at.iso_micros(),
        "message": message,
    });
    if lens.version.since(58) {
        shown["updated_at"] = json!(updated(operation).iso_micros());
    }
    shown
}

/// Every hop is an event; each lasts until the next.
fn events(lens: &Lens, operation: &Operation, hops: &[Hop]) -> Vec<Value> {
    let ends = hops
        .iter()
        .skip(1)
        .map(|hop| Some(hop.at))
        .chain([operation.ended_at]);
    let last = hops.len().saturating_sub(1);
    hops.iter()
        .zip(ends)
        .enumerate()
        .map(|(at, (hop, end))| {
            let failed = operation.step == Step::Failed && at == last;
            let result = end.map(|_| if failed { "Error" } else { "Success" });
            let mut event = json!({
                "event": event_name(lens, hop),
                "start_time": hop.at.iso_micros(),
                "finish_time": end.map(Timestamp::iso_micros),
                "result": result,
            });
            if lens.admin || !lens.version.since(51) {
                event["traceback"] = Value::Null;
            }
            if lens.version.since(62) {
                let host = host_of(hop);
                let id = host.map(|host| host_id(operation.project, host));
                event["hostId"] = json!(id.unwrap_or_default());
                if lens.admin {
                    event["host"] = json!(host);
                }
            }
            if lens.version.since(84) {
                event["details"] = json!(details(lens, operation, hop, failed));
            }
            event
        })
        .collect()
}

/// The host whose worker did it; an API server's instance is none.
fn host_of(hop: &Hop) -> Option<&str> {
    let (who, host) = hop.who.split_once('@')?;
    (who != "api").then_some(host)
}

/// Why it failed, for the server's owner; for operators also what each hop noted.
fn details(lens: &Lens, operation: &Operation, hop: &Hop, failed: bool) -> Option<String> {
    let fault = operation.fault.as_ref().filter(|_| failed);
    let noted = Some(hop.detail.clone()).filter(|detail| lens.admin && !detail.is_empty());
    match (fault, noted) {
        (Some(fault), Some(noted)) => Some(format!("{} ({noted})", fault.message)),
        (Some(fault), None) => Some(fault.message.clone()),
        (None, noted) => noted,
    }
}

/// Owners do not learn hosts' names.
fn event_name(lens: &Lens, hop: &Hop) -> String {
    let who = if lens.admin {
        hop.who.as_str()
    } else {
        hop.who.split('@').next().unwrap_or("")
    };
    format!("{who}: {}", hop.what)
}
