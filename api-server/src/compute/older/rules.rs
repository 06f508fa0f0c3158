//! `os-security-group-rules`: what a group lets in, in the words protocol, ports, and range or group.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::{
    id::{SecurityGroupId, SecurityGroupRuleId},
    network::Direction,
};
use skybus_store::{
    Error as StoreError,
    networks::{
        Scope, groups,
        quotas::Resource,
        refresh,
        rules::{self, NewRule, Rule},
    },
};

use super::{LAST, groups::seen as seen_group, until};
use crate::{
    app::App,
    compute::fields::{Fields, Invalid},
    http::{Auth, Error, Json, Microversion, Once, Path, RequestContext},
    network::{self, TOLD_AT_ONCE},
};

/// A rule as the Compute API had it, which knew of arriving packets alone.
pub(super) async fn legacy(app: &App, rule: &Rule) -> Result<Option<Value>, Error> {
    if rule.direction != Direction::Ingress {
        return Ok(None);
    }
    let remote = match rule.remote_group {
        Some(id) => Some(groups::get(app.store.pool(), id, Scope::Everything).await?),
        None => None,
    };
    let group = remote.map_or_else(
        || json!({}),
        |group| json!({ "name": group.name, "tenant_id": group.project }),
    );
    Ok(Some(view(rule, group)))
}

fn view(rule: &Rule, group: Value) -> Value {
    let everywhere = if rule.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
    let range = match (&rule.remote_prefix, rule.remote_group) {
        (_, Some(_)) => json!({}),
        (prefix, None) => json!({ "cidr": prefix.as_deref().unwrap_or(everywhere) }),
    };
    // All ports of a protocol that has some, and -1 for all of one that has none.
    let (least, most) = match rule.protocol_number() {
        None => (None, None),
        Some(6 | 17) => (rule.port_min.or(Some(1)), rule.port_max.or(Some(65_535))),
        Some(_) => (rule.port_min.or(Some(-1)), rule.port_max.or(Some(-1))),
    };
    json!({
        "id": rule.id,
        "parent_group_id": rule.group,
        "ip_protocol": rule.protocol,
        "from_port": least,
        "to_port": most,
        "ip_range": range,
        "group": group,
    })
}

/// A rule in the words of the Network API, which checks it.
fn read(fields: &Fields<'_>) -> Result<NewRule, Error> {
    fields.only(&[
        "parent_group_id",
        "ip_protocol",
        "from_port",
        "to_port",
        "cidr",
        "group_id",
    ])?;
    let range = fields.text("cidr", 0..=64)?.filter(|text| !text.is_empty());
    let remote = fields.text("group_id", 1..=64)?;
    if range.is_some() && remote.is_some() {
        let why = "only one of cidr and group_id can be given";
        return Err(Invalid::new(fields.at("group_id"), why).into());
    }
    let six = range.is_some_and(|range| range.contains(':'));
    let port = |key: &str| fields.integer(key, -1..=i64::from(u16::MAX));
    let mut words = Map::new();
    for (key, value) in [
        ("direction", json!("ingress")),
        ("ethertype", json!(if six { "IPv6" } else { "IPv4" })),
        ("protocol", json!(fields.value("ip_protocol"))),
        ("port_range_min", json!(port("from_port")?)),
        ("port_range_max", json!(port("to_port")?)),
        ("remote_ip_prefix", json!(range)),
        ("remote_group_id", json!(remote)),
    ] {
        words.insert(key.to_owned(), value);
    }
    network::rule(words)
}

/// `POST /os-security-group-rules`.
pub(crate) async fn create(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    RequestContext(context): RequestContext,
    once: Once,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    until(version, LAST)?;
    let fields = Fields::of(&body, "security_group_rule")?;
    let new = read(&fields)?;
    let parent = fields.required_text("parent_group_id", 1..=64)?;
    let group = seen_group(&app, &auth, parent).await?;
    let mut tx = app.store.begin().await?;
    let remote = match new.remote_group {
        Some(id) => own(&mut tx, &group, id).await?,
        None => json!({}),
    };
    network::check_limit(&mut tx, group.project, Resource::SecurityGroupRule).await?;
    let rule = match rules::create(&mut tx, group.id, group.project, new).await {
        Err(StoreError::Conflict(why)) => return Err(Error::bad_request(why)),
        other => other?,
    };
    refresh::flush(&mut tx, &context, TOLD_AT_ONCE).await?;
    let body = json!({ "security_group_rule": view(&rule, remote) });
    let response = once.record(&mut tx, StatusCode::OK, None, &body).await?;
    app.push(tx.commit().await?);
    Ok(response)
}

/// The remote group as a rule shows it, if it is of the same project.
async fn own(
    tx: &mut skybus_store::Tx,
    group: &groups::Group,
    remote: SecurityGroupId,
) -> Result<Value, Error> {
    match groups::get(tx.conn(), remote, Scope::Project(group.project)).await {
        Err(StoreError::NotFound(_)) => Err(Error::not_found("security group", remote)),
        other => {
            let remote = other?;
            Ok(json!({ "name": remote.name, "tenant_id": remote.project }))
        }
    }
}

/// `DELETE /os-security-group-rules/{id}`.
pub(crate) async fn delete(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    RequestContext(context): RequestContext,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    until(version, LAST)?;
    let missing = || Error::not_found("security group rule", &id);
    let known: SecurityGroupRuleId = id.parse().map_err(|_| missing())?;
    let scope = if auth.is_admin() {
        Scope::Everything
    } else {
        Scope::Project(auth.project()?)
    };
    let rule = match rules::get(app.store.pool(), known, scope).await {
        Err(StoreError::NotFound(_)) => return Err(missing()),
        other => other?,
    };
    let mut tx = app.store.begin().await?;
    rules::delete(&mut tx, &rule).await?;
    refresh::flush(&mut tx, &context, TOLD_AT_ONCE).await?;
    app.push(tx.commit().await?);
    Ok(StatusCode::ACCEPTED)
}
