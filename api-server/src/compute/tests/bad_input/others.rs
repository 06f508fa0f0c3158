//! Other requests that are refused: tables that are read by columns.

use http::Method;
use serde_json::{Value, json};

use super::boots::many;

const NOBODYS: &str = "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";

/// Method, path, body, microversion, and what is answered. `ID` is a server that runs.
pub(super) type Other = (Method, &'static str, Value, &'static str, u16, &'static str);

#[rustfmt::skip]
pub(super) fn others() -> Vec<Other> {
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
    let plug = |more: Value, status, piece| {
        let body = json!({ "interfaceAttachment": more });
        (Method::POST, "/servers/ID/os-interface", body, old, status, piece)
    };
    let list =
        |query: &'static str, status, piece| (Method::GET, query, Value::Null, old, status, piece);
    vec![
        (post.clone(), "/servers", json!([]), old, 400, "it must be an object with \"server\""),
        (post.clone(), "/servers", json!({}), old, 400, "server: it is required"),
        (post.clone(), "/servers", json!({ "server": "x" }), old, 400, "it must be an object, not a text"),
        (post.clone(), "/servers", Value::Null, old, 400, "no body"),
        (get.clone(), "/servers/nonsense", Value::Null, old, 404, "nonsense could not be found"),
        (delete.clone(), "/servers/4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b", Value::Null, old, 404, "could not"),
        (put.clone(), "/servers/ID", json!({ "server": { "name": "" } }), old, 400, "server.name"),
        (put.clone(), "/servers/ID", json!({ "server": { "name": null } }), old, 400, "must have a name"),
        (put.clone(), "/servers/ID", json!({ "server": { "status": "x" } }), old, 400, "server.status"),
        (put.clone(), "/servers/ID", json!({ "server": { "description": "x" } }), old, 400, "2.19"),
        act(json!({}), 400, "exactly one field"),
        act(json!({ "os-start": null, "os-stop": null }), 400, "exactly one field"),
        act(json!({ "dance": null }), 400, "There is no such action: dance"),
        act(json!({ "resize": { "flavorRef": "2" } }), 400, "resize is not built yet"),
        act(json!({ "createBackup": {} }), 400, "createBackup is not built yet"),
        act(json!({ "rebuild": { "imageRef": "x" } }), 400, "rebuild is not built yet"),
        act(json!({ "reboot": {} }), 400, "reboot.type: it is required"),
        act(json!({ "reboot": { "type": "MEDIUM" } }), 400, "it must be SOFT or HARD"),
        act(json!({ "reboot": null }), 400, "reboot: it is required"),
        act(json!({ "os-start": null }), 409, "Cannot 'start' instance"),
        act(json!({ "os-getConsoleOutput": { "length": "all" } }), 400, "os-getConsoleOutput.length"),
        act(json!({ "addSecurityGroup": {} }), 400, "addSecurityGroup.name: it is required"),
        act(json!({ "addSecurityGroup": { "name": "nope" } }), 404, "nope could not be found"),
        act(json!({ "os-resetState": { "state": "happy" } }), 400, "one of active, error"),
        act(json!({ "os-resetState": { "state": "error" } }), 403, "needs the role admin"),
        (post.clone(), "/servers/ID/metadata", json!({ "meta": {} }), old, 400, "metadata: it is required"),
        (post.clone(), "/servers/ID/metadata", json!({ "metadata": many(129) }), old, 403, "129"),
        (put.clone(), "/servers/ID/metadata/a", json!({ "meta": { "b": "c" } }), old, 400, "\"a\""),
        (get.clone(), "/servers/ID/metadata/none", Value::Null, old, 404, "none could not be found"),
        plug(json!({ "net_id": 5 }), 400, "interfaceAttachment.net_id: it must be a text"),
        plug(json!({ "net_id": "flat" }), 400, "interfaceAttachment.net_id"),
        plug(json!({ "net_id": NOBODYS }), 404, "there is no network"),
        plug(json!({ "port_id": NOBODYS }), 404, "there is no port"),
        plug(json!({ "port_id": NOBODYS, "net_id": NOBODYS }), 400, "not both"),
        plug(json!({ "fixed_ips": [{ "ip_address": "10.1.0.9" }] }), 400, "give its net_id"),
        plug(json!({ "net_id": NOBODYS, "fixed_ips": [] }), 400, "exactly one element"),
        plug(json!({ "net_id": NOBODYS, "fixed_ips": [{ "ip_address": "x" }] }), 400, "IPv4"),
        plug(json!({ "tag": "x" }), 400, "interfaceAttachment.tag"),
        (post.clone(), "/servers/ID/os-interface", json!({ "interfaceAttachment": { "tag": "x" } }), "2.49", 400, "not built yet"),
        (post.clone(), "/servers/ID/os-interface", json!({ "interface": {} }), old, 400, "no such field"),
        (delete.clone(), "/servers/ID/os-interface/nonsense", Value::Null, old, 404, "could not be found"),
        (get.clone(), "/servers/ID/diagnostics", Value::Null, old, 400, "not built yet"),
        (get.clone(), "/os-simple-tenant-usage", Value::Null, old, 404, "not built yet"),
        list("/servers?limit=-1", 400, "limit"),
        list("/servers?limit=many", 400, "limit"),
        list("/servers?marker=4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b", 400, "marker"),
        list("/servers?sort_key=colour", 400, "cannot be sorted by \"colour\""),
        list("/servers?sort_key=uuid&sort_dir=up", 400, "asc or desc"),
        list("/servers?status=HAPPY", 400, "status"),
        list("/servers?status=deleted", 403, "administrators"),
        list("/servers?changes-since=yesterday", 400, "2026-11-22T10:20:30Z"),
        list("/servers?name=%5Bx", 400, "regular expression"),
        list("/servers?all_tenants=maybe", 400, "all_tenants"),
        list("/servers?all_tenants=1", 403, "needs the role admin"),
        list("/flavors?minRam=lots", 400, "minRam"),
        list("/flavors/none", 404, "Flavor none could not be found"),
        list("/os-quota-sets/nobody", 404, "nobody could not be found"),
        key(json!({}), old, 400, "keypair.name: it is required"),
        key(json!({ "name": "a/b" }), old, 400, "keypair.name"),
        key(json!({ "name": "k", "public_key": "ssh-rsa zzz" }), old, 400, "keypair.public_key"),
        key(json!({ "name": "k", "public_key": "hello" }), old, 400, "is not a kind of key"),
        key(json!({ "name": "k", "type": "ssh" }), old, 400, "keypair.type: no such field"),
        key(json!({ "name": "k", "type": "x509" }), "2.2", 400, "x509 is not built yet"),
        key(json!({ "name": "k" }), "2.92", 400, "required since microversion 2.92"),
        (delete, "/os-keypairs/none", Value::Null, old, 404, "Keypair none could not be found"),
        (put, "/servers/ID/tags", json!({ "tags": [] }), "2.26", 400, "not built yet"),
        (get, "/no-such-thing", Value::Null, old, 404, "nothing at"),
        (post, "/servers/ID", json!({}), old, 405, "POST cannot be used here"),
    ]
}

#[rustfmt::skip]
pub(super) fn of_operators() -> Vec<Other> {
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
        flavor(json!({ "swap": 5 }), "flavor.swap: further disks are not built yet"),
        flavor(json!({ "id": "a/b" }), "flavor.id"),
        flavor(json!({ "name": "" }), "flavor.name"),
        put("/os-services/disable", json!({ "host": "node-1" }), "2.1", 400, "binary: it is required"),
        put("/os-services/disable", who.clone(), "2.53", 404, "since microversion 2.53"),
        put("/os-services/force-down", who, "2.11", 400, "forced_down: it is required"),
        put("/os-services/nonsense", json!({ "status": "enabled" }), "2.53", 404, "nonsense"),
        put("/os-services/nonsense", json!({}), "2.53", 400, "nothing is to be changed"),
        put("/os-services/x", json!({ "status": "on" }), "2.53", 400, "one of enabled, disabled"),
        put("/os-quota-sets/DEMO", json!({ "quota_set": { "beds": 1 } }), "2.1", 400, "quota_set.beds"),
        put("/os-quota-sets/DEMO", json!({ "quota_set": { "cores": -2 } }), "2.1", 400, "from -1 to"),
        put("/os-quota-sets/4f3c2a5e90d14e0e8f5a0c6f9f6c1a7b", json!({ "quota_set": { "cores": 1 } }), "2.1", 400, "is not a valid project"),
    ]
}
