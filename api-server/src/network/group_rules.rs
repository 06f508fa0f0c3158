//! Rules of security groups. The hosts of the ports that a group guards learn of a change in the
//! transaction that makes it.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::id::{SecurityGroupId, SecurityGroupRuleId};
use skybus_store::networks::{Rule, Scope, groups as rows, quotas::Resource, refresh, rules};

use super::{
    body::Body,
    groups, limits,
    listing::{self, scope},
    rule_input,
};
use crate::{
    app::App,
    http::{Auth, Error, Json, Once, Page, Params, Path, RequestContext},
};

/// A rule as it is shown, also within its group.
pub(super) fn view(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "security_group_id": rule.group,
        "tenant_id": rule.project,
        "project_id": rule.project,
        "description": rule.description,
        "direction": rule.direction,
        "ethertype": rule.ethertype,
        "protocol": rule.protocol,
        "port_range_min": rule.port_min,
        "port_range_max": rule.port_max,
        "remote_ip_prefix": rule.remote_prefix,
        "normalized_cidr": rule.remote_prefix,
        "remote_group_id": rule.remote_group,
        "remote_address_group_id": null,
        "tags": [],
        "created_at": rule.created_at.iso_seconds(),
        "updated_at": rule.created_at.iso_seconds(),
    })
}

async fn seen(app: &App, auth: &Auth, id: SecurityGroupRuleId) -> Result<Rule, Error> {
    match rules::get(app.store.pool(), id, scope(auth)?).await {
        Err(skybus_store::Error::NotFound(_)) => Err(Error::not_found("security group rule", id)),
        other => Ok(other?),
    }
}

/// Lists rules.
pub(super) async fn list(
    State(app): State<App>,
    auth: Auth,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    groups::ensure_default(&app, &auth).await?;
    let rules = rules::list(app.store.pool(), scope(&auth)?).await?;
    let items = rules.iter().map(view).collect();
    listing::page(&app, "security_group_rules", items, page, &params)
}

/// Shows a rule.
pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<SecurityGroupRuleId>,
    params: Params,
) -> Result<Json<Value>, Error> {
    Ok(listing::one(
        "security_group_rule",
        view(&seen(&app, &auth, id).await?),
        &params,
    ))
}

/// Makes a rule.
pub(super) async fn create(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    once: Once,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let mut body = Body::open("security_group_rule", body)?;
    // A rule belongs to its group's project, whatever is written here.
    body.project(&auth)?;
    let group = body
        .word::<SecurityGroupId>("security_group_id")?
        .ok_or_else(|| Error::bad_request("a rule needs a security_group_id"))?;
    let new = rule_input::read(&mut body)?;
    body.done()?;
    let group = groups::seen(&app, &auth, group).await?;
    let mut tx = app.store.begin().await?;
    if let Some(remote) = new.remote_group {
        match rows::get(tx.conn(), remote, Scope::Project(group.project)).await {
            Err(skybus_store::Error::NotFound(_)) => {
                return Err(Error::not_found("security group", remote));
            }
            other => other?,
        };
    }
    limits::check(&mut tx, group.project, Resource::SecurityGroupRule).await?;
    let rule = rules::create(&mut tx, group.id, group.project, new)
        .await
        .map_err(|error| listing::in_words(error, "SecurityGroupRuleExists"))?;
    refresh::flush(&mut tx, &context, listing::TOLD_AT_ONCE).await?;
    let body = json!({ "security_group_rule": view(&rule) });
    let response = once
        .record(&mut tx, StatusCode::CREATED, None, &body)
        .await?;
    app.push(tx.commit().await?);
    Ok(response)
}

/// Deletes a rule.
pub(super) async fn delete(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path(id): Path<SecurityGroupRuleId>,
) -> Result<StatusCode, Error> {
    let rule = seen(&app, &auth, id).await?;
    let mut tx = app.store.begin().await?;
    rules::delete(&mut tx, &rule).await?;
    refresh::flush(&mut tx, &context, listing::TOLD_AT_ONCE).await?;
    app.push(tx.commit().await?);
    Ok(StatusCode::NO_CONTENT)
}
