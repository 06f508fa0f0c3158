//! `os-hypervisors`: what each compute host has, and what of it is claimed.

use std::collections::HashMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::{HostName, Timestamp};
use skybus_store::{
    hosts::{self, Host},
    servers,
    services::{self, Service},
};

use super::{hypervisor_uuid, number};
use crate::{
    app::App,
    compute::servers::Lens,
    http::{Auth, Error, Json, Microversion, Page, Params, Path, Way},
};

struct Known {
    host: Host,
    service: Option<Service>,
}

async fn all(app: &App) -> Result<Vec<Known>, Error> {
    let mut services: HashMap<HostName, Service> = services::all(&app.store)
        .await?
        .into_iter()
        .filter(|service| service.service == "compute")
        .map(|service| (service.host.clone(), service))
        .collect();
    let hosts = hosts::all(&app.store).await?;
    Ok(hosts
        .into_iter()
        .map(|host| Known {
            service: services.remove(&host.name),
            host,
        })
        .collect())
}

/// The short list.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    page: Page,
    params: Params,
) -> Result<Response, Error> {
    list(&app, &auth, version, page, &params, brief).await
}

/// The full list.
pub(crate) async fn detail(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    page: Page,
    params: Params,
) -> Result<Response, Error> {
    list(&app, &auth, version, page, &params, full).await
}

async fn list(
    app: &App,
    auth: &Auth,
    version: Microversion,
    page: Page,
    params: &Params,
    shown: fn(&Known, Microversion) -> Value,
) -> Result<Response, Error> {
    let mut all = all(app).await?;
    if let Some(pattern) = params
        .one("hypervisor_hostname_pattern")
        .filter(|_| version.since(53))
    {
        all.retain(|known| known.host.name.as_str().contains(pattern));
        if all.is_empty() {
            return Err(no_match(pattern));
        }
    }
    let page = page.sorted_by(&[], ("id", Way::Up))?;
    let cut = page.cut(
        all,
        |known| id_of(known, version),
        |known, _| json!(known.host.name),
    )?;
    let with_servers = params.flag("with_servers")?.unwrap_or(false) && version.since(53);
    let mut items = Vec::new();
    for known in &cut.items {
        let mut item = shown(known, version);
        if with_servers {
            item["servers"] = servers_on(app, &known.host.name).await?;
        }
        items.push(item);
    }
    let mut body = Map::new();
    body.insert("hypervisors".to_owned(), Value::Array(items));
    let lens = Lens::new(app, auth, version);
    if let Some(links) = page.links(&lens.base, &cut).filter(|_| version.since(33)) {
        body.insert("hypervisors_links".to_owned(), links);
    }
    Ok(Json(body).into_response())
}

/// One of them.
pub(crate) async fn show(
    State(app): State<App>,
    version: Microversion,
    params: Params,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let all = all(&app).await?;
    let known = all.iter().find(|known| id_of(known, version) == id);
    let known = known.ok_or_else(|| Error::not_found("compute host", &id))?;
    let mut shown = full(known, version);
    let asked = params.flag("with_servers")?.unwrap_or(false);
    if asked && version.since(53) {
        shown["servers"] = servers_on(&app, &known.host.name).await?;
    }
    Ok(Json(json!({ "hypervisor": shown })).into_response())
}

/// The sums over all hosts (before 2.88).
pub(crate) async fn statistics(
    State(app): State<App>,
    version: Microversion,
) -> Result<Response, Error> {
    if version.since(88) {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            "os-hypervisors/statistics ended with microversion 2.87; add up os-hypervisors/detail",
        ));
    }
    let all = all(&app).await?;
    let up: Vec<&Host> = all
        .iter()
        .filter(|known| {
            known
                .service
                .as_ref()
                .is_some_and(|service| service.enabled)
        })
        .map(|known| &known.host)
        .collect();
    let sum = |of: fn(&Host) -> i64| up.iter().map(|host| of(host)).sum::<i64>();
    let (ram, used_ram) = (sum(|h| h.capacity.ram_mib), sum(|h| h.used.ram_mib));
    let (disk, used_disk) = (sum(|h| h.capacity.disk_gib), sum(|h| h.used.disk_gib));
    Ok(Json(json!({ "hypervisor_statistics": {
        "count": up.len(),
        "vcpus": sum(|h| h.capacity.vcpus),
        "vcpus_used": sum(|h| h.used.vcpus),
        "memory_mb": ram,
        "memory_mb_used": used_ram,
        "free_ram_mb": ram - used_ram,
        "local_gb": disk,
        "local_gb_used": used_disk,
        "free_disk_gb": disk - used_disk,
        "disk_available_least": disk - used_disk,
        "running_vms": sum(|h| h.servers),
        "current_workload": 0,
    }}))
    .into_response())
}

