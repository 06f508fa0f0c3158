//! Projects, users, roles and assignments: lists, filters, and a table of what is refused.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::testing::TestApp;

fn names(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

async fn lists(test: TestApp) {
    let admin = test.admin().await;
    for name in ["alpha", "beta", "gamma", "Beta2"] {
        let body = json!({ "project": { "name": name, "enabled": name != "gamma" } });
        let answer = test
            .ask(&admin, Method::POST, "/identity/v3/projects", body)
            .await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.body["project"]["domain_id"], "default");
    }
    for (query, expected) in [
        ("", vec!["Beta2", "admin", "alpha", "beta", "demo", "gamma"]),
        ("?name=beta", vec!["beta"]),
        ("?name=nothing", vec![]),
        ("?enabled=false", vec!["gamma"]),
        ("?domain_id=default&name__startswith=al", vec!["alpha"]),
        ("?name__icontains=BETA", vec!["Beta2", "beta"]),
        ("?domain_id=elsewhere", vec![]),
        ("?is_domain=true", vec![]),
        (
            "?sort_key=name&sort_dir=desc&limit=2",
            vec!["gamma", "demo"],
        ),
    ] {
        let answer = test
            .get(&admin, &format!("/identity/v3/projects{query}"))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        assert_eq!(names(&answer.body["projects"]), expected, "{query}");
    }
    let mut path = "/identity/v3/projects?limit=4".to_owned();
    let mut seen = Vec::new();
    loop {
        let answer = test.get(&admin, &path).await;
        seen.extend(
            names(&answer.body["projects"])
                .into_iter()
                .map(str::to_owned),
        );
        let Some(next) = answer.body["links"]["next"].as_str() else {
            break;
        };
        path = next
            .strip_prefix("http://cloud.test:8774")
            .unwrap()
            .to_owned();
    }
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    lists(TestApp::sqlite().await).await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged_on_postgres() {
    lists(TestApp::postgres().await).await;
}

async fn grants(test: TestApp) {
    let admin = test.admin().await;
    let first = |answer: Value, plural: &str| answer[plural][0]["id"].as_str().unwrap().to_owned();
    let project = first(
        test.get(&admin, "/identity/v3/projects?name=demo")
            .await
            .body,
        "projects",
    );
    let user = first(
        test.get(&admin, "/identity/v3/users?name=demo").await.body,
        "users",
    );
    let role = first(
        test.get(&admin, "/identity/v3/roles?name=admin").await.body,
        "roles",
    );
    let grant = format!("/identity/v3/projects/{project}/users/{user}/roles/{role}");
    let status = |method: Method| {
        let (test, admin, grant) = (&test, &admin, &grant);
        async move {
            test.ask(admin, method, grant, Value::Null)
                .await
                .status
                .as_u16()
        }
    };
    assert_eq!(status(Method::HEAD).await, 404);
    assert_eq!(status(Method::DELETE).await, 404);
    assert_eq!(status(Method::PUT).await, 204);
    assert_eq!(status(Method::PUT).await, 204);
    assert_eq!(status(Method::HEAD).await, 204);
    let held = format!("/identity/v3/projects/{project}/users/{user}/roles");
    let held = test.get(&admin, &held).await;
    assert_eq!(names(&held.body["roles"]), ["admin", "member", "reader"]);
    let path = format!("/identity/v3/role_assignments?user.id={user}&include_names=True");
    let listed = test.get(&admin, &path).await.body;
    let mut roles: Vec<&str> = listed["role_assignments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["role"]["name"].as_str().unwrap())
        .collect();
    roles.sort_unstable();
    assert_eq!(roles, ["admin", "member", "reader"]);
    assert_eq!(status(Method::DELETE).await, 204);
    let path = format!("/identity/v3/role_assignments?scope.project.id={project}&role.id={role}");
    let listed = test.get(&admin, &path).await.body;
    assert_eq!(
        listed["role_assignments"].as_array().unwrap().len(),
        1,
        "admin's own"
    );
}

#[tokio::test]
async fn roles_are_given_and_taken() {
    grants(TestApp::sqlite().await).await;
}

#[tokio::test]
async fn roles_are_given_and_taken_on_postgres() {
    grants(TestApp::postgres().await).await;
}

/// Method, path below `/identity/v3`, body, status, a word of the message.
type Refused = (&'static str, &'static str, &'static str, u16, &'static str);

#[rustfmt::skip]
const REFUSED: &[Refused] = &[
    ("POST", "/projects", r#"{"project": {}}"#, 400, "project.name"),
    ("POST", "/projects", r#"{"project": {"name": ""}}"#, 400, "project.name"),
    ("POST", "/projects", r#"{"project": {"name": "  "}}"#, 400, "project.name"),
    ("POST", "/projects", r#"{"project": {"name": "a name that is far longer than the sixty-four characters it may have"}}"#, 400, "1 to 64"),
    ("POST", "/projects", r#"{"project": {"name": null}}"#, 400, "project.name"),
    ("POST", "/projects", r#"{"project": {"name": ["a"]}}"#, 400, "project.name"),
    ("POST", "/projects", r#"{"project": {"name": "demo"}}"#, 409, "demo"),
    ("POST", "/projects", r#"{"project": {"name": "a", "domain_id": "x"}}"#, 400, "domain"),
    ("POST", "/projects", r#"{"project": {"name": "a", "is_domain": true}}"#, 400, "domain"),
    ("POST", "/projects", r#"{"project": {"name": "a", "tags": ["t"]}}"#, 400, "tags"),
    ("POST", "/projects", r#"{"server": {}}"#, 400, "project"),
    ("POST", "/users", r#"{"user": {"password": "x"}}"#, 400, "user.name"),
    ("POST", "/users", r#"{"user": {"name": "demo"}}"#, 409, "demo"),
    ("POST", "/users", r#"{"user": {"name": "a", "password": ""}}"#, 400, "password"),
    ("POST", "/users", r#"{"user": {"name": "a", "password": 12345}}"#, 400, "password"),
    ("POST", "/users", r#"{"user": {"name": "a", "enabled": "yes"}}"#, 400, "user.enabled"),
    ("POST", "/users", r#"{"user": {"name": "a", "default_project_id": "no-id"}}"#, 400, "default_project_id"),
    ("POST", "/roles", r#"{"role": {"name": "admin"}}"#, 409, "admin"),
    ("POST", "/roles", r#"{"role": {}}"#, 400, "role.name"),
    ("GET", "/projects/00000000000000000000000000000000", "null", 404, "Project"),
    ("GET", "/projects/..%2f..", "null", 404, "Project"),
    ("PATCH", "/projects/00000000000000000000000000000000", r#"{"project": {"name": "a"}}"#, 404, "Project"),
    ("DELETE", "/projects/00000000000000000000000000000000", "null", 404, "Project"),
    ("GET", "/users/1", "null", 404, "User"),
    ("DELETE", "/users/1", "null", 404, "User"),
    ("GET", "/domains/other", "null", 404, "Domain"),
    ("GET", "/services/other", "null", 404, "Service"),
    ("GET", "/projects?limit=many", "null", 400, "limit"),
    ("GET", "/projects?marker=gone", "null", 400, "marker"),
    ("GET", "/projects?sort_key=secret", "null", 400, "secret"),
    ("GET", "/projects?name__like=x", "null", 400, "name__like"),
    ("GET", "/projects?enabled=maybe", "null", 400, "maybe"),
    ("GET", "/auth/tokens", "null", 400, "X-Subject-Token"),
    ("POST", "/auth/tokens", "{}", 400, "auth"),
    ("POST", "/auth/tokens", r#"{"auth": {"identity": {}}}"#, 400, "methods"),
    ("POST", "/auth/tokens", r#"{"auth": {"identity": {"methods": []}}}"#, 400, "methods"),
    ("POST", "/auth/tokens", r#"{"auth": {"identity": {"methods": ["totp"]}}}"#, 401, "totp"),
    ("POST", "/auth/tokens", r#"{"auth": {"identity": {"methods": ["password"]}}}"#, 400, "password"),
    ("POST", "/auth/tokens", r#"{"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}}"#, 400, "id or a name"),
    ("POST", "/auth/tokens", r#"{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "demo", "password": "x"}}}}}"#, 400, "domain"),
    ("POST", "/auth/tokens", r#"{"auth": {"identity": {"methods": ["token"], "token": {"id": "forged"}}}}"#, 401, "refused"),
];

#[tokio::test]
async fn what_is_refused_says_why_and_leaves_nothing() {
    let test = TestApp::sqlite().await;
    let admin = test.admin().await;
    let before = test.get(&admin, "/identity/v3/users").await.body;
    for (method, path, body, status, word) in REFUSED {
        let told = format!("{method} {path} {body}");
        let (method, body) = (method.parse().unwrap(), serde_json::from_str(body).unwrap());
        let answer = test
            .ask(&admin, method, &format!("/identity/v3{path}"), body)
            .await;
        assert_eq!(answer.status.as_u16(), *status, "{told}: {:?}", answer.body);
        let message = answer.body["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(*word), "{told}: {message}");
        assert_eq!(answer.body["error"]["code"], *status, "{told}");
    }
    assert_eq!(test.get(&admin, "/identity/v3/users").await.body, before);
    let projects = test.get(&admin, "/identity/v3/projects").await.body;
    assert_eq!(names(&projects["projects"]), ["admin", "demo"]);
}

#[tokio::test]
async fn the_policys_own_roles_and_oneself_cannot_be_removed() {
    let test = TestApp::sqlite().await;
    let admin = test.admin().await;
    let roles = test.get(&admin, "/identity/v3/roles").await.body;
    for role in roles["roles"].as_array().unwrap() {
        let path = format!("/identity/v3/roles/{}", role["id"].as_str().unwrap());
        let answer = test.ask(&admin, Method::DELETE, &path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    for (plural, name) in [("users", "admin"), ("projects", "admin")] {
        let found = test
            .get(&admin, &format!("/identity/v3/{plural}?name={name}"))
            .await
            .body;
        let path = format!(
            "/identity/v3/{plural}/{}",
            found[plural][0]["id"].as_str().unwrap()
        );
        let answer = test.ask(&admin, Method::DELETE, &path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
}
