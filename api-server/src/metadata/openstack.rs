//! OpenStack's own dialect, `/openstack/latest/…`: a few JSON documents.

use base64::{Engine, prelude::BASE64_STANDARD};
use rand::Rng;
use serde_json::{Map, Value, json};
use skybus_model::server::spec::tap;

use super::{
    facts::{Facts, Interface},
    guest::Text,
};

/// The dates under which the documents are also found.
pub(super) const VERSIONS: &[&str] = &[
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
];

/// The text at a path, if there is one.
pub(super) fn answer(facts: &Facts, parts: &[&str]) -> Option<Text> {
    let (version, rest) = match parts {
        [] => return Some(Text::plain(format!("{}\nlatest", VERSIONS.join("\n")))),
        [version, rest @ ..] => (version, rest),
    };
    if *version != "latest" && !VERSIONS.contains(version) {
        return None;
    }
    match rest {
        [] => Some(Text::plain(names(facts).join("\n"))),
        ["meta_data.json"] => Some(Text::json(&meta_data(facts, false))),
        ["network_data.json"] => Some(Text::json(&network_data(facts))),
        ["vendor_data.json" | "vendor_data2.json"] => Some(Text::json(&json!({}))),
        ["user_data"] => facts.user_data.clone().map(Text::bytes),
        _ => None,
    }
}

fn names(facts: &Facts) -> Vec<&'static str> {
    let mut names = vec![
        "meta_data.json",
        "network_data.json",
        "vendor_data.json",
        "vendor_data2.json",
    ];
    if facts.user_data.is_some() {
        names.push("user_data");
    }
    names
}

/// The document about the server. The administrator's password is only in the one on the config drive:
/// whatever runs in the guest can ask for the other.
pub(super) fn meta_data(facts: &Facts, with_password: bool) -> Value {
    let server = &facts.server;
    let mut seed = [0_u8; 512];
    rand::rng().fill_bytes(&mut seed);
    let mut out = json!({
        "uuid": server.id,
        "name": server.name,
        "hostname": facts.hostname(),
        "launch_index": 0,
        "availability_zone": facts.zone(),
        "project_id": server.project,
        "meta": server.metadata,
        "random_seed": BASE64_STANDARD.encode(seed),
        "devices": [],
        "dedicated_cpus": [],
    });
    let mut more = Map::new();
    if let Some(key) = &server.key_public {
        let name = server.key_name.as_deref().unwrap_or("key");
        let data = format!("{}\n", key.trim_end());
        more.insert("public_keys".to_owned(), json!({ name: data }));
        more.insert(
            "keys".to_owned(),
            json!([{ "name": name, "type": "ssh", "data": data }]),
        );
    }
    if let (true, Some(password)) = (with_password, &server.admin_pass) {
        more.insert("admin_pass".to_owned(), json!(password));
    }
    if let Some(out) = out.as_object_mut() {
        out.append(&mut more);
    }
    out
}

/// The document about the interfaces.
pub(super) fn network_data(facts: &Facts) -> Value {
    let link = |one: &Interface| {
        json!({
            "id": tap(one.port.id),
            "vif_id": one.port.id,
            "type": "bridge",
            "mtu": one.network.mtu,
            "ethernet_mac_address": one.port.mac,
        })
    };
    let network = |(n, one): (usize, &Interface)| {
        json!({
            "id": format!("network{n}"),
            "type": "ipv4_dhcp",
            "link": tap(one.port.id),
            "network_id": one.network.id,
        })
    };
    let services: Vec<Value> = facts
        .interfaces
        .iter()
        .flat_map(|one| &one.subnet.dns)
        .map(|address| json!({ "type": "dns", "address": address }))
        .collect();
    json!({
        "links": facts.interfaces.iter().map(link).collect::<Vec<_>>(),
        "networks": facts.interfaces.iter().enumerate().map(network).collect::<Vec<_>>(),
        "services": services,
    })
}
