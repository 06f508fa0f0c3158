//! How a server is shown, in every microversion.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha224};
use skybus_model::{
    Timestamp,
    id::{ProjectId, ServerId},
    server::{ServerState, Task, VmState},
};
use skybus_store::{networks::ports::Address, servers::Server};

use crate::http::{Auth, Microversion};

/// What a server is shown with, beside its row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    /// Its addresses, in the order of its interfaces.
    pub(crate) addresses: Vec<Address>,
    /// The names of its security groups.
    pub(crate) groups: Vec<String>,
    /// The zone that its host is in.
    pub(crate) zone: Option<String>,
    /// `UP`, `DOWN`, `MAINTENANCE`, or nothing without a host.
    pub(crate) host_status: &'static str,
}

/// Who looks, and in which version.
#[derive(Debug, Clone)]
pub(crate) struct Lens {
    /// The public address, without a path.
    pub(crate) base: String,
    /// The microversion.
    pub(crate) version: Microversion,
    /// Whether hosts are shown.
    pub(crate) admin: bool,
}

impl Lens {
    /// The lens of this caller.
    pub(crate) fn new(app: &crate::app::App, auth: &Auth, version: Microversion) -> Self {
        Self {
            base: app.public(""),
            version,
            admin: auth.is_admin(),
        }
    }

    /// The links of one thing of a collection.
    pub(crate) fn links(&self, collection: &str, id: &str) -> Value {
        json!([
            { "rel": "self", "href": format!("{}/compute/v2.1/{collection}/{id}", self.base) },
            { "rel": "bookmark", "href": format!("{}/compute/{collection}/{id}", self.base) },
        ])
    }

    fn bookmark(&self, collection: &str, id: &str) -> Value {
        let href = format!("{}/compute/{collection}/{id}", self.base);
        json!({ "id": id, "links": [{ "rel": "bookmark", "href": href }] })
    }
}

/// A server in short, for `GET /servers`: it is written as it is, because lists of names are long.
#[derive(Debug, Serialize)]
pub(crate) struct Brief {
    id: ServerId,
    name: String,
    links: [Link; 2],
}

#[derive(Debug, Serialize)]
struct Link {
    rel: &'static str,
    href: String,
}

/// A server in short.
pub(crate) fn brief(lens: &Lens, id: ServerId, name: &str) -> Brief {
    let base = &lens.base;
    let link = |rel, href| Link { rel, href };
    Brief {
        id,
        name: name.to_owned(),
        links: [
            link("self", format!("{base}/compute/v2.1/servers/{id}")),
            link("bookmark", format!("{base}/compute/servers/{id}")),
        ],
    }
}

/// A server in full.
pub(crate) fn full(lens: &Lens, server: &Server, beside: &Beside) -> Value {
    let mut shown = standard(lens, server, beside);
    extended(lens, server, beside, &mut shown);
    if lens.admin {
        for_operators(lens, server, beside, &mut shown);
    }
    newer(lens, server, beside, &mut shown);
    Value::Object(shown)
}

fn standard(lens: &Lens, server: &Server, beside: &Beside) -> Map<String, Value> {
    let id = server.id.to_string();
    let mut shown = Map::new();
    let mut put = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    put("id", json!(id));
    put("name", json!(server.name));
    put("status", json!(status(server.state)));
    put("tenant_id", json!(server.project));
    put("user_id", json!(server.owner));
    put("metadata", json!(server.metadata));
    let host = server.host.as_ref();
    let hashed = host.map(|host| host_id(server.project, host.as_str()));
    put("hostId", json!(hashed.unwrap_or_default()));
    put("image", lens.bookmark("images", &server.image.to_string()));
    put("flavor", flavor(lens, server));
    put("created", json!(server.created_at.iso_seconds()));
    put("updated", json!(server.updated_at.iso_seconds()));
    put("addresses", addresses(&beside.addresses));
    put("accessIPv4", json!(""));
    put("accessIPv6", json!(""));
    put("links", lens.links("servers", &id));
    if matches!(server.state.vm, VmState::Building | VmState::Active) {
        let done = server.state.vm == VmState::Active;
        put("progress", json!(if done { 100 } else { 0 }));
    }
    if let (VmState::Error | VmState::Deleted, Some(fault)) = (server.state.vm, &server.fault) {
        let at = server.fault_at.unwrap_or(server.updated_at);
        let mut said =
            json!({ "code": 500, "created": at.iso_seconds(), "message": fault.message });
        // Beside what Nova says: stock clients pass over a key that they do not know.
        said["skybus:code"] = json!(fault.code);
        if lens.admin {
            said["details"] = json!(format!("[{}] {}", fault.code, fault.details));
        }
        put("fault", said);
    }
    shown
}

