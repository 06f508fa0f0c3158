//! Bad input: each case with the status and a piece of the message, and nothing left half done.

mod boots;
mod others;

use http::Method;
use serde_json::json;

use self::{
    boots::boots,
    others::{of_operators, others},
};
use super::{cloud::Cloud, on_both};

on_both! {
    bad_boots_are_refused
    other_bad_input_is_refused
    a_server_that_cannot_get_its_address_leaves_nothing
}

async fn bad_boots_are_refused(cloud: &Cloud) {
    cloud.a_host().await;
    let before = cloud.rows().await;
    for (more, version, status, piece) in boots(cloud) {
        let said: String = more.to_string().chars().take(120).collect();
        let body = cloud.boot_body(more);
        let answer = cloud
            .ask(&cloud.demo, version, Method::POST, "/servers", body)
            .await;
        check(&said, &answer, status, piece);
    }
    assert_eq!(cloud.rows().await, before);
}

fn check(said: &str, answer: &crate::testing::Answer, status: u16, piece: &str) {
    assert_eq!(answer.status.as_u16(), status, "{said}: {:?}", answer.body);
    let inner = answer
        .body
        .as_object()
        .and_then(|body| body.values().next());
    let inner = inner.unwrap_or_else(|| panic!("{said}: {:?}", answer.body));
    let message = inner["message"].as_str().unwrap_or_default();
    assert!(
        message.contains(piece),
        "{said}: {message:?} does not say {piece:?}"
    );
    assert_eq!(inner["code"], status, "{said}");
}

async fn other_bad_input_is_refused(cloud: &Cloud) {
    cloud.a_host().await;
    let id = cloud.boot(&cloud.demo, json!({})).await;
    cloud
        .settle(&id, skybus_model::server::VmState::Active)
        .await;
    let before = cloud.rows().await;
    let of_demo = others().into_iter().map(|case| (&cloud.demo, case));
    let of_admin = of_operators().into_iter().map(|case| (&cloud.admin, case));
    for (token, (method, path, body, version, status, piece)) in of_demo.chain(of_admin) {
        let said = format!("{method} {path} {body}");
        let path = path
            .replace("ID", &id)
            .replace("DEMO", &cloud.demo_project.to_string());
        let answer = cloud.ask(token, version, method, &path, body).await;
        check(&said, &answer, status, piece);
    }
    assert_eq!(cloud.rows().await, before);
}

/// These fail inside the transaction: what was written before them must not stay.
async fn a_server_that_cannot_get_its_address_leaves_nothing(cloud: &Cloud) {
    let at = |ip: &str| json!({ "networks": [{ "uuid": cloud.network, "fixed_ip": ip }] });
    cloud.boot(&cloud.demo, at("10.1.0.9")).await;
    let before = cloud.rows().await;
    for address in ["10.1.0.9", "10.1.0.1"] {
        let body = cloud.boot_body(at(address));
        let answer = cloud
            .ask(&cloud.demo, "2.1", Method::POST, "/servers", body)
            .await;
        check(address, &answer, 409, address);
        assert_eq!(cloud.rows().await, before, "{address}");
    }
}
