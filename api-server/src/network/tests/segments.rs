//! What carries networks: as administrators see it, choose it, and make ranges for it.

use skybus_model::{Timestamp, host::Resources, segment::SegmentKind};
use skybus_store::{services, testing::TestCloud};

use super::*;

async fn a_range(app: &TestApp, token: &str, more: Value) -> Answer {
    let mut range = json!({ "name": "r", "network_type": "vlan", "physical_network": "trunk",
        "minimum": 100, "maximum": 101, "shared": true });
    let fields = range.as_object_mut().unwrap();
    for (key, value) in more.as_object().unwrap() {
        if value.is_null() {
            fields.remove(key);
        } else {
            fields.insert(key.clone(), value.clone());
        }
    }
    let body = json!({ "network_segment_range": range });
    post(app, token, "network_segment_ranges", body).await
}

/// Kind, physical network and number, as they are shown.
fn provider(network: &Value) -> (Value, Value, Value) {
    let key = |key: &str| network[format!("provider:{key}")].clone();
    (
        key("network_type"),
        key("physical_network"),
        key("segmentation_id"),
    )
}

async fn refused(app: &TestApp, token: &str, body: Value, status: u16, word: &str) {
    let answer = post(app, token, "networks", json!({ "network": body.clone() })).await;
    assert_eq!(answer.status, status, "{body}: {:?}", answer.body);
    let kind = &answer.body["NeutronError"]["type"];
    assert_eq!(kind, word, "{body}: {:?}", answer.body);
}

#[tokio::test]
async fn administrators_choose_what_carries_a_network() {
    let app = TestApp::postgres().await;
    let (demo, admin) = (app.demo().await, app.admin().await);
    for (kind, physical, number, mtu) in [
        ("flat", json!("trunk"), Value::Null, 1500),
        ("vlan", json!("trunk"), json!(100), 1500),
        ("vxlan", Value::Null, json!(70_000), 1450),
    ] {
        let body = json!({ "name": kind, "provider:network_type": kind,
            "provider:physical_network": physical, "provider:segmentation_id": number });
        let network = made(&app, &admin, "networks", "network", body.clone()).await;
        assert_eq!(provider(&network), (json!(kind), physical, number));
        assert_eq!(network["mtu"], mtu);
        let word = match kind {
            "flat" => "FlatNetworkInUse",
            "vlan" => "VlanIdInUse",
            _ => "TunnelIdInUse",
        };
        refused(&app, &admin, body.clone(), 409, word).await;
        refused(&app, &demo, body, 403, "PolicyNotAuthorized").await;
        let path = format!("{V2}/networks/{}", network["id"].as_str().unwrap());
        let change = |key: &str, value: Value| {
            let body = json!({ "network": { key: value } });
            app.ask(&admin, Method::PUT, &path, body)
        };
        let same = change("provider:network_type", json!(kind)).await;
        assert_eq!(same.status, 200, "{:?}", same.body);
        let other = change("provider:segmentation_id", json!(7)).await;
        assert_eq!(other.status, 400);
        let told = other.body["NeutronError"]["message"].to_string();
        assert!(told.contains("cannot be changed"), "{told}");
    }
    let local = json!({ "provider:network_type": "local" });
    let local = made(&app, &admin, "networks", "network", local).await;
    assert_eq!(provider(&local).0, "local");
    let larger = json!({ "provider:network_type": "vxlan", "provider:segmentation_id": 9,
        "mtu": 1451 });
    refused(&app, &admin, larger, 400, "HTTPBadRequest").await;
    let body = json!({ "provider:network_type": "vxlan", "provider:segmentation_id": 9,
        "mtu": 1400 });
    let smaller = made(&app, &admin, "networks", "network", body).await;
    assert_eq!(smaller["mtu"], 1400);
    for body in [
        json!({ "provider:segmentation_id": 7 }),
        json!({ "provider:network_type": "flat" }),
        json!({ "provider:network_type": "local", "provider:segmentation_id": 7 }),
        json!({ "provider:network_type": "vxlan", "provider:physical_network": "trunk" }),
        json!({ "provider:network_type": "vlan", "provider:segmentation_id": 7 }),
        json!({ "provider:network_type": "vlan", "provider:physical_network": "trunk",
            "provider:segmentation_id": 4095 }),
        json!({ "provider:network_type": "vxlan", "provider:segmentation_id": 0 }),
    ] {
        refused(&app, &admin, body, 400, "InvalidInput").await;
    }
    for body in [
        json!({ "provider:network_type": "gre" }),
        json!({ "provider:network_type": 7 }),
        json!({ "provider:network_type": "flat", "provider:physical_network": "a b" }),
    ] {
        refused(&app, &admin, body, 400, "HTTPBadRequest").await;
    }
    let none = json!({ "provider:network_type": "vxlan" });
    refused(&app, &admin, none, 503, "NoNetworkAvailable").await;
    let path = format!("{V2}/networks?router:external=true");
    let outside = app.get(&admin, &path).await;
    let outside = provider(&outside.body["networks"][0]);
    assert_eq!(outside, (json!("flat"), Value::Null, Value::Null));
}

