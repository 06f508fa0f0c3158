//! What the holes of paths can name, route by route.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use super::things::{Owned, Things};
use crate::http::{Api, route::Route};

/// What kind of thing a route's path names.
pub(super) enum Case {
    /// Something of a project or a user.
    Owned(Request),
    /// Something that all may see; this is the path of one.
    Everyones(&'static str),
    /// Nothing: there are no such things in this cloud, and all are told so alike.
    NotBuilt,
    /// Nobody knows.
    Unknown,
}

/// A request that its owner would make.
pub(super) struct Request {
    prefix: &'static str,
    template: &'static str,
    method: Method,
}

/// What a route's path names, and whose that is.
pub(super) fn case(route: &Route) -> Case {
    let below = |beginning: &str| {
        route.path == beginning || route.path.starts_with(&format!("{beginning}/"))
    };
    let everyones = [
        // A public flavor is everyone's; private ones have a test of their own.
        (Api::Compute, "/flavors/{id}", "/compute/v2.1/flavors/84"),
        (
            Api::Compute,
            "/extensions/{alias}",
            "/compute/v2.1/extensions/x",
        ),
        (
            Api::Network,
            "/extensions/{alias}",
            "/network/v2.0/extensions/quotas",
        ),
        (Api::Image, "/schemas/{name}", "/image/v2/schemas/image"),
        // The limits of a project for which none were set are the same for all.
        (
            Api::Network,
            "/quotas/{project}/default",
            "/network/v2.0/quotas/x/default",
        ),
        // The catalog, and the words that roles and domains are.
        (Api::Identity, "/services/{id}", "/identity/v3/services/x"),
        (Api::Identity, "/endpoints/{id}", "/identity/v3/endpoints/x"),
        (
            Api::Identity,
            "/regions/{id}",
            "/identity/v3/regions/RegionOne",
        ),
        (
            Api::Identity,
            "/domains/{id}",
            "/identity/v3/domains/default",
        ),
        (Api::Identity, "/roles/{id}", "/identity/v3/roles/x"),
    ];
    for (api, beginning, path) in everyones {
        if route.api == api && below(beginning) && route.method == Method::GET {
            return Case::Everyones(path);
        }
    }
    let not_built = ["/routers", "/subnetpools", "/network-ip-availabilities"];
    if route.api == Api::Network && not_built.into_iter().any(below) {
        return Case::NotBuilt;
    }
    // What is answered to all alike, because there is no such thing in this cloud yet.
    let absent = [
        (Method::POST, "/servers/{id}/os-volume_attachments"),
        (Method::PUT, "/servers/{id}/tags/{tag}"),
        (Method::PUT, "/servers/{id}/tags"),
        (Method::POST, "/images/{id}/import"),
        (Method::PUT, "/images/{id}/stage"),
        (Method::GET, "/os-simple-tenant-usage/{project}"),
    ];
    if absent.contains(&(route.method.clone(), route.path)) {
        return Case::NotBuilt;
    }
    let owned = [
        (Api::Compute, "/servers/{id}"),
        (Api::Compute, "/os-keypairs/{name}"),
        (Api::Compute, "/os-quota-sets/{project}"),
        (Api::Image, "/images/{id}"),
        (Api::Network, "/networks/{id}"),
        (Api::Network, "/subnets/{id}"),
        (Api::Network, "/ports/{id}"),
        (Api::Network, "/security-groups/{id}"),
        (Api::Network, "/security-group-rules/{id}"),
        (Api::Network, "/floatingips/{id}"),
        (Api::Compute, "/os-floating-ips/{id}"),
        (Api::Compute, "/os-security-groups/{id}"),
        (Api::Compute, "/os-security-group-rules/{id}"),
        (Api::Network, "/quotas/{project}"),
        (Api::Identity, "/users/{id}"),
        (Api::Identity, "/projects/{id}"),
        (Api::Operator, "/skybus/v1/servers/{id}"),
    ];
    if owned
        .into_iter()
        .any(|(api, beginning)| route.api == api && below(beginning))
    {
        return Case::Owned(Request {
            prefix: route.api.prefix(),
            template: route.path,
            method: route.method.clone(),
        });
    }
    Case::Unknown
}

/// The path of a route with what nobody has in its holes.
pub(super) fn of_nobody(route: &Route) -> String {
    let fill = |part: &'static str| if part.starts_with('{') { "x" } else { part };
    let parts: Vec<&str> = route.path.split('/').map(fill).collect();
    format!("{}{}", route.api.prefix(), parts.join("/"))
}

impl Request {
    /// The path that names what is the owner's.
    pub(super) fn path(&self, owned: &Owned) -> String {
        let mut before = "";
        let parts: Vec<String> = self
            .template
            .split('/')
            .map(|part| {
                let filled = hole(before, part, owned);
                before = part;
                filled
            })
            .collect();
        format!("{}{}", self.prefix, parts.join("/"))
    }

    /// The token of whoever may do it.
    pub(super) fn owner<'a>(&self, things: &'a Things) -> &'a str {
        match (self.method.as_str(), self.template) {
            // Whether a shared image is taken is up to its member.
            ("PUT", "/images/{id}/members/{member}") => &things.admin,
            _ => &things.demo,
        }
    }

