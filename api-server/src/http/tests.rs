//! The way of a request, tried through the whole router.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::{
    Action, Rule,
    microversion::{MAX, MIN},
    shed::Places,
};
use crate::testing::{Answer, TestApp};

/// Headers, the answer's status, the version that it says it is in.
type VersionCase<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);

const SOME_ID: &str = "4f3c2a5e90d14e0e8f5a0c6f9f6c1a7b";

/// A path of the table with something in its holes.
fn filled(prefix: &str, path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| if part.starts_with('{') { SOME_ID } else { part })
        .collect();
    format!("{prefix}{}", parts.join("/"))
}

#[tokio::test]
async fn no_route_answers_a_stranger_unless_the_policy_says_so() {
    let test = TestApp::sqlite().await;
    let demo = test.demo().await;
    assert!(test.table.len() > 30);
    for route in &test.table {
        let path = filled(route.api.prefix(), route.path);
        let told = format!("{} {path}", route.method);
        let ask = |token: String| {
            let (method, path) = (route.method.clone(), path.clone());
            let test = &test;
            async move { test.ask(&token, method, &path, Value::Null).await }
        };
        if route.action.rule() == Rule::Anyone {
            continue;
        }
        let stranger = ask(String::new()).await;
        assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{told}");
        assert_eq!(
            stranger.header("www-authenticate"),
            "Keystone uri=\"http://cloud.test:8774/identity\"",
            "{told}"
        );
        let forged = ask("gAAAAAB_not_a_token".to_owned()).await;
        assert_eq!(forged.status, StatusCode::UNAUTHORIZED, "{told}");
        if route.action.rule() == Rule::Admin {
            let user = ask(demo.clone()).await;
            assert_eq!(user.status, StatusCode::FORBIDDEN, "{told}");
            if route.method != Method::HEAD {
                assert!(
                    user.body.to_string().contains(route.action.name()),
                    "{told}"
                );
            }
        }
    }
}

#[test]
fn every_action_has_its_own_name() {
    let mut names: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Action::ALL.len());
}

#[tokio::test]
async fn each_api_refuses_in_its_own_words() {
    let test = TestApp::sqlite().await;
    let token = test.admin().await;
    let missing = |answer: &Answer| answer.status == StatusCode::NOT_FOUND;
    let answer = test.get(&token, "/compute/v2.1/nothing").await;
    assert!(
        missing(&answer) && answer.body["itemNotFound"]["code"] == 404,
        "{answer:?}"
    );
    let answer = test.get(&token, "/network/v2.0/nothing").await;
    assert!(missing(&answer) && answer.body["NeutronError"]["type"] == "HTTPNotFound");
    let answer = test.get(&token, "/image/v2/nothing").await;
    assert!(
        missing(&answer) && answer.body["title"] == "Not Found",
        "{answer:?}"
    );
    let answer = test.get(&token, "/identity/v3/nothing").await;
    assert!(missing(&answer) && answer.body["error"]["title"] == "Not Found");
    let answer = test.get(&token, "/nothing").await;
    assert!(missing(&answer) && answer.body["error"]["code"] == 404);
    let answer = test.get("", "/metadata/nothing").await;
    assert!(
        !answer.header("content-type").contains("json"),
        "{answer:?}"
    );
    let answer = test
        .ask(&token, Method::PUT, "/identity/v3/projects", Value::Null)
        .await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.body["error"]["code"], 405);
    assert!(answer.header("allow").contains("POST"), "{answer:?}");
}

#[tokio::test]
async fn every_answer_carries_the_requests_id() {
    let test = TestApp::sqlite().await;
    let mut seen = std::collections::HashSet::new();
    for path in [
        "/",
        "/nothing",
        "/compute/v2.1/servers",
        "/identity/v3/users",
    ] {
        let answer = test.get("", path).await;
        let id = answer.header("x-openstack-request-id").to_owned();
        assert!(id.starts_with("req-") && id.len() == 40, "{path}: {id}");
        assert_eq!(answer.header("x-compute-request-id"), id);
        assert!(seen.insert(id), "an id came twice");
    }
}