#[tokio::test]
async fn projects_get_their_networks_numbers_out_of_ranges() {
    let app = TestApp::sqlite().await;
    let (demo, admin) = (app.demo().await, app.admin().await);
    let path = format!("{V2}/extensions/network-segment-range");
    assert_eq!(app.get(&demo, &path).await.status, 200);
    let range = a_range(&app, &admin, json!({})).await;
    assert_eq!(range.status, 201, "{:?}", range.body);
    let range = range.body["network_segment_range"].clone();
    assert_eq!(range["available"], json!([100, 101]));
    assert_eq!(
        (&range["shared"], &range["project_id"], &range["default"]),
        (&json!(true), &Value::Null, &json!(false))
    );
    let own = made(&app, &demo, "networks", "network", json!({ "name": "own" })).await;
    assert!(own.get("provider:network_type").is_none());
    let path = format!("{V2}/networks/{}", own["id"].as_str().unwrap());
    let seen = app.get(&admin, &path).await.body["network"].clone();
    assert_eq!(provider(&seen), (json!("vlan"), json!("trunk"), json!(100)));
    let path = format!(
        "{V2}/network_segment_ranges/{}",
        range["id"].as_str().unwrap()
    );
    let shown = app.get(&admin, &path).await.body["network_segment_range"].clone();
    assert_eq!(shown["used"], json!({ "100": own["project_id"] }));
    assert_eq!(shown["available"], json!([101]));
    let listed = app
        .get(
            &admin,
            &format!("{V2}/network_segment_ranges?network_type=vlan"),
        )
        .await;
    assert_eq!(ids(&listed, "network_segment_ranges").len(), 1);
    made(&app, &demo, "networks", "network", json!({})).await;
    for (token, told) in [(&demo, false), (&admin, true)] {
        let full = post(&app, token, "networks", json!({ "network": {} })).await;
        assert_eq!(full.status, 503);
        assert_eq!(full.body["NeutronError"]["type"], "NoNetworkAvailable");
        let message = full.body["NeutronError"]["message"].to_string();
        let names = message.contains("r (vlan 100-101 on trunk)");
        assert_eq!(names, told, "{message}");
    }

    let change = async |body: Value| {
        let body = json!({ "network_segment_range": body });
        app.ask(&admin, Method::PUT, &path, body).await
    };
    for (body, status) in [
        (json!({ "minimum": 101 }), 409),
        (json!({ "maximum": 5000 }), 400),
        (json!({ "maximum": 99 }), 400),
        (json!({ "network_type": "vxlan" }), 400),
        (json!({ "maximum": 102, "name": "wider" }), 200),
    ] {
        let answer = change(body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {:?}", answer.body);
    }
    let next = made(&app, &demo, "networks", "network", json!({})).await;
    let used = delete(&app, &admin, path.strip_prefix("/network/v2.0/").unwrap()).await;
    assert_eq!(used.status, 409);
    let kind = &used.body["NeutronError"]["type"];
    assert_eq!(kind, "NetworkSegmentRangeReferencedByProject");
    let networks = app.get(&demo, &format!("{V2}/networks")).await;
    assert!(ids(&networks, "networks").contains(&next["id"].as_str().unwrap().to_owned()));
    for id in ids(&networks, "networks") {
        delete(&app, &demo, &format!("networks/{id}")).await;
    }
    let gone = delete(&app, &admin, path.strip_prefix("/network/v2.0/").unwrap()).await;
    assert_eq!(gone.status, 204);
}

#[tokio::test]
async fn ranges_are_made_of_what_can_be() {
    let app = TestApp::sqlite().await;
    let (demo, admin) = (app.demo().await, app.admin().await);
    assert_eq!(a_range(&app, &demo, json!({})).await.status, 403);
    for bad in [
        json!({ "network_type": "gre" }),
        json!({ "network_type": null }),
        json!({ "physical_network": null }),
        json!({ "network_type": "vxlan" }),
        json!({ "minimum": 0 }),
        json!({ "minimum": null }),
        json!({ "maximum": 4095 }),
        json!({ "maximum": -1 }),
        json!({ "minimum": 102 }),
        json!({ "default": true }),
        json!({ "project_id": "11111111222243338444555555555555" }),
        json!({ "colour": "red" }),
    ] {
        let answer = a_range(&app, &admin, bad.clone()).await;
        assert_eq!(answer.status, 400, "{bad}: {:?}", answer.body);
    }
    let vxlans = json!({ "network_type": "vxlan", "physical_network": null, "minimum": 1,
        "maximum": 16_777_215, "shared": false });
    let private = a_range(&app, &admin, vxlans).await;
    assert_eq!(private.status, 201, "{:?}", private.body);
    let private = &private.body["network_segment_range"];
    assert_eq!(private["shared"], false);
    assert!(private["project_id"].is_string());
    assert_eq!(private["available"].as_array().unwrap().len(), 4096);
    let (first, again) = (
        a_range(&app, &admin, json!({})).await,
        a_range(&app, &admin, json!({ "maximum": 200 })).await,
    );
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 409));
    let kind = &again.body["NeutronError"]["type"];
    assert_eq!(kind, "NetworkSegmentRangeOverlaps");
    // It is another project's: this one's networks are VLANs.
    let own = made(&app, &demo, "networks", "network", json!({})).await;
    let path = format!("{V2}/networks/{}", own["id"].as_str().unwrap());
    let seen = app.get(&admin, &path).await.body["network"].clone();
    assert_eq!(provider(&seen).0, "vlan");
}