/// Hosts whose name has `pattern` in it (before 2.53).
pub(crate) async fn search(
    State(app): State<App>,
    version: Microversion,
    Path(pattern): Path<String>,
) -> Result<Response, Error> {
    matching(&app, version, &pattern, false).await
}

/// The same with their servers (before 2.53).
pub(crate) async fn search_servers(
    State(app): State<App>,
    version: Microversion,
    Path(pattern): Path<String>,
) -> Result<Response, Error> {
    matching(&app, version, &pattern, true).await
}

async fn matching(
    app: &App,
    version: Microversion,
    pattern: &str,
    with_servers: bool,
) -> Result<Response, Error> {
    if version.since(53) {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            "since microversion 2.53 use os-hypervisors?hypervisor_hostname_pattern=…",
        ));
    }
    let mut shown = Vec::new();
    for known in all(app)
        .await?
        .iter()
        .filter(|k| k.host.name.as_str().contains(pattern))
    {
        let mut item = brief(known, version);
        if with_servers {
            item["servers"] = servers_on(app, &known.host.name).await?;
        }
        shown.push(item);
    }
    if shown.is_empty() {
        return Err(no_match(pattern));
    }
    Ok(Json(json!({ "hypervisors": shown })).into_response())
}

fn no_match(pattern: &str) -> Error {
    let pattern: String = pattern.chars().take(80).collect();
    Error::new(
        StatusCode::NOT_FOUND,
        format!("No hypervisor matching '{pattern}' could be found."),
    )
}

async fn servers_on(app: &App, host: &HostName) -> Result<Value, Error> {
    let servers = servers::living_on(&app.store, host).await?;
    Ok(servers
        .iter()
        .map(|s| json!({ "name": s.name, "uuid": s.id }))
        .collect())
}

fn id_of(known: &Known, version: Microversion) -> String {
    let name = known.host.name.as_str();
    if version.since(53) {
        hypervisor_uuid(name).to_string()
    } else {
        number(name).to_string()
    }
}

fn brief(known: &Known, version: Microversion) -> Value {
    let name = known.host.name.as_str();
    let id = if version.since(53) {
        json!(hypervisor_uuid(name))
    } else {
        json!(number(name))
    };
    let now = Timestamp::now();
    let up = known
        .service
        .as_ref()
        .is_some_and(|service| service.is_up(now));
    let enabled = known
        .service
        .as_ref()
        .is_some_and(|service| service.enabled);
    json!({
        "id": id,
        "hypervisor_hostname": name,
        "state": if up { "up" } else { "down" },
        "status": if enabled { "enabled" } else { "disabled" },
    })
}

fn full(known: &Known, version: Microversion) -> Value {
    let host = &known.host;
    let mut shown = brief(known, version);
    let service = known.service.as_ref();
    let service_id = service.map(|service| {
        let id = service.id.to_string();
        if version.since(53) {
            json!(id)
        } else {
            json!(number(&id))
        }
    });
    shown["hypervisor_type"] = json!(if host.hypervisor == "fake" {
        "fake"
    } else {
        "QEMU"
    });
    shown["hypervisor_version"] = json!(1_000_000);
    shown["host_ip"] = json!("127.0.0.1");
    shown["service"] = json!({
        "id": service_id,
        "host": host.name,
        "disabled_reason": service.and_then(|service| service.disabled_reason.clone()),
    });
    if version.since(88) {
        shown["uptime"] = Value::Null;
        return shown;
    }
    let free_ram = host.capacity.ram_mib - host.used.ram_mib;
    let free_disk = host.capacity.disk_gib - host.used.disk_gib;
    let more = json!({
        "vcpus": host.capacity.vcpus,
        "vcpus_used": host.used.vcpus,
        "memory_mb": host.capacity.ram_mib,
        "memory_mb_used": host.used.ram_mib,
        "free_ram_mb": free_ram,
        "local_gb": host.capacity.disk_gib,
        "local_gb_used": host.used.disk_gib,
        "free_disk_gb": free_disk,
        "disk_available_least": free_disk,
        "running_vms": host.servers,
        "current_workload": 0,
        // What the machine's CPU can do is not reported; how guests run is.
        "cpu_info": if version.since(28) { json!({ "acceleration": host.hypervisor }) } else { json!("") },
    });
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    shown
}
