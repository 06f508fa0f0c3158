//! What is whose in the Compute API; that another project's things do not exist is tried in [`crate::tenants`].

use http::Method;
use serde_json::{Value, json};

use super::{cloud::Cloud, on_both};

on_both! {
    lists_and_limits_are_ones_own
    keypairs_are_their_users
    a_private_flavor_is_seen_by_whom_it_was_given_to
}

async fn lists_and_limits_are_ones_own(cloud: &Cloud) {
    let id = cloud.boot(&cloud.demo, json!({})).await;
    cloud.boot(&cloud.eve, json!({})).await;
    let count = async |token: &str, query: &str| {
        let path = format!("/servers{query}");
        let answer = cloud
            .ask(token, "2.1", Method::GET, &path, Value::Null)
            .await;
        answer.body["servers"]
            .as_array()
            .map_or(usize::MAX, Vec::len)
    };
    assert_eq!(count(&cloud.demo, "").await, 1);
    assert_eq!(count(&cloud.eve, "").await, 1);
    assert_eq!(count(&cloud.admin, "").await, 0);
    assert_eq!(count(&cloud.admin, "?all_tenants=1").await, 2);
    let one = format!("?all_tenants=True&project_id={}", cloud.demo_project);
    assert_eq!(count(&cloud.admin, &one).await, 1);
    // Another's id as a marker or a filter finds nothing and tells nothing.
    let path = format!("/servers?marker={id}");
    let answer = cloud
        .ask(&cloud.eve, "2.1", Method::GET, &path, Value::Null)
        .await;
    assert_eq!(answer.status, 400);
    let forbidden = "/servers?all_tenants=1";
    let answer = cloud
        .ask(&cloud.eve, "2.1", Method::GET, forbidden, Value::Null)
        .await;
    assert_eq!(answer.status, 403);
    let quota = format!("/os-quota-sets/{}", cloud.demo_project);
    let answer = cloud
        .ask(&cloud.eve, "2.1", Method::GET, &quota, Value::Null)
        .await;
    assert_eq!(answer.status, 403);
}

async fn keypairs_are_their_users(cloud: &Cloud) {
    let body = json!({ "keypair": { "name": "key1" } });
    let made = cloud
        .ask(
            &cloud.demo,
            "2.1",
            Method::POST,
            "/os-keypairs",
            body.clone(),
        )
        .await;
    assert_eq!(made.status, 200, "{:?}", made.body);
    let private = made.body["keypair"]["private_key"].as_str().unwrap();
    assert!(
        private.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"),
        "{private}"
    );
    let again = cloud
        .ask(
            &cloud.demo,
            "2.1",
            Method::POST,
            "/os-keypairs",
            body.clone(),
        )
        .await;
    assert_eq!(again.status, 409);
    let path = "/os-keypairs/key1";
    let seen = cloud
        .ask(&cloud.eve, "2.1", Method::GET, path, Value::Null)
        .await;
    assert_eq!(seen.status, 404);
    let gone = cloud
        .ask(&cloud.eve, "2.1", Method::DELETE, path, Value::Null)
        .await;
    assert_eq!(gone.status, 404);
    let shown = cloud.get(path).await.body["keypair"].clone();
    assert!(shown.get("private_key").is_none());
    assert_eq!(shown["fingerprint"].as_str().unwrap().len(), 47);
    // A server keeps the key that it was made with.
    let id = cloud.boot(&cloud.demo, json!({ "key_name": "key1" })).await;
    let gone = cloud
        .ask(&cloud.demo, "2.2", Method::DELETE, path, Value::Null)
        .await;
    assert_eq!(gone.status, 204);
    let server = cloud.get(&format!("/servers/{id}")).await;
    assert_eq!(server.body["server"]["key_name"], "key1");
    let import = json!({ "keypair": {
        "name": "key1", "type": "ssh", "public_key": made.body["keypair"]["public_key"],
    }});
    let imported = cloud
        .ask(&cloud.eve, "2.92", Method::POST, "/os-keypairs", import)
        .await;
    assert_eq!(imported.status, 201, "{:?}", imported.body);
    assert_eq!(
        imported.body["keypair"]["fingerprint"],
        shown["fingerprint"]
    );
    assert!(imported.body["keypair"].get("private_key").is_none());
}

async fn a_private_flavor_is_seen_by_whom_it_was_given_to(cloud: &Cloud) {
    let body = json!({ "flavor": {
        "name": "own", "id": "own", "ram": 64, "vcpus": 1, "disk": 1,
        "os-flavor-access:is_public": false,
    }});
    let made = cloud
        .ask(&cloud.admin, "2.1", Method::POST, "/flavors", body)
        .await;
    assert_eq!(made.status, 200, "{:?}", made.body);
    let status = async |token: &str| {
        cloud
            .ask(token, "2.1", Method::GET, "/flavors/own", Value::Null)
            .await
            .status
    };
    assert_eq!(status(&cloud.demo).await, 404);
    let give = json!({ "addTenantAccess": { "tenant": cloud.demo_project } });
    let path = "/flavors/own/action";
    assert_eq!(
        cloud
            .ask(&cloud.admin, "2.1", Method::POST, path, give)
            .await
            .status,
        200
    );
    assert_eq!(status(&cloud.demo).await, 200);
    assert_eq!(status(&cloud.eve).await, 404);
    let refused = cloud.boot_body(json!({ "flavorRef": "own" }));
    let refused = cloud
        .ask(&cloud.eve, "2.1", Method::POST, "/servers", refused)
        .await;
    assert_eq!(refused.status, 400);
    cloud.boot(&cloud.demo, json!({ "flavorRef": "own" })).await;
}
