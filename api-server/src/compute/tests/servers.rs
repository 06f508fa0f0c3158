//! A server's life as its owner sees it.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use skybus_model::{operation::Hop, server::VmState};
use skybus_store::{hops, identity::projects, operations};

use super::{cloud::Cloud, on_both};
use crate::testing::TestApp;

on_both! {
    a_boot_is_accepted_whole
    a_boot_without_a_host_is_deleted_at_once
    actions_go_to_the_host_and_are_refused_while_another_runs
    several_servers_in_one_request_are_numbered_and_all_or_nothing
    what_was_asked_of_a_server_is_kept
    security_groups_of_a_server_can_be_changed
    an_operator_can_reset_a_state
}

async fn a_boot_is_accepted_whole(cloud: &Cloud) {
    let body = cloud.boot_body(json!({
        "metadata": { "role": "web" },
        "user_data": "IyEvYmluL3NoCg==",
        "config_drive": true,
        "security_groups": [{ "name": "default" }],
        "networks": [{ "uuid": cloud.network, "fixed_ip": "10.1.0.77" }],
        "adminPass": "secret",
        "availability_zone": "",
    }));
    let answer = cloud
        .ask(&cloud.demo, "2.1", Method::POST, "/servers", body)
        .await;
    assert_eq!(answer.status, 202, "{:?}", answer.body);
    let accepted = &answer.body["server"];
    assert_eq!(accepted["adminPass"], "secret");
    assert_eq!(accepted["OS-DCF:diskConfig"], "MANUAL");
    assert_eq!(accepted["security_groups"], json!([{ "name": "default" }]));
    let id = accepted["id"].as_str().unwrap();
    assert!(
        answer
            .header("location")
            .ends_with(&format!("/compute/v2.1/servers/{id}"))
    );

    let shown = cloud.get(&format!("/servers/{id}")).await.body["server"].clone();
    assert_eq!(shown["status"], "BUILD");
    assert_eq!(shown["OS-EXT-STS:task_state"], "scheduling");
    assert_eq!(shown["OS-EXT-STS:power_state"], 0);
    assert_eq!(shown["addresses"]["flat"][0]["addr"], "10.1.0.77");
    assert_eq!(shown["addresses"]["flat"][0]["OS-EXT-IPS:type"], "fixed");
    assert_eq!(shown["flavor"]["id"], "84");
    assert_eq!(shown["image"]["id"], json!(cloud.image));
    assert_eq!(shown["metadata"], json!({ "role": "web" }));
    assert_eq!(shown["config_drive"], "True");
    assert_eq!(shown["security_groups"], json!([{ "name": "default" }]));
    assert_eq!(shown["hostId"], "");
    assert!(shown.get("fault").is_none());
    // Hosts are for operators.
    assert!(shown.get("OS-EXT-SRV-ATTR:host").is_none());

    let limits = cloud.get("/limits").await.body["limits"]["absolute"].clone();
    assert_eq!(limits["totalInstancesUsed"], 1);
    assert_eq!(limits["totalRAMUsed"], 128);
    let rows = cloud.rows().await;
    // The message to the schedulers and the notification.
    assert!(
        rows.contains(&("outbox", 2)) && rows.contains(&("operations", 1)),
        "{rows:?}"
    );
}