fn extended(lens: &Lens, server: &Server, beside: &Beside, shown: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    put("OS-DCF:diskConfig", json!("MANUAL"));
    put(
        "config_drive",
        json!(if server.config_drive { "True" } else { "" }),
    );
    put("key_name", json!(server.key_name));
    let asked = asked_zone(server);
    put(
        "OS-EXT-AZ:availability_zone",
        json!(beside.zone.as_deref().or(asked).unwrap_or("")),
    );
    put("OS-EXT-STS:vm_state", json!(server.state.vm.as_str()));
    put(
        "OS-EXT-STS:task_state",
        json!(server.state.task.map(Task::as_str)),
    );
    put("OS-EXT-STS:power_state", json!(server.power.nova_number()));
    put("os-extended-volumes:volumes_attached", json!([]));
    put(
        "OS-SRV-USG:launched_at",
        json!(server.launched_at.map(Timestamp::iso_micros)),
    );
    put(
        "OS-SRV-USG:terminated_at",
        json!(server.deleted_at.map(Timestamp::iso_micros)),
    );
    if !beside.groups.is_empty() {
        let groups: Vec<_> = beside
            .groups
            .iter()
            .map(|name| json!({ "name": name }))
            .collect();
        put("security_groups", json!(groups));
    }
    if lens.version.since(90) {
        put("OS-EXT-SRV-ATTR:hostname", json!(server.hostname));
    }
}

fn for_operators(lens: &Lens, server: &Server, beside: &Beside, shown: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Value| shown.insert(format!("OS-EXT-SRV-ATTR:{key}"), value);
    put("host", json!(server.host));
    put("hypervisor_hostname", json!(server.host));
    let id = server.id.uuid().simple().to_string();
    put(
        "instance_name",
        json!(format!("instance-{}", id.get(..8).unwrap_or(&id))),
    );
    if lens.version.since(3) {
        put("hostname", json!(server.hostname));
        put(
            "reservation_id",
            json!(format!("r-{}", id.get(..8).unwrap_or(&id))),
        );
        put("launch_index", json!(0));
        put("root_device_name", json!("/dev/vda"));
        put("user_data", json!(server.user_data));
        put("kernel_id", json!(""));
        put("ramdisk_id", json!(""));
    }
    if lens.version.since(16) {
        shown.insert("host_status".to_owned(), json!(beside.host_status));
    }
}

fn newer(lens: &Lens, server: &Server, _: &Beside, shown: &mut Map<String, Value>) {
    let since = [
        (9, "locked", json!(false)),
        (19, "description", json!(server.description)),
        (26, "tags", json!([])),
        (63, "trusted_image_certificates", Value::Null),
        (73, "locked_reason", Value::Null),
        (96, "pinned_availability_zone", json!(asked_zone(server))),
    ];
    for (minor, key, value) in since {
        if lens.version.since(minor) {
            shown.insert(key.to_owned(), value);
        }
    }
}

/// The word that clients show; a server that is being deleted says so.
pub(crate) const fn status(state: ServerState) -> &'static str {
    state.status()
}

/// The zone that its owner asked for. Behind a colon stands the host that an administrator asked for.
pub(crate) fn asked_zone(server: &Server) -> Option<&str> {
    server
        .zone
        .as_deref()
        .map(|z| z.split(':').next().unwrap_or(z))
        .filter(|z| !z.is_empty())
}

/// Tells whether two servers of one project share a host, and nothing else.
pub(crate) fn host_id(project: ProjectId, host: &str) -> String {
    hex::encode(Sha224::digest(format!("{project}{host}")))
}

fn flavor(lens: &Lens, server: &Server) -> Value {
    let flavor = &server.flavor;
    if !lens.version.since(47) {
        return lens.bookmark("flavors", &flavor.id);
    }
    json!({
        "original_name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "ephemeral": flavor.ephemeral,
        "swap": flavor.swap,
        "extra_specs": flavor.extra_specs,
    })
}

/// Addresses by the name of their network.
pub(crate) fn addresses(addresses: &[Address]) -> Value {
    let mut networks: Map<String, Value> = Map::new();
    for address in addresses {
        let list = networks
            .entry(address.network.clone())
            .or_insert_with(|| json!([]));
        let Value::Array(list) = list else { continue };
        let fixed = std::iter::once((&address.address, "fixed"));
        let floating = address.floating.iter().map(|one| (one, "floating"));
        list.extend(fixed.chain(floating).map(|(at, kind)| {
            json!({
                "version": 4,
                "addr": at,
                "OS-EXT-IPS:type": kind,
                "OS-EXT-IPS-MAC:mac_addr": address.mac,
            })
        }));
    }
    Value::Object(networks)
}

/// What stands beside each of many servers, by its id.
pub(crate) type BesideAll = HashMap<ServerId, Beside>;