#[tokio::test]
async fn the_version_documents_are_found_with_and_without_a_slash() {
    let test = TestApp::sqlite().await;
    for (path, status, pointer, expected) in [
        ("/", 200, "/versions/values/0/id", "v3.14"),
        ("/identity", 300, "/versions/values/0/id", "v3.14"),
        ("/identity/v3", 200, "/version/id", "v3.14"),
        ("/compute", 200, "/versions/0/id", "v2.1"),
        ("/compute/v2.1", 200, "/version/id", "v2.1"),
        ("/image", 300, "/versions/0/id", "v2.9"),
        ("/image/versions", 200, "/versions/0/status", "CURRENT"),
        ("/network", 200, "/versions/0/id", "v2.0"),
        ("/network/v2.0", 200, "/resources/0/name", "network"),
    ] {
        for path in [path.to_owned(), format!("{}/", path.trim_end_matches('/'))] {
            let answer = test.get("", &path).await;
            assert_eq!(answer.status.as_u16(), status, "{path}");
            assert_eq!(
                answer.body.pointer(pointer),
                Some(&json!(expected)),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn the_compute_version_is_settled_in_both_forms() {
    let test = TestApp::sqlite().await;
    let latest = MAX.to_string();
    let cases: [VersionCase<'_>; 11] = [
        (&[], 404, "2.1"),
        (&[("x-openstack-nova-api-version", "2.53")], 404, "2.53"),
        (&[("openstack-api-version", "compute 2.7")], 404, "2.7"),
        (&[("openstack-api-version", "compute latest")], 404, &latest),
        (&[("openstack-api-version", "volume 3.1")], 404, "2.1"),
        (
            &[("openstack-api-version", "volume 3.1, compute 2.9")],
            404,
            "2.9",
        ),
        (
            &[
                ("openstack-api-version", "compute 2.4"),
                ("x-openstack-nova-api-version", "2.5"),
            ],
            404,
            "2.4",
        ),
        (&[("openstack-api-version", "compute 2.9999")], 406, "2.1"),
        (&[("openstack-api-version", "compute 3.0")], 406, "2.1"),
        (&[("openstack-api-version", "compute two")], 400, "2.1"),
        (&[("x-openstack-nova-api-version", "2.01")], 400, "2.1"),
    ];
    for (headers, status, spoken) in cases {
        let path = "/compute/v2.1/nothing";
        let answer = test
            .ask_with("", Method::GET, path, headers, Value::Null)
            .await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        assert_eq!(
            answer.header("x-openstack-nova-api-version"),
            spoken,
            "{headers:?}"
        );
        assert_eq!(
            answer.header("openstack-api-version"),
            format!("compute {spoken}")
        );
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert_eq!(vary.len(), 2, "{headers:?}");
        assert!(answer.body.is_object(), "{headers:?}");
    }
    assert!(MIN < MAX);
}

#[tokio::test]
async fn a_body_that_is_wrong_is_answered_with_the_name_of_what_is_wrong() {
    let test = TestApp::sqlite().await;
    let token = test.admin().await;
    let send = |kind: &'static str, body: Vec<u8>| {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/identity/v3/projects")
            .header("x-auth-token", &token)
            .header("content-type", kind)
            .body(Body::from(body))
            .unwrap();
        test.send(request)
    };
    let json = "application/json";
    let cases: [(&'static str, Vec<u8>, u16, &str); 9] = [
        (json, b"".to_vec(), 400, "no body"),
        (json, b"{\"project\": ".to_vec(), 400, "not valid JSON"),
        (json, b"{\"project\": {}} x".to_vec(), 400, "not valid JSON"),
        (json, b"[]".to_vec(), 400, "invalid body"),
        (json, b"{}".to_vec(), 400, "project"),
        (
            json,
            b"{\"project\": {\"name\": 7}}".to_vec(),
            400,
            "project.name",
        ),
        (
            json,
            b"{\"project\": {\"name\": \"a\", \"enabled\": \"x\"}}".to_vec(),
            400,
            "project.enabled",
        ),
        ("text/xml", b"<project/>".to_vec(), 415, "application/json"),
        (json, vec![b' '; 600 * 1024], 413, "larger"),
    ];
    for (kind, body, status, word) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = send(kind, body).await;
        assert_eq!(answer.status.as_u16(), status, "{shown}");
        let message = answer.body["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(word), "{shown}: {message}");
    }
}

#[tokio::test]
async fn when_too_many_requests_run_the_next_is_told_to_come_back() {
    let database = skybus_store::testing::TestStore::sqlite().await;
    let test = TestApp::on(database, 0).await;
    let answer = test.get("", "/compute/v2.1/servers").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "1");
    assert!(answer.header("x-openstack-request-id").starts_with("req-"));
    // A place is given back when the request ends.
    let served = super::router::build_with(&test.app, Places::new(1));
    for _ in 0..3 {
        let request = Request::get("/").body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(served.router.clone(), request)
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_text_that_no_database_can_hold_is_the_callers_mistake() {
    let test = TestApp::postgres().await;
    let demo = test.demo().await;
    let bodies = [
        (
            "/network/v2.0/networks",
            json!({"network": {"name": "a\0b"}}),
        ),
        (
            "/network/v2.0/security-groups",
            json!({"security_group": {"name": "a", "description": "\0"}}),
        ),
        (
            "/compute/v2.1/os-keypairs",
            json!({"keypair": {"name": "a\0"}}),
        ),
        ("/image/v2/images", json!({"name": "a", "k\0": "v"})),
    ];
    for (path, body) in bodies {
        let answer = test.ask(&demo, Method::POST, path, body).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{path}: {}",
            answer.body
        );
        assert!(answer.body.to_string().contains("NUL"), "{}", answer.body);
    }
    for query in [
        "/network/v2.0/networks?name=%00",
        "/compute/v2.1/servers?name=a%00",
        "/compute/v2.1/flavors?marker=%00",
    ] {
        let answer = test.get(&demo, query).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{query}: {}",
            answer.body
        );
    }
    for path in [
        "/compute/v2.1/os-keypairs/%00",
        "/compute/v2.1/flavors/a%00",
    ] {
        let answer = test.get(&demo, path).await;
        assert_eq!(
            answer.status,
            StatusCode::NOT_FOUND,
            "{path}: {}",
            answer.body
        );
    }
}
