//! What operators do: hosts, services, zones, quotas, flavors.

use http::Method;
use serde_json::{Value, json};

use super::{cloud::Cloud, on_both};

on_both! {
    hypervisors_in_both_forms
    services_are_closed_and_opened_in_both_forms
    zones_are_listed
    quotas_are_set_and_reset
    flavors_are_made_described_and_removed
    only_operators_may
}

async fn get(cloud: &Cloud, version: &str, path: &str) -> Value {
    let answer = cloud
        .ask(&cloud.admin, version, Method::GET, path, Value::Null)
        .await;
    assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
    answer.body
}

async fn hypervisors_in_both_forms(cloud: &Cloud) {
    cloud.a_host().await;
    for version in ["2.1", "2.53", "2.96"] {
        let list = get(cloud, version, "/os-hypervisors/detail").await;
        let one = &list["hypervisors"][0];
        assert_eq!(one["hypervisor_hostname"], "node-1");
        assert_eq!(one["state"], "up");
        assert_eq!(one.get("vcpus").is_some(), version != "2.96");
        let id = one["id"]
            .as_str()
            .map_or_else(|| one["id"].to_string(), str::to_owned);
        let shown = get(cloud, version, &format!("/os-hypervisors/{id}")).await;
        assert_eq!(shown["hypervisor"]["id"], one["id"]);
    }
    let sums = get(cloud, "2.1", "/os-hypervisors/statistics").await;
    assert_eq!(sums["hypervisor_statistics"]["memory_mb"], 16_384);
    let found = get(cloud, "2.1", "/os-hypervisors/node/search").await;
    assert_eq!(found["hypervisors"].as_array().unwrap().len(), 1);
    let path = "/os-hypervisors?hypervisor_hostname_pattern=nothing";
    let none = cloud
        .ask(&cloud.admin, "2.53", Method::GET, path, Value::Null)
        .await;
    assert_eq!(none.status, 404);
}

async fn services_are_closed_and_opened_in_both_forms(cloud: &Cloud) {
    cloud.a_host().await;
    let put = async |version: &str, path: &str, body: Value| {
        cloud
            .ask(&cloud.admin, version, Method::PUT, path, body)
            .await
    };
    let who = json!({ "host": "node-1", "binary": "nova-compute" });
    let off = put("2.1", "/os-services/disable", who.clone()).await;
    assert_eq!(off.body["service"]["status"], "disabled", "{:?}", off.body);
    let listed = get(cloud, "2.1", "/os-services?binary=nova-compute").await;
    assert_eq!(listed["services"][0]["status"], "disabled");
    assert_eq!(put("2.1", "/os-services/enable", who).await.status, 200);
    let why = json!({ "host": "node-1", "binary": "nova-compute", "disabled_reason": "disk" });
    assert_eq!(
        put("2.1", "/os-services/disable-log-reason", why)
            .await
            .status,
        200
    );

    let listed = get(cloud, "2.53", "/os-services?host=node-1").await;
    let services = listed["services"].as_array().unwrap();
    assert_eq!(services.len(), 2);
    let compute = services
        .iter()
        .find(|s| s["binary"] == "nova-compute")
        .unwrap();
    assert_eq!(compute["disabled_reason"], "disk");
    let path = format!("/os-services/{}", compute["id"].as_str().unwrap());
    let on = put("2.53", &path, json!({ "status": "enabled" })).await;
    assert_eq!(on.body["service"]["status"], "enabled");
    assert_eq!(on.body["service"]["disabled_reason"], Value::Null);
    let down = put("2.53", &path, json!({ "forced_down": true })).await;
    assert_eq!(down.body["service"]["state"], "down");
    assert_eq!(down.body["service"]["status"], "enabled");
    let unknown = json!({ "host": "node-9", "binary": "nova-compute" });
    assert_eq!(
        put("2.1", "/os-services/disable", unknown).await.status,
        404
    );
}

async fn zones_are_listed(cloud: &Cloud) {
    cloud.a_host().await;
    let zones = cloud.get("/os-availability-zone").await.body["availabilityZoneInfo"].clone();
    assert_eq!(
        zones,
        json!([{ "zoneName": "nova", "zoneState": { "available": true }, "hosts": null }])
    );
    let detail = get(cloud, "2.1", "/os-availability-zone/detail").await;
    let hosts = &detail["availabilityZoneInfo"][0]["hosts"];
    assert_eq!(hosts["node-1"]["nova-compute"]["available"], true);
    assert_eq!(cloud.get("/os-availability-zone/detail").await.status, 403);
    // An operator may name the host.
    cloud
        .boot(&cloud.admin, json!({ "availability_zone": "nova:node-1" }))
        .await;
}

