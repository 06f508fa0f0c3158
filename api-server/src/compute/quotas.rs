//! Quotas and limits: what a project may use, and uses.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::id::ProjectId;
use skybus_store::{
    compute::quotas::{self, Resource, UNLIMITED},
    identity::projects,
};

use super::fields::{Fields, Invalid};
use crate::{
    app::App,
    http::{Auth, Error, Json, Microversion, Params, Path},
};

/// The largest limit that can be set.
const MOST: i64 = 0x7fff_ffff;

/// Whether this version speaks of this resource: networks and files left the Compute API.
fn spoken_of(resource: Resource, version: Microversion) -> bool {
    match resource {
        Resource::FixedIps
        | Resource::FloatingIps
        | Resource::SecurityGroups
        | Resource::SecurityGroupRules => !version.since(36),
        Resource::InjectedFiles
        | Resource::InjectedFileContentBytes
        | Resource::InjectedFilePathBytes => !version.since(57),
        _ => true,
    }
}

/// The project of the path, for whoever may see its quotas.
fn project(auth: &Auth, id: &str) -> Result<ProjectId, Error> {
    let project: ProjectId = id.parse().map_err(|_| Error::not_found("project", id))?;
    if auth.sees(project) {
        Ok(project)
    } else {
        Err(Error::forbidden(
            "quotas of another project are for the role admin",
        ))
    }
}

fn set(id: Option<ProjectId>, version: Microversion, limits: &BTreeMap<Resource, i64>) -> Value {
    let mut shown = Map::new();
    if let Some(id) = id {
        shown.insert("id".to_owned(), json!(id));
    }
    for (resource, limit) in limits.iter().filter(|(r, _)| spoken_of(**r, version)) {
        shown.insert(resource.as_str().to_owned(), json!(limit));
    }
    json!({ "quota_set": shown })
}

/// The limits of a project.
pub(crate) async fn show(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let project = project(&auth, &id)?;
    let limits = quotas::limits(app.store.pool(), project).await?;
    Ok(Json(set(Some(project), version, &limits)).into_response())
}

/// The limits of a project for which none were set.
pub(crate) async fn defaults(
    auth: Auth,
    version: Microversion,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let project = project(&auth, &id)?;
    let limits = Resource::ALL
        .iter()
        .map(|r| (*r, r.default_limit()))
        .collect();
    Ok(Json(set(Some(project), version, &limits)).into_response())
}

/// The limits with what is used.
pub(crate) async fn detail(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let project = project(&auth, &id)?;
    let limits = quotas::limits(app.store.pool(), project).await?;
    let usage = quotas::usage(&app.store, project).await?;
    let mut shown = Map::new();
    shown.insert("id".to_owned(), json!(project));
    for (resource, limit) in limits.iter().filter(|(r, _)| spoken_of(**r, version)) {
        let used = usage.get(resource).copied().unwrap_or(0);
        let entry = json!({ "limit": limit, "in_use": used, "reserved": 0 });
        shown.insert(resource.as_str().to_owned(), entry);
    }
    Ok(Json(json!({ "quota_set": shown })).into_response())
}

/// Sets limits.
pub(crate) async fn update(
    State(app): State<App>,
    version: Microversion,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let fields = Fields::of(&body, "quota_set")?;
    let wanted = read(&fields, version)?;
    let force = fields.flag("force")?.unwrap_or(false);
    let id: ProjectId = id.parse().map_err(|_| Error::not_found("project", id))?;
    if projects::get(app.store.pool(), id).await?.is_none() {
        return Err(Error::bad_request(format!(
            "Project ID {id} is not a valid project."
        )));
    }
    let usage = quotas::usage(&app.store, id).await?;
    let mut tx = app.store.begin().await?;
    for (resource, limit) in wanted {
        let used = usage.get(&resource).copied().unwrap_or(0);
        if !force && limit != UNLIMITED && limit < used {
            return Err(Error::bad_request(format!(
                "Quota limit {limit} for {resource} must be greater than or equal to already used and \
                 reserved {used}; give force to set it all the same."
            )));
        }
        quotas::set_limit(&mut tx, id, resource, limit).await?;
    }
    tx.commit().await?;
    let limits = quotas::limits(app.store.pool(), id).await?;
    Ok(Json(set(None, version, &limits)).into_response())
}

