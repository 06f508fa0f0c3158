//! A repeated POST, on both databases.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use skybus_model::Timestamp;
use skybus_store::identity::{answers, projects};

use crate::testing::{Answer, TestApp};

const PATH: &str = "/identity/v3/projects";

async fn post(test: &TestApp, token: &str, key: &str, name: &str) -> Answer {
    let body = json!({ "project": { "name": name } });
    test.ask_with(token, Method::POST, PATH, &[("idempotency-key", key)], body)
        .await
}

async fn named(test: &TestApp, name: &str) -> usize {
    let all = projects::list(test.store().pool()).await.unwrap();
    all.iter().filter(|project| project.name == name).count()
}

async fn the_same_again(test: TestApp) {
    let token = test.admin().await;
    let first = post(&test, &token, "k1", "p1").await;
    assert_eq!(first.status, StatusCode::CREATED, "{:?}", first.body);
    let again = post(&test, &token, "k1", "p1").await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_ne!(
        again.header("x-openstack-request-id"),
        first.header("x-openstack-request-id")
    );
    let other = post(&test, &token, "k1", "p2").await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert!(
        other.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("another request")
    );
    // Another key is another request, and that name is taken.
    assert_eq!(
        post(&test, &token, "k2", "p1").await.status,
        StatusCode::CONFLICT
    );
    // A refusal is an answer too.
    let refused = post(&test, &token, "k2", "p1").await;
    assert_eq!(refused.header("idempotency-replayed"), "true");
    assert_eq!(refused.body["error"]["code"], 409);
    assert_eq!((named(&test, "p1").await, named(&test, "p2").await), (1, 0));
    // Keys belong to a project.
    let elsewhere = test.login("admin", crate::testing::ADMIN, "demo").await;
    assert_eq!(
        post(&test, &elsewhere, "k1", "p3").await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn the_same_key_and_body_is_answered_from_memory() {
    the_same_again(TestApp::sqlite().await).await;
}

#[tokio::test]
async fn the_same_key_and_body_is_answered_from_memory_on_postgres() {
    the_same_again(TestApp::postgres().await).await;
}

#[tokio::test]
async fn another_member_of_the_project_does_not_get_the_answer() {
    let test = TestApp::sqlite().await;
    let make = |token: String| {
        let body = json!({ "keypair": { "name": "k" } });
        let key = [("idempotency-key", "k1")];
        let path = "/compute/v2.1/os-keypairs";
        let test = &test;
        async move { test.ask_with(&token, Method::POST, path, &key, body).await }
    };
    // Both have a role in the project `demo`.
    let first = make(test.demo().await).await;
    assert_eq!(first.status, StatusCode::OK, "{:?}", first.body);
    let second = make(test.login("admin", crate::testing::ADMIN, "demo").await).await;
    assert_eq!(second.status, StatusCode::OK, "{:?}", second.body);
    assert_eq!(second.header("idempotency-replayed"), "");
    assert_ne!(
        first.body["keypair"]["private_key"],
        second.body["keypair"]["private_key"]
    );
}

async fn at_once(test: TestApp) {
    let token = test.admin().await;
    let all = futures::future::join_all((0..8).map(|_| post(&test, &token, "k", "p"))).await;
    let made: Vec<&Answer> = all
        .iter()
        .filter(|a| a.status == StatusCode::CREATED)
        .collect();
    assert!(!made.is_empty());
    assert!(made.iter().all(|answer| answer.body == made[0].body));
    for answer in all
        .iter()
        .filter(|answer| answer.status != StatusCode::CREATED)
    {
        assert_eq!(answer.status, StatusCode::CONFLICT, "{:?}", answer.body);
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(named(&test, "p").await, 1);
}

#[tokio::test]
async fn of_several_at_once_one_is_done() {
    at_once(TestApp::sqlite().await).await;
}

#[tokio::test]
async fn of_several_at_once_one_is_done_on_postgres() {
    at_once(TestApp::postgres().await).await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_finds_the_answer_later() {
    let test = TestApp::sqlite().await;
    let token = test.admin().await;
    for pause in 0..12 {
        let (key, name) = (format!("k{pause}"), format!("p{pause}"));
        let asked = post(&test, &token, &key, &name);
        // Wherever in its work the request is when its caller goes away.
        let _ = tokio::time::timeout(Duration::from_micros(pause * 400), asked).await;
        let answer = loop {
            let answer = post(&test, &token, &key, &name).await;
            if answer.header("retry-after").is_empty() {
                break answer;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        assert_eq!(named(&test, &name).await, 1);
    }
}

#[tokio::test]
async fn a_run_that_died_is_done_again_and_cannot_answer_any_more() {
    let test = TestApp::sqlite().await;
    let token = test.admin().await;
    // What a process leaves that dies in the middle: a claim without an answer. To have its
    // fingerprint right, the claim is taken from a run of the same request whose answer is forgotten.
    let headers = http::HeaderMap::from_iter([(
        http::HeaderName::from_static("x-auth-token"),
        token.parse().unwrap(),
    )]);
    let auth = crate::http::auth::of(&test.app, &headers).await.unwrap();
    let scope = super::scope(auth.scope, auth.user);
    let request = http::Request::post(PATH).body(()).unwrap().into_parts().0;
    let body = json!({ "project": { "name": "p" } }).to_string();
    let print = super::fingerprint(&test.app, &request, body.as_bytes());
    let began = Timestamp(Timestamp::now().0 - 2 * 60 * 1_000_000);
    let mut tx = test.store().begin().await.unwrap();
    let claim = answers::claim(&mut tx, &scope, "k", &print, began, None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let answers::Claim::Mine(dead) = claim else {
        panic!("{claim:?}")
    };
    let answer = post(&test, &token, "k", "p").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let mut tx = test.store().begin().await.unwrap();
    assert!(!answers::record(&mut tx, &dead, "too late").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(post(&test, &token, "k", "p").await.body, answer.body);
}

#[tokio::test]
async fn a_key_must_be_a_key_and_a_failure_of_ours_is_not_remembered() {
    let test = TestApp::sqlite().await;
    let token = test.admin().await;
    for key in ["", &"x".repeat(256)] {
        let answer = post(&test, &token, key, "p").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{key:?}");
    }
    assert_eq!(named(&test, "p").await, 0);
    // Refused for want of a role: nothing is kept under the key.
    let demo = test.demo().await;
    assert_eq!(
        post(&test, &demo, "k", "p").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        post(&test, &demo, "k", "q").await.status,
        StatusCode::FORBIDDEN
    );
    let unknown: Value = test.get(&token, "/identity/v3/projects?name=p").await.body;
    assert_eq!(unknown["projects"], json!([]));
}
