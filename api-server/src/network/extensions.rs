//! Which parts of the Network API are there: clients look before they ask.

use serde_json::{Value, json};

use crate::http::{Error, Json, Path};

/// Alias, name, description.
const EXTENSIONS: &[(&str, &str, &str)] = &[
    (
        "security-group",
        "security-group",
        "Groups of rules that guard ports",
    ),
    (
        "port-security",
        "Port Security",
        "Ports are guarded against forged addresses",
    ),
    ("quotas", "Quota management support", "Limits per project"),
    (
        "quota_details",
        "Quota details management support",
        "Limits per project, with use",
    ),
    (
        "binding",
        "Port Binding",
        "Administrators see the host of a port",
    ),
    (
        "provider",
        "Provider Network",
        "Administrators see how a network is made",
    ),
    (
        "network-segment-range",
        "Neutron Network Segment Range",
        "Administrators say which VLANs and VXLANs projects' networks get",
    ),
    ("net-mtu", "Network MTU", "The largest packet of a network"),
    (
        "net-mtu-writable",
        "Network MTU (writable)",
        "The largest packet can be chosen",
    ),
    (
        "project-id",
        "project_id field enabled",
        "project_id beside tenant_id",
    ),
    (
        "standard-attr-description",
        "standard-attr-description",
        "Descriptions",
    ),
    (
        "standard-attr-timestamp",
        "Resource timestamps",
        "created_at and updated_at",
    ),
    (
        "external-net",
        "Neutron external network",
        "The network that floating IPs are addresses of",
    ),
    (
        "fip-port-details",
        "Floating IP Port Details Extension",
        "A floating IP shows the port that it leads to",
    ),
    ("pagination", "Pagination support", "Lists in pages"),
    ("sorting", "Sorting support", "Sorted lists"),
    (
        "filter-validation",
        "Filter parameters validation",
        "Unknown filters are refused",
    ),
    ("agent", "agent", "Administrators see the network workers"),
    (
        "availability_zone",
        "Availability Zone",
        "Zones of the network workers",
    ),
];

fn view(extension: &(&str, &str, &str)) -> Value {
    let (alias, name, description) = extension;
    json!({
        "alias": alias,
        "name": name,
        "description": description,
        "updated": "2026-01-01T00:00:00-00:00",
        "links": [],
    })
}

/// All of them.
pub(super) async fn list() -> Json<Value> {
    Json(json!({ "extensions": EXTENSIONS.iter().map(view).collect::<Vec<_>>() }))
}

/// One of them.
pub(super) async fn show(Path(alias): Path<String>) -> Result<Json<Value>, Error> {
    let found = EXTENSIONS.iter().find(|(known, ..)| *known == alias);
    let found = found.ok_or_else(|| Error::not_found("extension", alias))?;
    Ok(Json(json!({ "extension": view(found) })))
}
