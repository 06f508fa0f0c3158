//! Bad input: each case with the status and a piece of the message, and nothing left half done.

use http::Method;
use serde_json::{Value, json};

use super::{cloud::Cloud, on_both};

on_both! {
    bad_boots_are_refused
    other_bad_input_is_refused
    a_server_that_cannot_get_its_address_leaves_nothing
}

/// More or other fields of a boot, the microversion, and what is answered.
type Boot = (Value, &'static str, u16, &'static str);

fn boots(cloud: &Cloud) -> Vec<Boot> {
    let random = "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";
    let long = "x".repeat(256);
    let too_much = "QUFB".repeat(16_384);
    let old = "2.1";
    vec![
        (
            json!({ "name": "" }),
            old,
            400,
            "server.name: it has 0 characters; 1 to 255",
        ),
        (
            json!({ "name": long }),
            old,
            400,
            "server.name: it has 256 characters; 1 to 255",
        ),
        (
            json!({ "name": null }),
            old,
            400,
            "server.name: it is required",
        ),
        (json!({ "name": "  " }), old, 400, "blanks alone"),
        (
            json!({ "name": " vm" }),
            old,
            400,
            "begin or end with a blank",
        ),
        (json!({ "name": "a\u{7}b" }), old, 400, "control characters"),
        (
            json!({ "name": ["x"] }),
            old,
            400,
            "must be a text, not a list",
        ),
        (
            json!({ "flavorRef": "nope" }),
            old,
            400,
            "Flavor nope could not be found",
        ),
        (
            json!({ "flavorRef": null }),
            old,
            400,
            "server.flavorRef: it is required",
        ),
        (
            json!({ "flavorRef": {} }),
            old,
            400,
            "server.flavorRef: it must be a flavor's id",
        ),
        (
            json!({ "imageRef": null }),
            old,
            400,
            "server.imageRef: it is required",
        ),
        (
            json!({ "imageRef": "debian" }),
            old,
            400,
            "server.imageRef: it must be an image's id",
        ),
        (
            json!({ "imageRef": random }),
            old,
            400,
            "Image 4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b could",
        ),
        (
            json!({ "imageRef": cloud.eves_image }),
            old,
            400,
            "could not be found",
        ),
        (
            json!({ "imageRef": cloud.queued_image }),
            old,
            400,
            "is not active (it is queued)",
        ),
        (
            json!({ "imageRef": cloud.large_image }),
            old,
            400,
            "Flavor's disk is too small",
        ),
        (
            json!({ "key_name": "nokey" }),
            old,
            400,
            "Invalid key_name provided",
        ),
        (
            json!({ "key_name": 5 }),
            old,
            400,
            "server.key_name: it must be a text",
        ),
        (
            json!({ "security_groups": [{ "name": "nope" }] }),
            old,
            400,
            "Security group nope not found",
        ),
        (
            json!({ "security_groups": "default" }),
            old,
            400,
            "server.security_groups: it must be a list",
        ),
        (
            json!({ "security_groups": [{}] }),
            old,
            400,
            "security_groups.0.name: it is required",
        ),
        (
            json!({ "user_data": "not base64!" }),
            old,
            400,
            "server.user_data: it must be base64",
        ),
        (
            json!({ "user_data": too_much }),
            old,
            400,
            "0 to 65535 are allowed",
        ),
        (
            json!({ "config_drive": "maybe" }),
            old,
            400,
            "server.config_drive",
        ),
        (
            json!({ "metadata": { "k": 5 } }),
            old,
            400,
            "server.metadata.k: a value must be a text",
        ),
        (
            json!({ "metadata": { "k": "v".repeat(256) } }),
            old,
            400,
            "0 to 255 are allowed",
        ),
        (
            json!({ "metadata": { "k".repeat(256): "v" } }),
            old,
            400,
            "1 to 255 are allowed",
        ),
        (
            json!({ "metadata": { "a/b": "v" } }),
            old,
            400,
            "a key may have letters",
        ),
        (
            json!({ "metadata": [] }),
            old,
            400,
            "server.metadata: it must be an object",
        ),
        (
            json!({ "metadata": many(129) }),
            old,
            403,
            "metadata_items: Requested 129",
        ),
        (
            json!({ "min_count": 0 }),
            old,
            400,
            "server.min_count: 0 was given",
        ),
        (
            json!({ "min_count": "two" }),
            old,
            400,
            "whole number from 1",
        ),
        (
            json!({ "min_count": 3, "max_count": 2 }),
            old,
            400,
            "min_count must be <= max_count",
        ),
        (
            json!({ "max_count": 100_000 }),
            old,
            400,
            "server.max_count",
        ),
        (
            json!({ "min_count": 11 }),
            old,
            403,
            "Requested 11, but already used 0 of 10 instances",
        ),
        (
            json!({ "flavorRef": "5", "min_count": 3 }),
            old,
            403,
            "24, but already used 0 of 20 cores",
        ),
        (
            json!({ "availability_zone": "mars" }),
            old,
            400,
            "zone mars is not available",
        ),
        (
            json!({ "availability_zone": "nova:node-1" }),
            old,
            403,
            "naming a host needs the role admin",
        ),
        (
            json!({ "availability_zone": "nova:No Host" }),
            old,
            400,
            "cannot be a host's name",
        ),
        (
            json!({ "networks": [{ "uuid": random }] }),
            old,
            400,
            "Network 4f3c2a5e",
        ),
        (
            json!({ "networks": [{ "uuid": "flat" }] }),
            old,
            400,
            "networks.0.uuid",
        ),
        (
            json!({ "networks": [{}] }),
            old,
            400,
            "networks.0.uuid: it is required",
        ),
        (
            json!({ "networks": [{ "port": random }] }),
            old,
            400,
            "Port 4f3c2a5e",
        ),
        (
            json!({ "networks": [{ "port": cloud.eves_port }] }),
            old,
            400,
            "could not be found",
        ),
        (
            json!({ "networks": "auto" }),
            old,
            400,
            "server.networks: it must be a list",
        ),
        (
            json!({ "networks": "all" }),
            "2.37",
            400,
            "a list, \"auto\" or \"none\"",
        ),
        (
            json!({}),
            "2.37",
            400,
            "server.networks: it is required since microversion 2.37",
        ),
        (
            json!({ "networks": [{ "uuid": cloud.network, "fixed_ip": "10.1.0" }] }),
            old,
            400,
            "is not an IPv4 address",
        ),
        (
            json!({ "networks": [{ "uuid": cloud.network, "fixed_ip": "10.1.0.9" }], "min_count": 2 }),
            old,
            400,
            "a fixed IP cannot be given to several servers",
        ),
        (json!({ "adminPass": "" }), old, 400, "server.adminPass"),
        (
            json!({ "OS-DCF:diskConfig": "auto" }),
            old,
            400,
            "one of AUTO, MANUAL",
        ),
        (
            json!({ "description": "x" }),
            old,
            400,
            "understood since microversion 2.19",
        ),
        (
            json!({ "hostname": "a.b", "networks": "auto" }),
            "2.90",
            400,
            "server.hostname",
        ),
        (
            json!({ "tags": ["a"], "networks": "auto" }),
            "2.52",
            400,
            "not built that yet; use metadata",
        ),
        (
            json!({ "personality": [{ "path": "/a", "contents": "" }] }),
            old,
            400,
            "user_data",
        ),
        (
            json!({ "block_device_mapping_v2": [{ "source_type": "volume", "uuid": random }] }),
            old,
            400,
            "volumes and further disks are not built yet",
        ),
        (
            json!({ "os:scheduler_hints": { "group": random } }),
            old,
            400,
            "not built that yet",
        ),
        (
            json!({ "colour": "red" }),
            old,
            400,
            "server.colour: no such field is known",
        ),
        (json!({}), "2.97", 406, "the range is 2.1 to 2.96"),
        (json!({}), "two", 400, "malformed"),
    ]
}

