//! What happened to a server, hop by hop.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use skybus_model::{id::ServerId, operation::Hop};
use skybus_store::{
    Error as StoreError, hops,
    operations::{self, Operation},
    servers,
};

use crate::{
    app::App,
    http::{Auth, Error, Json, Path},
};

/// `GET /skybus/v1/servers/{id}/trace`, for the server's project and for operators. A deleted server
/// keeps its trace.
///
/// Of each operation: its hops (`at_us`: microseconds since 1970), how often work was handed out (`attempts`),
/// and while it is open, when somebody looks after it if nothing happens (`retry_at`) and when it must have
/// ended (`deadline`). For operators also the host, those that failed it (`tried`), those that would do as
/// well (`alternates`), and which API server looked after it last (`looked_after_by`).
pub(super) async fn trace(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let missing = || Error::not_found("instance", &id);
    let server: ServerId = id.parse().map_err(|_| missing())?;
    let server = match servers::get(&app.store, server).await {
        Ok(server) if auth.sees(server.project) => server,
        Ok(_) | Err(StoreError::NotFound(_)) => return Err(missing()),
        Err(other) => return Err(other.into()),
    };
    let mut shown = Vec::new();
    for operation in operations::of_server(&app.store, server.id).await? {
        let hops = hops::of(&app.store, operation.id).await?;
        shown.push(one(&operation, &hops, auth.is_admin()));
    }
    Ok(Json(json!({ "trace": { "server": server.id, "operations": shown } })).into_response())
}

/// Owners learn what happened; where, is for operators.
fn one(operation: &Operation, hops: &[Hop], admin: bool) -> Value {
    let hop = |hop: &Hop| {
        let who = if admin {
            hop.who.as_str()
        } else {
            hop.who.split('@').next().unwrap_or("")
        };
        let detail = if admin { hop.detail.as_str() } else { "" };
        json!({ "at_us": hop.at.micros(), "who": who, "what": hop.what, "detail": detail })
    };
    let fault = operation.fault.as_ref().map(|fault| {
        let mut shown = json!({ "code": fault.code.as_str(), "message": fault.message });
        if admin {
            shown["details"] = json!(fault.details);
        }
        shown
    });
    let open = operation.ended_at.is_none();
    let looked_after = hops.iter().rev().find(|hop| hop.who.starts_with("api@"));
    json!({
        "id": operation.id,
        "kind": operation.kind.as_str(),
        "step": operation.step.as_str(),
        "attempts": operation.attempts,
        "started": operation.started_at.iso_micros_z(),
        "ended": operation.ended_at.map(|at| at.iso_micros_z()),
        "deadline": operation.deadline.iso_micros_z(),
        "retry_at": open.then(|| operation.wake_at.iso_micros_z()),
        "looked_after_by": looked_after.filter(|_| admin).map(|hop| hop.who.as_str()),
        "host": operation.host.as_ref().filter(|_| admin),
        "tried": admin.then_some(&operation.tried),
        "alternates": admin.then_some(&operation.alternates),
        "fault": fault,
        "request_id": operation.context.request_id,
        "hops": hops.iter().map(hop).collect::<Vec<_>>(),
    })
}