#[tokio::test]
async fn the_first_network_is_carried_by_what_is_configured() {
    let app = TestApp::configured(|config| {
        config.bootstrap.flat_segment = "vxlan:7".to_owned().try_into().unwrap();
    })
    .await;
    let admin = app.admin().await;
    let networks = app.get(&admin, &format!("{V2}/networks?name=flat")).await;
    let flat = &networks.body["networks"][0];
    assert_eq!(provider(flat), (json!("vxlan"), Value::Null, json!(7)));
    assert_eq!(flat["mtu"], 1450);
}

#[tokio::test]
async fn administrators_see_what_each_network_worker_carries_and_lacks() {
    let app = TestApp::sqlite().await;
    let admin = app.admin().await;
    let cloud = TestCloud::new(app.store().clone()).await;
    let host = "node-1".parse().unwrap();
    let mut beat = cloud.beat(&host, "network", Resources::default());
    beat.carries.vlan = ["trunk".parse().unwrap()].into();
    beat.carries.tunnel = Some([192, 0, 2, 7].into());
    let why = "eth1 has addresses".to_owned();
    beat.carries.lacks = [(SegmentKind::Flat, why)].into();
    let mut tx = app.store().begin().await.unwrap();
    services::heard(&mut tx, &beat, Timestamp::now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let agents = app.get(&admin, &format!("{V2}/agents")).await;
    assert_eq!(
        agents.body["agents"][0]["configurations"],
        json!({ "flat_networks": [], "vlan_networks": ["trunk"], "tunneling_ip": "192.0.2.7",
            "tunnel_types": ["vxlan"], "lacks": { "flat": "eth1 has addresses" } })
    );
    let status = app.get(&admin, "/skybus/v1/status").await;
    let roles = status.body["roles"].as_array().unwrap().clone();
    let role = roles.iter().find(|role| role["role"] == "network").unwrap();
    assert_eq!(
        role["carries"],
        json!({ "flat": [], "vlan": ["trunk"], "tunnel": "192.0.2.7",
            "lacks": { "flat": "eth1 has addresses" } })
    );
}
