//! Where boots go that name no network, while networks wait for their first use.

use std::collections::BTreeSet;

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::{cloud::Cloud, on_both};

on_both! {
    each_project_gets_the_lowest_that_waits_and_keeps_it
    many_boots_at_once_take_one_network_for_each_project
}

/// Cuts so many VLANs, from 100 on; their ids.
async fn cut(cloud: &Cloud, count: u32) -> Vec<String> {
    let body = json!({ "networks": { "name": "vlan", "fixed_range": "10.9.0.0/16", "count": count,
        "size": 256, "kind": "vlan", "physical": "trunk", "first": 100 } });
    let path = "/skybus/v1/networks";
    let made = cloud.test.ask(&cloud.admin, Method::POST, path, body).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let networks = made.body["networks"].as_array().unwrap();
    networks
        .iter()
        .map(|network| network["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The network of a server's one port.
async fn network_of(cloud: &Cloud, server: &str) -> String {
    let path = format!("/network/v2.0/ports?device_id={server}");
    let ports = cloud.test.get(&cloud.admin, &path).await;
    let ports = ports.body["ports"].as_array().unwrap().clone();
    assert_eq!(ports.len(), 1, "{ports:?}");
    ports[0]["network_id"].as_str().unwrap().to_owned()
}

async fn each_project_gets_the_lowest_that_waits_and_keeps_it(cloud: &Cloud) {
    let flat = cloud.network.to_string();
    let before = cloud.boot(&cloud.eve, json!({})).await;
    assert_eq!(network_of(cloud, &before).await, flat, "none waits");
    let cut = cut(cloud, 2).await;
    // The operator's own project has a network: that they are the operator's makes them no choice.
    let operators = cloud.boot(&cloud.admin, json!({})).await;
    assert_eq!(network_of(cloud, &operators).await, flat);
    // Who names a network takes none.
    let named = json!({ "networks": [{ "uuid": flat }] });
    let named = cloud.boot(&cloud.demo, named).await;
    assert_eq!(network_of(cloud, &named).await, flat);
    for _ in 0..2 {
        let server = cloud.boot(&cloud.demo, json!({})).await;
        assert_eq!(network_of(cloud, &server).await, cut[0]);
    }
    let body = cloud.boot_body(json!({ "networks": "auto", "min_count": 2 }));
    let two = cloud.ask(&cloud.eve, "2.37", Method::POST, "/servers", body);
    let two = two.await;
    assert_eq!(two.status, 202, "{:?}", two.body);
    let server = two.body["server"]["id"].as_str().unwrap();
    assert_eq!(network_of(cloud, server).await, cut[1]);
    // It is the project's own, also when its servers are gone.
    let path = format!("/servers/{server}");
    let gone = cloud.ask(&cloud.eve, "2.1", Method::DELETE, &path, Value::Null);
    assert_eq!(gone.await.status, 204);
    let path = format!("/network/v2.0/networks/{}", cut[1]);
    let seen = cloud.test.get(&cloud.eve, &path).await;
    let project = &seen.body["network"]["project_id"];
    assert_eq!(project, cloud.eve_project.to_string().as_str());
    assert_eq!(cloud.test.get(&cloud.demo, &path).await.status, 404);
    let server = cloud.boot(&cloud.eve, json!({})).await;
    assert_eq!(network_of(cloud, &server).await, cut[1]);
}

async fn many_boots_at_once_take_one_network_for_each_project(cloud: &Cloud) {
    let cut = cut(cloud, 5).await;
    let boots = (0..12).map(|n| {
        let token = if n % 2 == 0 { &cloud.demo } else { &cloud.eve };
        cloud.boot(token, json!({}))
    });
    let servers = join_all(boots).await;
    let mut of = [BTreeSet::new(), BTreeSet::new()];
    for (n, server) in servers.iter().enumerate() {
        of[n % 2].insert(network_of(cloud, server).await);
    }
    let [demos, eves] = of;
    assert_eq!((demos.len(), eves.len()), (1, 1), "{demos:?} {eves:?}");
    let both: BTreeSet<String> = demos.union(&eves).cloned().collect();
    assert_eq!(both, cut[..2].iter().cloned().collect());
}