fn many(count: usize) -> Value {
    (0..count)
        .map(|n| (format!("k{n}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

async fn bad_boots_are_refused(cloud: &Cloud) {
    cloud.a_host().await;
    let before = cloud.rows().await;
    for (more, version, status, piece) in boots(cloud) {
        let said: String = more.to_string().chars().take(120).collect();
        let body = cloud.boot_body(more);
        let answer = cloud
            .ask(&cloud.demo, version, Method::POST, "/servers", body)
            .await;
        check(&said, &answer, status, piece);
    }
    assert_eq!(cloud.rows().await, before);
}

fn check(said: &str, answer: &crate::testing::Answer, status: u16, piece: &str) {
    assert_eq!(answer.status.as_u16(), status, "{said}: {:?}", answer.body);
    let inner = answer
        .body
        .as_object()
        .and_then(|body| body.values().next());
    let inner = inner.unwrap_or_else(|| panic!("{said}: {:?}", answer.body));
    let message = inner["message"].as_str().unwrap_or_default();
    assert!(
        message.contains(piece),
        "{said}: {message:?} does not say {piece:?}"
    );
    assert_eq!(inner["code"], status, "{said}");
}

/// Method, path, body, microversion, and what is answered. `ID` is a server that runs.
type Other = (Method, &'static str, Value, &'static str, u16, &'static str);

fn others() -> Vec<Other> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let old = "2.1";
    let act =
        |body: Value, status, piece| (Method::POST, "/servers/ID/action", body, old, status, piece);
    let key = |more: Value, version, status, piece| {
        (
            Method::POST,
            "/os-keypairs",
            json!({ "keypair": more }),
            version,
            status,
            piece,
        )
    };
    let list =
        |query: &'static str, status, piece| (Method::GET, query, Value::Null, old, status, piece);
    vec![
        (
            post.clone(),
            "/servers",
            json!([]),
            old,
            400,
            "it must be an object with \"server\"",
        ),
        (
            post.clone(),
            "/servers",
            json!({}),
            old,
            400,
            "server: it is required",
        ),
        (
            post.clone(),
            "/servers",
            json!({ "server": "x" }),
            old,
            400,
            "it must be an object, not a text",
        ),
        (post.clone(), "/servers", Value::Null, old, 400, "no body"),
        (
            get.clone(),
            "/servers/nonsense",
            Value::Null,
            old,
            404,
            "nonsense could not be found",
        ),
        (
            delete.clone(),
            "/servers/4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b",
            Value::Null,
            old,
            404,
            "could not",
        ),
        (
            put.clone(),
            "/servers/ID",
            json!({ "server": { "name": "" } }),
            old,
            400,
            "server.name",
        ),
        (
            put.clone(),
            "/servers/ID",
            json!({ "server": { "name": null } }),
            old,
            400,
            "must have a name",
        ),
        (
            put.clone(),
            "/servers/ID",
            json!({ "server": { "status": "x" } }),
            old,
            400,
            "server.status",
        ),
        (
            put.clone(),
            "/servers/ID",
            json!({ "server": { "description": "x" } }),
            old,
            400,
            "2.19",
        ),
        act(json!({}), 400, "exactly one field"),
        act(
            json!({ "os-start": null, "os-stop": null }),
            400,
            "exactly one field",
        ),
        act(
            json!({ "dance": null }),
            400,
            "There is no such action: dance",
        ),
        act(
            json!({ "resize": { "flavorRef": "2" } }),
            400,
            "resize is not built yet",
        ),
        act(
            json!({ "createBackup": {} }),
            400,
            "createBackup is not built yet",
        ),
        act(
            json!({ "rebuild": { "imageRef": "x" } }),
            400,
            "rebuild is not built yet",
        ),
        act(json!({ "reboot": {} }), 400, "reboot.type: it is required"),
        act(
            json!({ "reboot": { "type": "MEDIUM" } }),
            400,
            "it must be SOFT or HARD",
        ),
        act(json!({ "reboot": null }), 400, "reboot: it is required"),
        act(json!({ "os-start": null }), 409, "Cannot 'start' instance"),
        act(
            json!({ "os-getConsoleOutput": { "length": "all" } }),
            400,
            "os-getConsoleOutput.length",
        ),
        act(
            json!({ "addSecurityGroup": {} }),
            400,
            "addSecurityGroup.name: it is required",
        ),
        act(
            json!({ "addSecurityGroup": { "name": "nope" } }),
            404,
            "nope could not be found",
        ),
        act(
            json!({ "os-resetState": { "state": "happy" } }),
            400,
            "one of active, error",
        ),
        act(
            json!({ "os-resetState": { "state": "error" } }),
            403,
            "needs the role admin",
        ),
        (
            post.clone(),
            "/servers/ID/metadata",
            json!({ "meta": {} }),
            old,
            400,
            "metadata: it is required",
        ),
        (
            post.clone(),
            "/servers/ID/metadata",
            json!({ "metadata": many(129) }),
            old,
            403,
            "129",
        ),
        (
            put.clone(),
            "/servers/ID/metadata/a",
            json!({ "meta": { "b": "c" } }),
            old,
            400,
            "\"a\"",
        ),
        (
            get.clone(),
            "/servers/ID/metadata/none",
            Value::Null,
            old,
            404,
            "none could not be found",
        ),
        (
            post.clone(),
            "/servers/ID/os-interface",
            json!({}),
            old,
            400,
            "not built yet",
        ),
        (
            get.clone(),
            "/servers/ID/diagnostics",
            Value::Null,
            old,
            400,
            "not built yet",
        ),
        (
            get.clone(),
            "/os-simple-tenant-usage",
            Value::Null,
            old,
            404,
            "not built yet",
        ),
        list("/servers?limit=-1", 400, "limit"),
        list("/servers?limit=many", 400, "limit"),
        list(
            "/servers?marker=4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b",
            400,
            "marker",
        ),
        list(
            "/servers?sort_key=colour",
            400,
            "cannot be sorted by \"colour\"",
        ),
        list("/servers?sort_key=uuid&sort_dir=up", 400, "asc or desc"),
        list("/servers?status=HAPPY", 400, "status"),
        list("/servers?status=deleted", 403, "administrators"),
        list(
            "/servers?changes-since=yesterday",
            400,
            "2026-11-22T10:20:30Z",
        ),
        list("/servers?name=%5Bx", 400, "regular expression"),
        list("/servers?all_tenants=maybe", 400, "all_tenants"),
        list("/servers?all_tenants=1", 403, "needs the role admin"),
        list("/flavors?minRam=lots", 400, "minRam"),
        list("/flavors/none", 404, "Flavor none could not be found"),
        list("/os-quota-sets/nobody", 404, "nobody could not be found"),
        key(json!({}), old, 400, "keypair.name: it is required"),
        key(json!({ "name": "a/b" }), old, 400, "keypair.name"),
        key(
            json!({ "name": "k", "public_key": "ssh-rsa zzz" }),
            old,
            400,
            "keypair.public_key",
        ),
        key(
            json!({ "name": "k", "public_key": "hello" }),
            old,
            400,
            "is not a kind of key",
        ),
        key(
            json!({ "name": "k", "type": "ssh" }),
            old,
            400,
            "keypair.type: no such field",
        ),
        key(
            json!({ "name": "k", "type": "x509" }),
            "2.2",
            400,
            "x509 is not built yet",
        ),
        key(
            json!({ "name": "k" }),
            "2.92",
            400,
            "required since microversion 2.92",
        ),
        (
            delete,
            "/os-keypairs/none",
            Value::Null,
            old,
            404,
            "Keypair none could not be found",
        ),
        (
            put,
            "/servers/ID/tags",
            json!({ "tags": [] }),
            "2.26",
            400,
            "not built yet",
        ),
        (get, "/no-such-thing", Value::Null, old, 404, "nothing at"),
        (
            post,
            "/servers/ID",
            json!({}),
            old,
            405,
            "POST cannot be used here",
        ),
    ]
}

fn of_operators() -> Vec<Other> {
    let flavor = |more: Value, piece| {
        let mut flavor = json!({ "name": "f", "ram": 64, "vcpus": 1, "disk": 1 });
        if let (Value::Object(flavor), Value::Object(more)) = (&mut flavor, more) {
            flavor.extend(more);
        }
        (
            Method::POST,
            "/flavors",
            json!({ "flavor": flavor }),
            "2.1",
            400,
            piece,
        )
    };
    let put = |path: &'static str, body: Value, version, status, piece| {
        (Method::PUT, path, body, version, status, piece)
    };
    let who = json!({ "host": "node-1", "binary": "nova-compute" });
    vec![
        flavor(json!({ "ram": 0 }), "flavor.ram: 0 was given"),
        flavor(json!({ "ram": 1.5 }), "flavor.ram"),
        flavor(json!({ "vcpus": null }), "flavor.vcpus: it is required"),
        flavor(json!({ "disk": -1 }), "flavor.disk"),
        flavor(
            json!({ "swap": 5 }),
            "flavor.swap: further disks are not built yet",
        ),
        flavor(json!({ "id": "a/b" }), "flavor.id"),
        flavor(json!({ "name": "" }), "flavor.name"),
        put(
            "/os-services/disable",
            json!({ "host": "node-1" }),
            "2.1",
            400,
            "binary: it is required",
        ),
        put(
            "/os-services/disable",
            who.clone(),
            "2.53",
            404,
            "since microversion 2.53",
        ),
        put(
            "/os-services/force-down",
            who,
            "2.11",
            400,
            "forced_down: it is required",
        ),
        put(
            "/os-services/nonsense",
            json!({ "status": "enabled" }),
            "2.53",
            404,
            "nonsense",
        ),
        put(
            "/os-services/nonsense",
            json!({}),
            "2.53",
            400,
            "nothing is to be changed",
        ),
        put(
            "/os-services/x",
            json!({ "status": "on" }),
            "2.53",
            400,
            "one of enabled, disabled",
        ),
        put(
            "/os-quota-sets/DEMO",
            json!({ "quota_set": { "beds": 1 } }),
            "2.1",
            400,
            "quota_set.beds",
        ),
        put(
            "/os-quota-sets/DEMO",
            json!({ "quota_set": { "cores": -2 } }),
            "2.1",
            400,
            "from -1 to",
        ),
        put(
            "/os-quota-sets/4f3c2a5e90d14e0e8f5a0c6f9f6c1a7b",
            json!({ "quota_set": { "cores": 1 } }),
            "2.1",
            400,
            "is not a valid project",
        ),
    ]
}

async fn other_bad_input_is_refused(cloud: &Cloud) {
    cloud.a_host().await;
    let id = cloud.boot(&cloud.demo, json!({})).await;
    cloud
        .settle(&id, skybus_model::server::VmState::Active)
        .await;
    let before = cloud.rows().await;
    let of_demo = others().into_iter().map(|case| (&cloud.demo, case));
    let of_admin = of_operators().into_iter().map(|case| (&cloud.admin, case));
    for (token, (method, path, body, version, status, piece)) in of_demo.chain(of_admin) {
        let said = format!("{method} {path} {body}");
        let path = path
            .replace("ID", &id)
            .replace("DEMO", &cloud.demo_project.to_string());
        let answer = cloud.ask(token, version, method, &path, body).await;
        check(&said, &answer, status, piece);
    }
    assert_eq!(cloud.rows().await, before);
}

/// These fail inside the transaction: what was written before them must not stay.
async fn a_server_that_cannot_get_its_address_leaves_nothing(cloud: &Cloud) {
    let at = |ip: &str| json!({ "networks": [{ "uuid": cloud.network, "fixed_ip": ip }] });
    cloud.boot(&cloud.demo, at("10.1.0.9")).await;
    let before = cloud.rows().await;
    for address in ["10.1.0.9", "10.1.0.1", "192.168.0.1"] {
        let body = cloud.boot_body(at(address));
        let answer = cloud
            .ask(&cloud.demo, "2.1", Method::POST, "/servers", body)
            .await;
        check(address, &answer, 409, address);
        assert_eq!(cloud.rows().await, before, "{address}");
    }
}
