//! A server's life as its owner sees it.

use http::Method;
use serde_json::{Value, json};
use skybus_model::server::VmState;

use super::{cloud::Cloud, on_both};

on_both! {
    a_boot_is_accepted_whole
    a_boot_without_a_host_is_deleted_at_once
    actions_go_to_the_host_and_are_refused_while_another_runs
    several_servers_in_one_request_are_numbered_and_all_or_nothing
    lists_have_filters_sorting_and_pages
    metadata_is_changed_key_by_key
    newer_microversions_show_more
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

async fn lists_have_filters_sorting_and_pages(cloud: &Cloud) {
    for name in ["alpha", "beta", "web-1", "web-2", "web-10"] {
        cloud.boot(&cloud.demo, json!({ "name": name })).await;
    }
    let names = async |query: &str| {
        let answer = cloud.get(&format!("/servers{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {:?}", answer.body);
        let all = answer.body["servers"].as_array().unwrap().clone();
        all.iter()
            .map(|s| s["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // Newest first.
    assert_eq!(
        names("").await,
        ["web-10", "web-2", "web-1", "beta", "alpha"]
    );
    assert_eq!(names("?name=^web").await, ["web-10", "web-2", "web-1"]);
    assert_eq!(names("?name=eta").await, ["beta"]);
    assert_eq!(names("?status=active").await, [""; 0]);
    assert_eq!(names("?status=BUILD&name=alpha").await, ["alpha"]);
    assert_eq!(names("?flavor=84").await.len(), 5);
    assert_eq!(names("?flavor=1").await.len(), 0);
    assert_eq!(names(&format!("?image={}", cloud.image)).await.len(), 5);
    assert_eq!(names("?ip=10.1.0.").await.len(), 5);
    assert_eq!(names("?ip=10.9.9.9").await.len(), 0);
    assert_eq!(
        names("?sort_key=display_name&sort_dir=asc").await,
        ["alpha", "beta", "web-1", "web-10", "web-2"]
    );
    // Every page once, whichever way it is sorted.
    for order in ["", "&sort_key=display_name&sort_dir=desc"] {
        let mut path = format!("/servers?limit=2{order}");
        let mut seen = Vec::new();
        loop {
            let page = cloud.get(&path).await.body;
            let all = page["servers"].as_array().unwrap().clone();
            seen.extend(all.iter().map(|s| s["name"].as_str().unwrap().to_owned()));
            let Some(next) = page["servers_links"][0]["href"].as_str() else {
                break;
            };
            path = next.split_once("/compute/v2.1").unwrap().1.to_owned();
        }
        assert_eq!(seen.len(), 5, "{seen:?}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 5, "{seen:?}");
    }
    let future = "/servers?changes-since=2999-01-01T00:00:00Z";
    assert_eq!(cloud.get(future).await.body["servers"], json!([]));
}

async fn metadata_is_changed_key_by_key(cloud: &Cloud) {
    let id = cloud
        .boot(&cloud.demo, json!({ "metadata": { "a": "1", "b": "2" } }))
        .await;
    let path = format!("/servers/{id}/metadata");
    let ask = async |method: Method, path: &str, body: Value| {
        cloud.ask(&cloud.demo, "2.1", method, path, body).await
    };
    let merged = ask(
        Method::POST,
        &path,
        json!({ "metadata": { "b": "3", "c": "4" } }),
    )
    .await;
    assert_eq!(
        merged.body["metadata"],
        json!({ "a": "1", "b": "3", "c": "4" })
    );
    let one = ask(
        Method::PUT,
        &format!("{path}/a"),
        json!({ "meta": { "a": "9" } }),
    )
    .await;
    assert_eq!(one.body, json!({ "meta": { "a": "9" } }));
    assert_eq!(
        cloud.get(&format!("{path}/a")).await.body,
        json!({ "meta": { "a": "9" } })
    );
    assert_eq!(
        ask(Method::DELETE, &format!("{path}/a"), Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        ask(Method::DELETE, &format!("{path}/a"), Value::Null)
            .await
            .status,
        404
    );
    let all = ask(Method::PUT, &path, json!({ "metadata": { "z": "" } })).await;
    assert_eq!(all.body["metadata"], json!({ "z": "" }));
    assert_eq!(cloud.get(&path).await.body["metadata"], json!({ "z": "" }));
}

async fn newer_microversions_show_more(cloud: &Cloud) {
    cloud.a_host().await;
    let body = cloud.boot_body(json!({
        "description": "mine", "networks": "auto", "hostname": "web", "availability_zone": "nova",
    }));
    let answer = cloud
        .ask(&cloud.demo, "2.96", Method::POST, "/servers", body)
        .await;
    assert_eq!(answer.status, 202, "{:?}", answer.body);
    let id = answer.body["server"]["id"].as_str().unwrap().to_owned();
    cloud.settle(&id, VmState::Active).await;
    let path = format!("/servers/{id}");
    let seen = async |token: &str, version: &str| {
        cloud
            .ask(token, version, Method::GET, &path, Value::Null)
            .await
            .body["server"]
            .clone()
    };
    let old = seen(&cloud.demo, "2.1").await;
    assert!(old.get("description").is_none() && old.get("locked").is_none());
    let new = seen(&cloud.demo, "2.96").await;
    assert_eq!(new["description"], "mine");
    assert_eq!(new["locked"], false);
    assert_eq!(new["flavor"]["original_name"], "m1.nano");
    assert_eq!(new["flavor"]["vcpus"], 1);
    assert_eq!(new["OS-EXT-SRV-ATTR:hostname"], "web");
    assert_eq!(new["pinned_availability_zone"], "nova");
    assert_eq!(new["OS-EXT-AZ:availability_zone"], "nova");
    assert_eq!(new["server_groups"], json!([]));
    assert_eq!(new["hostId"].as_str().unwrap().len(), 56);
    assert!(new.get("OS-EXT-SRV-ATTR:host").is_none() && new.get("host_status").is_none());
    let admins = seen(&cloud.admin, "2.96").await;
    assert_eq!(admins["OS-EXT-SRV-ATTR:host"], "node-1");
    assert_eq!(admins["host_status"], "UP");
    assert_eq!(admins["hostId"], new["hostId"]);

    let renamed = json!({ "server": { "name": "other", "description": null } });
    let renamed = cloud
        .ask(&cloud.demo, "2.19", Method::PUT, &path, renamed)
        .await;
    assert_eq!(renamed.body["server"]["name"], "other");
    assert_eq!(renamed.body["server"]["description"], Value::Null);
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
    let unknown = cloud
        .get(&format!("/servers/{id}/os-instance-actions/req-x"))
        .await;
    assert_eq!(unknown.status, 404);
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