fn read(fields: &Fields<'_>, version: Microversion) -> Result<Vec<(Resource, i64)>, Invalid> {
    let mut wanted = Vec::new();
    for (key, _) in fields.entries() {
        if matches!(key.as_str(), "force" | "tenant_id" | "project_id") {
            continue;
        }
        let known = Resource::named(key).filter(|resource| spoken_of(*resource, version));
        let Some(resource) = known else {
            let names: Vec<_> = Resource::ALL
                .iter()
                .filter(|r| spoken_of(**r, version))
                .collect();
            let names: Vec<_> = names.iter().map(|r| r.as_str()).collect();
            let key: String = key.chars().take(80).collect();
            let why = format!("there is no such quota; there are {}", names.join(", "));
            return Err(Invalid::new(fields.at(&key), why));
        };
        if let Some(limit) = fields.integer(key, UNLIMITED..=MOST)? {
            wanted.push((resource, limit));
        }
    }
    Ok(wanted)
}

/// Puts a project back to the defaults.
pub(crate) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let id: ProjectId = id.parse().map_err(|_| Error::not_found("project", id))?;
    let mut tx = app.store.begin().await?;
    quotas::reset_limits(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED)
}

/// Nova's other view of the same: `GET /limits`.
pub(crate) async fn limits(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    params: Params,
) -> Result<Response, Error> {
    let project = match params.one("tenant_id") {
        Some(id) => project(&auth, id)?,
        None => auth.project()?,
    };
    let limits = quotas::limits(app.store.pool(), project).await?;
    let usage = quotas::usage(&app.store, project).await?;
    let mut absolute = Map::new();
    let names = [
        (
            Resource::Instances,
            "maxTotalInstances",
            Some("totalInstancesUsed"),
        ),
        (Resource::Cores, "maxTotalCores", Some("totalCoresUsed")),
        (Resource::Ram, "maxTotalRAMSize", Some("totalRAMUsed")),
        (Resource::MetadataItems, "maxServerMeta", None),
        (Resource::KeyPairs, "maxTotalKeypairs", None),
        (
            Resource::ServerGroups,
            "maxServerGroups",
            Some("totalServerGroupsUsed"),
        ),
        (Resource::ServerGroupMembers, "maxServerGroupMembers", None),
        (Resource::InjectedFiles, "maxPersonality", None),
        (
            Resource::InjectedFileContentBytes,
            "maxPersonalitySize",
            None,
        ),
        (
            Resource::FloatingIps,
            "maxTotalFloatingIps",
            Some("totalFloatingIpsUsed"),
        ),
        (
            Resource::SecurityGroups,
            "maxSecurityGroups",
            Some("totalSecurityGroupsUsed"),
        ),
        (Resource::SecurityGroupRules, "maxSecurityGroupRules", None),
    ];
    let number = |all: &BTreeMap<Resource, i64>, of| all.get(&of).copied().unwrap_or(0);
    for (resource, most, used) in names {
        if spoken_of(resource, version) {
            absolute.insert(most.to_owned(), json!(number(&limits, resource)));
            if let Some(used) = used {
                absolute.insert(used.to_owned(), json!(number(&usage, resource)));
            }
        }
    }
    if !version.since(39) {
        let items = number(&limits, Resource::MetadataItems);
        absolute.insert("maxImageMeta".to_owned(), json!(items));
    }
    Ok(Json(json!({ "limits": { "rate": [], "absolute": absolute } })).into_response())
}
