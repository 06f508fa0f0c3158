//! `GET /skybus/v1/audit`: what does not fit. `POST /skybus/v1/audit` with `{"repair": true}`: the same, and
//! it is mended.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use skybus_store::audit::{self, Finding, Outcome};

use crate::{
    app::App,
    engine::audit::{count, from, look},
    http::{Auth, Error, Json},
};

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    repair: bool,
}

/// What does not fit.
pub(super) async fn list(State(app): State<App>) -> Result<Response, Error> {
    let findings = look(&app.store, &app.bus).await?;
    let shown: Vec<Value> = findings.iter().map(one).collect();
    Ok(Json(json!({ "remaining": shown.len(), "findings": shown })).into_response())
}

/// What does not fit, mended where that was asked for and can be done.
pub(super) async fn mend(
    State(app): State<App>,
    auth: Auth,
    Json(asked): Json<Asked>,
) -> Result<Response, Error> {
    if !asked.repair {
        return list(State(app)).await;
    }
    let from = from(&app.bus);
    let mut shown = Vec::new();
    let mut left = Vec::new();
    for finding in audit::find(&app.store, &from).await? {
        // One that cannot be mended now must not keep the others from it.
        let outcome = match audit::repair(&app.store, &finding, &from, &app.paths).await {
            Ok((outcome, messages)) => {
                app.push(messages);
                outcome
            }
            Err(error) => Outcome::Left(format!("{error}; try again")),
        };
        tracing::warn!(
            kind = finding.kind.as_str(),
            resource = %finding.resource,
            found = finding.found,
            outcome = outcome.as_str(),
            done = outcome.text(),
            operator = %auth.user,
            "did not fit"
        );
        if matches!(outcome, Outcome::Left(_)) {
            left.push(finding.kind);
        }
        let mut one = one(&finding);
        one["outcome"] = json!(outcome.as_str());
        one["done"] = json!(outcome.text());
        shown.push(one);
    }
    let remaining = left.len();
    count(&app.store, from.now, left.into_iter()).await?;
    Ok(Json(json!({ "remaining": remaining, "findings": shown })).into_response())
}

fn one(finding: &Finding) -> Value {
    json!({
        "kind": finding.kind.as_str(),
        "resource": { "type": finding.resource.sort(), "id": finding.resource.id() },
        "found": finding.found,
        "expected": finding.expected,
        "why": finding.kind.why(),
        "repair": finding.repair,
    })
}
