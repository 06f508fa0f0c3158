//! A server that exists is plugged into networks, and unplugged.

use http::Method;
use serde_json::{Value, json};
use skybus_model::server::VmState;
use skybus_store::networks::{NewPort, ports};

use super::{cloud::Cloud, on_both};
use crate::testing::Answer;

on_both! {
    one_more_interface_is_given_and_taken
    a_port_in_use_and_a_stranger_are_refused
}

async fn plug(cloud: &Cloud, id: &str, more: Value) -> Answer {
    let body = json!({ "interfaceAttachment": more });
    let path = format!("/servers/{id}/os-interface");
    cloud
        .ask(&cloud.demo, "2.1", Method::POST, &path, body)
        .await
}

async fn unplug(cloud: &Cloud, token: &str, id: &str, port: &str) -> Answer {
    let path = format!("/servers/{id}/os-interface/{port}");
    cloud
        .ask(token, "2.1", Method::DELETE, &path, Value::Null)
        .await
}

async fn a_server(cloud: &Cloud) -> String {
    let id = cloud.boot(&cloud.demo, json!({})).await;
    cloud.settle(&id, VmState::Active).await;
    id
}

async fn one_more_interface_is_given_and_taken(cloud: &Cloud) {
    cloud.a_host().await;
    let id = a_server(cloud).await;
    let fixed = json!({ "net_id": cloud.network, "fixed_ips": [{ "ip_address": "10.1.0.77" }] });
    let answer = plug(cloud, &id, fixed.clone()).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let made = &answer.body["interfaceAttachment"];
    assert_eq!(made["net_id"], json!(cloud.network));
    assert_eq!(made["fixed_ips"][0]["ip_address"], "10.1.0.77");
    let port = made["port_id"].as_str().unwrap().to_owned();
    let shown = cloud.get(&format!("/servers/{id}")).await.body["server"].clone();
    assert_eq!(shown["OS-EXT-STS:task_state"], "attaching_interface");
    assert_eq!(shown["addresses"]["flat"][1]["addr"], "10.1.0.77");
    let busy = plug(cloud, &id, json!({})).await;
    assert_eq!(busy.status, 409, "{:?}", busy.body);

    cloud.settle(&id, VmState::Stopped).await;
    let taken = plug(cloud, &id, fixed).await;
    assert_eq!(taken.status, 409, "{:?}", taken.body);
    let gone = unplug(cloud, &cloud.demo, &id, &port).await;
    assert_eq!(gone.status, 202, "{:?}", gone.body);
    let actions = cloud
        .get(&format!("/servers/{id}/os-instance-actions"))
        .await;
    let actions = actions.body["instanceActions"].as_array().unwrap().clone();
    let words: Vec<_> = actions.iter().map(|one| one["action"].clone()).collect();
    for word in ["attach_interface", "detach_interface"] {
        assert!(words.contains(&json!(word)), "{words:?}");
    }
}

async fn a_port_in_use_and_a_stranger_are_refused(cloud: &Cloud) {
    cloud.a_host().await;
    let (id, other) = (a_server(cloud).await, a_server(cloud).await);
    let mut tx = cloud.store().begin().await.unwrap();
    let new = NewPort::new(cloud.network, cloud.demo_project);
    let own = ports::create(&mut tx, new).await.unwrap().id;
    tx.commit().await.unwrap();
    let wish = json!({ "port_id": own });
    assert_eq!(plug(cloud, &id, wish.clone()).await.status, 200);
    let before = cloud.rows().await;
    let used = plug(cloud, &other, wish).await;
    assert_eq!(used.status, 409, "{:?}", used.body);
    let text = used.body["conflictingRequest"]["message"].as_str().unwrap();
    assert!(text.contains("still in use"), "{text}");
    let theirs = plug(cloud, &other, json!({ "port_id": cloud.eves_port })).await;
    assert_eq!(theirs.status, 404, "{:?}", theirs.body);
    cloud.settle(&id, VmState::Active).await;
    let own = own.to_string();
    assert_eq!(unplug(cloud, &cloud.demo, &other, &own).await.status, 404);
    assert_eq!(unplug(cloud, &cloud.eve, &id, &own).await.status, 404);
    assert_eq!(before, cloud.rows().await, "nothing is half done");
    // What is in ERROR is not touched.
    cloud.settle(&id, VmState::Error).await;
    assert_eq!(unplug(cloud, &cloud.demo, &id, &own).await.status, 409);
}
