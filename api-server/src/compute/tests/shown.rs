//! How servers are listed and shown.

use http::Method;
use serde_json::{Value, json};
use skybus_model::server::VmState;

use super::{cloud::Cloud, on_both};

on_both! {
    lists_have_filters_sorting_and_pages
    metadata_is_changed_key_by_key
    newer_microversions_show_more
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
    // A direction that is not said is down for servers, as in Nova, and up for flavors.
    assert_eq!(
        names("?sort_key=display_name").await,
        ["web-2", "web-10", "web-1", "beta", "alpha"]
    );
    let flavors = cloud.get("/flavors/detail?sort_key=memory_mb").await;
    let flavors = flavors.body["flavors"].as_array().unwrap().clone();
    let sizes: Vec<_> = flavors.iter().map(|f| f["ram"].as_i64().unwrap()).collect();
    assert!(sizes.len() > 1 && sizes.is_sorted(), "{sizes:?}");
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
