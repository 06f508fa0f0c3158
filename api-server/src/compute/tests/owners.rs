//! Repeated requests: the same key and body give the same answer and one server.

use http::Method;
use serde_json::json;

use super::{cloud::Cloud, on_both};

on_both! {
    a_repeated_boot_makes_one_server
    a_reader_may_look_but_not_touch
}

async fn a_repeated_boot_makes_one_server(cloud: &Cloud) {
    let headers = [("idempotency-key", "once")];
    let path = "/compute/v2.1/servers";
    let boot = async |body| {
        cloud
            .test
            .ask_with(&cloud.demo, Method::POST, path, &headers, body)
            .await
    };
    let first = boot(cloud.boot_body(json!({}))).await;
    assert_eq!(first.status, 202, "{:?}", first.body);
    let rows = cloud.rows().await;
    let again = boot(cloud.boot_body(json!({}))).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    let other = boot(cloud.boot_body(json!({ "name": "other" }))).await;
    assert_eq!(other.status, 409);
    assert_eq!(cloud.rows().await, rows);
}

async fn a_reader_may_look_but_not_touch(cloud: &Cloud) {
    let id = cloud.boot(&cloud.eve, json!({})).await;
    let reader = cloud.a_reader_of_eves_project().await;
    let path = format!("/servers/{id}");
    let seen = cloud
        .ask(&reader, "2.1", Method::GET, &path, json!(null))
        .await;
    assert_eq!(seen.status, 200);
    let before = cloud.rows().await;
    for (method, path, body) in [
        (Method::DELETE, path.clone(), json!(null)),
        (
            Method::POST,
            format!("{path}/action"),
            json!({ "os-stop": null }),
        ),
        (
            Method::POST,
            "/servers".to_owned(),
            cloud.boot_body(json!({})),
        ),
    ] {
        let answer = cloud.ask(&reader, "2.1", method, &path, body).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    assert_eq!(cloud.rows().await, before);
}