    /// The whole request, by whoever has this token.
    pub(super) fn signed(&self, token: &str, owned: &Owned) -> http::Request<Body> {
        let content_type = match (self.method.as_str(), self.template) {
            ("PATCH", "/images/{id}") => "application/openstack-images-v2.1-json-patch",
            ("PUT", "/images/{id}/file") => "application/octet-stream",
            _ => "application/json",
        };
        // Some calls ended with this microversion.
        let older = ["/os-floating-ips", "/os-security-group"];
        let version = match older.iter().any(|older| self.template.starts_with(older)) {
            true => "compute 2.35",
            false => "compute 2.96",
        };
        let body = match self.body(owned) {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        http::Request::builder()
            .method(&self.method)
            .uri(self.path(owned))
            .header("x-auth-token", token)
            .header("content-type", content_type)
            .header("openstack-api-version", version)
            .body(body)
            .unwrap()
    }

    /// A body that the owner could send.
    fn body(&self, owned: &Owned) -> Value {
        match (self.method.as_str(), self.template) {
            ("PUT", "/servers/{id}") => json!({ "server": { "name": "mine-now" } }),
            ("POST", "/servers/{id}/action") => json!({ "os-getConsoleOutput": {} }),
            ("POST" | "PUT", "/servers/{id}/metadata") => json!({ "metadata": { "a": "b" } }),
            ("PUT", "/servers/{id}/metadata/{key}") => json!({ "meta": { "key": "b" } }),
            ("POST", "/servers/{id}/os-interface") => json!({ "interfaceAttachment": {} }),
            ("PUT", "/os-quota-sets/{project}") => json!({ "quota_set": { "cores": 7 } }),
            ("PUT", "/quotas/{project}") => json!({ "quota": { "port": 7 } }),
            ("PATCH", "/images/{id}") => {
                json!([{ "op": "replace", "path": "/name", "value": "mine-now" }])
            }
            ("POST", "/images/{id}/members") => json!({ "member": owned.stranger_project }),
            ("PUT", "/images/{id}/members/{member}") => json!({ "status": "accepted" }),
            ("PUT", "/networks/{id}") => json!({ "network": { "name": "mine-now" } }),
            ("PUT", "/subnets/{id}") => json!({ "subnet": { "name": "mine-now" } }),
            ("PUT", "/ports/{id}") => json!({ "port": { "name": "mine-now" } }),
            ("PUT", "/floatingips/{id}") => json!({ "floatingip": { "description": "mine now" } }),
            ("PUT", "/os-security-groups/{id}") => {
                json!({ "security_group": { "name": "mine-now", "description": "" } })
            }
            ("PUT", "/security-groups/{id}") => {
                json!({ "security_group": { "name": "mine-now" } })
            }
            ("POST", "/users/{id}/password") => {
                json!({ "user": { "password": "a-new-one", "original_password": "wrong" } })
            }
            ("PATCH", "/users/{id}") => json!({ "user": { "description": "mine now" } }),
            ("PATCH", "/projects/{id}") => json!({ "project": { "description": "mine now" } }),
            _ => Value::Null,
        }
    }
}

/// What stands at one place of a path.
fn hole(before: &str, part: &str, owned: &Owned) -> String {
    match (before, part) {
        ("servers", "{id}") => &owned.server,
        ("os-interface", "{port}") => &owned.servers_port,
        ("os-instance-actions", "{request}") => &owned.request,
        ("ips", "{network}") => &owned.network_name,
        ("os-keypairs", "{name}") => &owned.keypair,
        ("images", "{id}") => &owned.image,
        ("members", "{member}") => &owned.member,
        ("networks", "{id}") => &owned.network,
        ("subnets", "{id}") => &owned.subnet,
        ("ports", "{id}") => &owned.port,
        ("security-groups" | "os-security-groups", "{id}") => &owned.group,
        ("security-group-rules" | "os-security-group-rules", "{id}") => &owned.rule,
        ("floatingips" | "os-floating-ips", "{id}") => &owned.floating,
        ("users", "{id}" | "{user}") => &owned.user,
        (_, "{project}") | ("projects", "{id}") => &owned.project,
        ("metadata", "{key}") => return "key".to_owned(),
        ("tags", "{tag}") => return "tag".to_owned(),
        ("roles", "{role}") => &owned.role,
        (_, other) => return other.to_owned(),
    }
    .clone()
}