async fn quotas_are_set_and_reset(cloud: &Cloud) {
    let path = format!("/os-quota-sets/{}", cloud.demo_project);
    let before = cloud.get(&path).await.body["quota_set"].clone();
    assert_eq!(
        (&before["instances"], &before["cores"]),
        (&json!(10), &json!(20))
    );
    assert!(before.get("floating_ips").is_some());
    let newer = get(cloud, "2.57", &path).await["quota_set"].clone();
    assert!(newer.get("floating_ips").is_none() && newer.get("injected_files").is_none());
    let set = json!({ "quota_set": { "instances": 1, "floating_ips": 7 } });
    let put = cloud
        .ask(&cloud.admin, "2.1", Method::PUT, &path, set)
        .await;
    assert_eq!(put.body["quota_set"]["instances"], 1, "{:?}", put.body);
    assert_eq!(put.body["quota_set"]["floating_ips"], 7, "{:?}", put.body);
    cloud.boot(&cloud.demo, json!({})).await;
    let over = cloud.boot_body(json!({}));
    let over = cloud
        .ask(&cloud.demo, "2.1", Method::POST, "/servers", over)
        .await;
    assert_eq!(over.status, 403);
    let below = json!({ "quota_set": { "instances": 0 } });
    let refused = cloud
        .ask(&cloud.admin, "2.1", Method::PUT, &path, below)
        .await;
    assert_eq!(refused.status, 400);
    let forced = json!({ "quota_set": { "instances": 0, "force": true } });
    let forced = cloud
        .ask(&cloud.admin, "2.1", Method::PUT, &path, forced)
        .await;
    assert_eq!(forced.status, 200);
    let detail = cloud.get(&format!("{path}/detail")).await.body["quota_set"].clone();
    assert_eq!(
        detail["instances"],
        json!({ "limit": 0, "in_use": 1, "reserved": 0 })
    );
    let reset = cloud
        .ask(&cloud.admin, "2.1", Method::DELETE, &path, Value::Null)
        .await;
    assert_eq!(reset.status, 202);
    assert_eq!(cloud.get(&path).await.body["quota_set"], before);
}

async fn flavors_are_made_described_and_removed(cloud: &Cloud) {
    let names: Vec<_> = cloud.get("/flavors").await.body["flavors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "m1.tiny",
            "m1.small",
            "m1.medium",
            "m1.large",
            "m1.xlarge",
            "m1.nano"
        ]
    );
    let ask = async |version: &str, method: Method, path: &str, body: Value| {
        cloud.ask(&cloud.admin, version, method, path, body).await
    };
    let body = json!({ "flavor": { "name": "big", "ram": "1024", "vcpus": 2, "disk": 0 } });
    let made = ask("2.1", Method::POST, "/flavors", body.clone()).await;
    assert_eq!(made.status, 200, "{:?}", made.body);
    let id = made.body["flavor"]["id"].as_str().unwrap().to_owned();
    assert_eq!(ask("2.1", Method::POST, "/flavors", body).await.status, 409);
    let path = format!("/flavors/{id}");
    let said = json!({ "flavor": { "description": "for builds" } });
    let said = ask("2.55", Method::PUT, &path, said).await;
    assert_eq!(said.body["flavor"]["description"], "for builds");
    let specs = json!({ "extra_specs": { "hw:cpu_policy": "shared" } });
    let specs_path = format!("{path}/os-extra_specs");
    assert_eq!(
        ask("2.1", Method::POST, &specs_path, specs.clone())
            .await
            .body,
        specs
    );
    assert_eq!(cloud.get(&specs_path).await.body, specs);
    let shown = ask("2.61", Method::GET, &path, Value::Null).await.body["flavor"].clone();
    assert_eq!(shown["extra_specs"], specs["extra_specs"]);
    let one = format!("{specs_path}/hw:cpu_policy");
    assert_eq!(
        ask("2.1", Method::DELETE, &one, Value::Null).await.status,
        200
    );
    assert_eq!(ask("2.1", Method::GET, &one, Value::Null).await.status, 404);
    // A server keeps the flavor that it was made of.
    let server = cloud.boot(&cloud.demo, json!({ "flavorRef": id })).await;
    assert_eq!(
        ask("2.1", Method::DELETE, &path, Value::Null).await.status,
        202
    );
    assert_eq!(
        ask("2.1", Method::GET, &path, Value::Null).await.status,
        404
    );
    let server = format!("/servers/{server}");
    let server = cloud
        .ask(&cloud.demo, "2.47", Method::GET, &server, Value::Null)
        .await;
    assert_eq!(server.body["server"]["flavor"]["original_name"], "big");
}

async fn only_operators_may(cloud: &Cloud) {
    let before = cloud.rows().await;
    let quota = format!("/os-quota-sets/{}", cloud.demo_project);
    let flavor = json!({ "flavor": { "name": "f", "ram": 1, "vcpus": 1, "disk": 1 } });
    let who = json!({ "host": "node-1", "binary": "nova-compute" });
    for (method, path, body) in [
        (Method::GET, "/os-hypervisors", Value::Null),
        (Method::GET, "/os-hypervisors/detail", Value::Null),
        (Method::GET, "/os-services", Value::Null),
        (Method::PUT, "/os-services/disable", who),
        (Method::POST, "/flavors", flavor),
        (Method::DELETE, "/flavors/1", Value::Null),
        (
            Method::PUT,
            quota.as_str(),
            json!({ "quota_set": { "cores": 99 } }),
        ),
        (Method::DELETE, quota.as_str(), Value::Null),
        (Method::GET, "/os-aggregates", Value::Null),
    ] {
        let answer = cloud
            .ask(&cloud.demo, "2.1", method.clone(), path, body)
            .await;
        assert_eq!(answer.status, 403, "{method} {path}: {:?}", answer.body);
    }
    assert_eq!(cloud.rows().await, before);
}