async fn a_boot_without_a_host_is_deleted_at_once(cloud: &Cloud) {
    let before = cloud.rows().await;
    let id = cloud.boot(&cloud.demo, json!({})).await;
    let path = format!("/servers/{id}");
    let gone = cloud
        .ask(&cloud.demo, "2.1", Method::DELETE, &path, Value::Null)
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(cloud.get(&path).await.status, 404);
    let after = cloud.rows().await;
    for table in ["ports", "used"] {
        let count = |rows: &[(&str, i64)]| rows.iter().find(|(t, _)| *t == table).unwrap().1;
        assert_eq!(count(&before), count(&after), "{table} is left behind");
    }
    let again = cloud
        .ask(&cloud.demo, "2.1", Method::DELETE, &path, Value::Null)
        .await;
    assert_eq!(again.status, 404);
    // Its history and, for those who ask for changes, the row stay.
    let history = cloud.get(&format!("{path}/os-instance-actions")).await;
    let actions = history.body["instanceActions"].as_array().unwrap().clone();
    let actions: Vec<_> = actions
        .iter()
        .map(|a| a["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["delete", "create"]);
    let changed = cloud
        .get("/servers/detail?changes-since=2020-01-01T00:00:00Z")
        .await;
    assert_eq!(changed.body["servers"][0]["status"], "DELETED");
    assert_eq!(cloud.get("/servers").await.body["servers"], json!([]));
}

async fn actions_go_to_the_host_and_are_refused_while_another_runs(cloud: &Cloud) {
    cloud.a_host().await;
    let id = cloud.boot(&cloud.demo, json!({})).await;
    let early = cloud
        .act(&cloud.demo, &id, json!({ "os-stop": null }))
        .await;
    assert_eq!(early.status, 409, "{:?}", early.body);

    cloud.settle(&id, VmState::Active).await;
    let before = cloud.rows().await;
    let stop = cloud
        .act(&cloud.demo, &id, json!({ "os-stop": null }))
        .await;
    assert_eq!(stop.status, 202);
    assert_ne!(before, cloud.rows().await);
    let shown = cloud.get(&format!("/servers/{id}")).await.body["server"].clone();
    assert_eq!(shown["OS-EXT-STS:task_state"], "powering-off");
    let busy = cloud
        .act(&cloud.demo, &id, json!({ "os-start": null }))
        .await;
    assert_eq!(busy.status, 409);
    let text = busy.body["conflictingRequest"]["message"].as_str().unwrap();
    assert!(text.contains("powering-off"), "{text}");

    cloud.settle(&id, VmState::Stopped).await;
    let start = cloud
        .act(&cloud.demo, &id, json!({ "os-start": null }))
        .await;
    assert_eq!(start.status, 202);
    cloud.settle(&id, VmState::Active).await;
    let soft = cloud
        .act(&cloud.demo, &id, json!({ "reboot": { "type": "SOFT" } }))
        .await;
    assert_eq!(soft.status, 202);
    assert_eq!(
        cloud.get(&format!("/servers/{id}")).await.body["server"]["status"],
        "REBOOT"
    );
    let hard = cloud
        .act(&cloud.demo, &id, json!({ "reboot": { "type": "hard" } }))
        .await;
    assert_eq!(hard.status, 202);
    let shown = cloud.get(&format!("/servers/{id}")).await.body["server"].clone();
    assert_eq!(shown["status"], "HARD_REBOOT");
    // A delete wins over everything, and may be asked for twice.
    for _ in 0..2 {
        let gone = cloud
            .act(&cloud.demo, &id, json!({ "forceDelete": null }))
            .await;
        assert_eq!(gone.status, 202, "{:?}", gone.body);
    }
    let shown = cloud.get(&format!("/servers/{id}")).await.body["server"].clone();
    assert_eq!(shown["OS-EXT-STS:task_state"], "deleting");
}

async fn several_servers_in_one_request_are_numbered_and_all_or_nothing(cloud: &Cloud) {
    cloud
        .boot(
            &cloud.demo,
            json!({ "name": "web", "min_count": 2, "max_count": 3 }),
        )
        .await;
    let list = cloud
        .get("/servers?sort_key=display_name&sort_dir=asc")
        .await;
    let names: Vec<_> = list.body["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].clone())
        .collect();
    assert_eq!(names, ["web-1", "web-2", "web-3"]);

    // Seven of ten places are left: eight is refused whole, seven to nine gives seven.
    let before = cloud.rows().await;
    let body = cloud.boot_body(json!({ "min_count": 8 }));
    let over = cloud
        .ask(&cloud.demo, "2.1", Method::POST, "/servers", body)
        .await;
    assert_eq!(over.status, 403);
    let text = over.body["forbidden"]["message"].as_str().unwrap();
    assert!(
        text.contains("instances: Requested 8, but already used 3 of 10 instances"),
        "{text}"
    );
    assert_eq!(cloud.rows().await, before);
    cloud
        .boot(&cloud.demo, json!({ "min_count": 2, "max_count": 9 }))
        .await;
    let list = cloud.get("/servers").await;
    assert_eq!(list.body["servers"].as_array().unwrap().len(), 10);

    let body = json!({ "min_count": "1", "return_reservation_id": true, "flavorRef": "84" });
    let eve = cloud.boot_body(body);
    let answer = cloud
        .ask(&cloud.eve, "2.1", Method::POST, "/servers", eve)
        .await;
    assert!(
        answer.body["reservation_id"]
            .as_str()
            .unwrap()
            .starts_with("r-")
    );
}

async fn what_was_asked_of_a_server_is_kept(cloud: &Cloud) {
    cloud.a_host().await;
    let id = cloud.boot(&cloud.demo, json!({})).await;
    cloud.settle(&id, VmState::Active).await;
    let stop = cloud
        .act(&cloud.demo, &id, json!({ "os-stop": null }))
        .await;
    let request = stop.header("x-openstack-request-id").to_owned();
    let path = format!("/servers/{id}/os-instance-actions");
    let all = cloud.get(&path).await.body["instanceActions"].clone();
    assert_eq!(all[0]["action"], "stop");
    assert_eq!(all[0]["request_id"], json!(request));
    assert_eq!(all[1]["action"], "create");
    let path = format!("{path}/{request}");
    let one = cloud
        .ask(&cloud.demo, "2.96", Method::GET, &path, Value::Null)
        .await;
    let event = &one.body["instanceAction"]["events"][0];
    assert_eq!(event["event"], "api: accepted");
    assert!(event.get("host").is_none());
    assert_eq!(
        (&event["hostId"], &event["details"]),
        (&json!(""), &Value::Null)
    );
    // A hop of a host's worker: its owner can tell hosts apart, and does not learn their names.
    let stop = json!(request);
    note_a_hop(cloud, &id, &stop).await;
    let as_seen_by = async |token: &str| {
        let one = cloud
            .ask(token, "2.96", Method::GET, &path, Value::Null)
            .await;
        one.body["instanceAction"]["events"][1].clone()
    };
    let shown = as_seen_by(&cloud.demo).await;
    assert_eq!(shown["event"], "compute: taken up again");
    let server = cloud.get(&format!("/servers/{id}")).await;
    assert_eq!(shown["hostId"], server.body["server"]["hostId"]);
    assert!(shown.get("host").is_none() && !shown.to_string().contains("node-1"));
    let shown = as_seen_by(&cloud.admin).await;
    assert_eq!(
        (&shown["host"], &shown["details"]),
        (&json!("node-1"), &json!("on node-1"))
    );
    // While it goes on, the trace says when somebody looks after it.
    let trace = async |token: &str| {
        let path = format!("/skybus/v1/servers/{id}/trace");
        let answer = cloud.test.get(token, &path).await;
        answer.body["trace"]["operations"][1].clone()
    };
    let (owners, operators) = (trace(&cloud.demo).await, trace(&cloud.admin).await);
    assert!(owners["retry_at"].is_string() && owners["deadline"].is_string());
    assert!(owners["tried"].is_null() && !owners.to_string().contains("node-1"));
    assert_eq!(operators["tried"], json!([]));
    assert_eq!(operators["hops"][1]["who"], "compute@node-1");
    let unknown = cloud
        .get(&format!("/servers/{id}/os-instance-actions/req-x"))
        .await;
    assert_eq!(unknown.status, 404);
}

/// As if the worker of `node-1` had noted something on the way of the operation that a request led to.
async fn note_a_hop(cloud: &Cloud, server: &str, request: &Value) {
    let of_server = operations::of_server(cloud.store(), server.parse().unwrap()).await;
    let operation = of_server
        .unwrap()
        .into_iter()
        .find(|operation| json!(operation.context.request_id) == *request)
        .unwrap();
    let mut tx = cloud.store().begin().await.unwrap();
    let hop = Hop::now("compute@node-1", "taken up again", "on node-1");
    hops::add(&mut tx, operation.id, &[hop]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn security_groups_of_a_server_can_be_changed(cloud: &Cloud) {
    let id = cloud.boot(&cloud.demo, json!({})).await;
    let mut tx = cloud.store().begin().await.unwrap();
    skybus_store::networks::groups::create(&mut tx, cloud.demo_project, "web", "")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let names = async || {
        let path = format!("/servers/{id}/os-security-groups");
        let all = cloud.get(&path).await.body["security_groups"]
            .as_array()
            .unwrap()
            .clone();
        let mut names: Vec<_> = all
            .iter()
            .map(|g| g["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names().await, ["default"]);
    let add = json!({ "addSecurityGroup": { "name": "web" } });
    assert_eq!(cloud.act(&cloud.demo, &id, add).await.status, 202);
    assert_eq!(names().await, ["default", "web"]);
    let remove = json!({ "removeSecurityGroup": { "name": "default" } });
    assert_eq!(
        cloud.act(&cloud.demo, &id, remove.clone()).await.status,
        202
    );
    assert_eq!(names().await, ["web"]);
    assert_eq!(cloud.act(&cloud.demo, &id, remove).await.status, 409);
    let plugs = cloud.get(&format!("/servers/{id}/os-interface")).await;
    assert_eq!(
        plugs.body["interfaceAttachments"][0]["net_id"],
        json!(cloud.network)
    );
}

async fn an_operator_can_reset_a_state(cloud: &Cloud) {
    let id = cloud.boot(&cloud.demo, json!({})).await;
    let reset = json!({ "os-resetState": { "state": "error" } });
    assert_eq!(cloud.act(&cloud.demo, &id, reset.clone()).await.status, 403);
    assert_eq!(cloud.act(&cloud.admin, &id, reset).await.status, 202);
    let shown = cloud.get(&format!("/servers/{id}")).await.body["server"].clone();
    assert_eq!(shown["status"], "ERROR");
    assert_eq!(
        shown["fault"]["message"],
        "An operator set the state by hand."
    );
    assert_eq!(shown["fault"]["skybus:code"], "set-by-operator");
    assert_eq!(shown["fault"]["code"], 500, "stock clients read a number");
    assert!(shown["fault"].get("details").is_none());
    // It is still deleted in full.
    let path = format!("/servers/{id}");
    let gone = cloud
        .ask(&cloud.demo, "2.1", Method::DELETE, &path, Value::Null)
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(
        cloud.get("/limits").await.body["limits"]["absolute"]["totalInstancesUsed"],
        0
    );
}

#[tokio::test]
async fn nothing_boots_in_a_project_that_goes() {
    let cloud = Arc::new(Cloud::on(TestApp::postgres().await).await);
    let mut goes = cloud.store().begin().await.unwrap();
    // It has an image, so this is refused in the end.
    let refused = projects::delete(&mut goes, cloud.eve_project).await;
    assert!(refused.is_err());
    let asked = cloud.clone();
    let boots = async move { asked.boot(&asked.eve, json!({})).await };
    cloud.test.held_up(boots, async || drop(goes)).await;
}
