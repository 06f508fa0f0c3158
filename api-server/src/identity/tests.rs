//! The Identity API as its clients see it, on both databases.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::testing::{ADMIN, Answer, DEMO, TestApp};

const TOKENS: &str = "/identity/v3/auth/tokens";

fn by_password(user: &str, password: &str, scope: &Value) -> Value {
    let mut body = json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": {
        "name": user, "domain": { "name": "Default" }, "password": password,
    }}}}});
    if !scope.is_null() {
        body["auth"]["scope"] = scope.clone();
    }
    body
}

async fn login(test: &TestApp, body: Value) -> Answer {
    test.ask("", Method::POST, TOKENS, body).await
}

async fn rescope(test: &TestApp, token: &str, scope: Value) -> Answer {
    let identity = json!({ "methods": ["token"], "token": { "id": token } });
    login(
        test,
        json!({ "auth": { "identity": identity, "scope": scope } }),
    )
    .await
}

async fn is_good(test: &TestApp, token: &str) -> bool {
    test.get(token, "/identity/v3/auth/projects").await.status == StatusCode::OK
}

async fn id_of(test: &TestApp, admin: &str, plural: &str, name: &str) -> String {
    let answer = test
        .get(admin, &format!("/identity/v3/{plural}?name={name}"))
        .await;
    answer.body[plural][0]["id"].as_str().unwrap().to_owned()
}

async fn make(test: &TestApp, admin: &str, plural: &str, body: Value) -> String {
    let noun = &plural[..plural.len() - 1];
    let path = format!("/identity/v3/{plural}");
    let answer = test
        .ask(admin, Method::POST, &path, json!({ noun: body }))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    answer.body[noun]["id"].as_str().unwrap().to_owned()
}

async fn logging_in(test: TestApp) {
    let project = json!({ "project": { "name": "demo", "domain": { "id": "default" } } });
    let answer = login(&test, by_password("demo", DEMO, &project)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let said = &answer.body["token"];
    assert_eq!(said["user"]["name"], "demo");
    assert_eq!(
        said["user"]["domain"],
        json!({ "id": "default", "name": "Default" })
    );
    assert_eq!(said["project"]["name"], "demo");
    assert_eq!(said["methods"], json!(["password"]));
    let roles: Vec<_> = said["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["name"])
        .collect();
    assert_eq!(roles, ["member", "reader"]);
    let kinds: Vec<_> = said["catalog"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["type"])
        .collect();
    assert_eq!(kinds, ["identity", "compute", "image", "network"]);
    let token = answer.header("x-subject-token").to_owned();
    let nothing = ("x-subject-token", token.as_str());
    let again = test
        .ask_with(&token, Method::GET, TOKENS, &[nothing], Value::Null)
        .await;
    assert_eq!(again.body["token"], *said);
    let head = test
        .ask_with(&token, Method::HEAD, TOKENS, &[nothing], Value::Null)
        .await;
    assert_eq!((head.status, head.body), (StatusCode::OK, Value::Null));
    // By ids, without a scope (the default project), and explicitly without any.
    let (user, project) = (said["user"]["id"].clone(), said["project"]["id"].clone());
    let by_id = json!({ "methods": ["password"],
        "password": { "user": { "id": user, "password": DEMO } } });
    let answer = login(
        &test,
        json!({ "auth": { "identity": by_id,
        "scope": { "project": { "id": project } } } }),
    )
    .await;
    assert_eq!(answer.body["token"]["project"]["id"], project);
    let answer = login(&test, json!({ "auth": { "identity": by_id } })).await;
    assert_eq!(answer.body["token"]["project"]["id"], project);
    let answer = login(&test, by_password("demo", DEMO, &json!("unscoped"))).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert!(answer.body["token"].get("project").is_none());
    assert!(answer.body["token"].get("catalog").is_none());
    let unscoped = answer.header("x-subject-token").to_owned();
    assert!(is_good(&test, &unscoped).await);
    let catalog = test.get(&unscoped, "/identity/v3/auth/catalog").await;
    assert_eq!(catalog.status, StatusCode::FORBIDDEN);
    // From a token to one for a project: it ends when the first would have, and says how it came about.
    let scoped = rescope(&test, &unscoped, json!({ "project": { "id": project } })).await;
    assert_eq!(scoped.status, StatusCode::CREATED, "{:?}", scoped.body);
    assert_eq!(
        scoped.body["token"]["expires_at"],
        answer.body["token"]["expires_at"]
    );
    assert_eq!(
        scoped.body["token"]["methods"],
        json!(["token", "password"])
    );
    assert_eq!(
        scoped.body["token"]["audit_ids"][1],
        answer.body["token"]["audit_ids"][0]
    );
}

#[tokio::test]
async fn the_ways_to_a_token() {
    logging_in(TestApp::sqlite().await).await;
}

#[tokio::test]
async fn the_ways_to_a_token_on_postgres() {
    logging_in(TestApp::postgres().await).await;
}

#[tokio::test]
async fn logins_that_are_refused_all_look_alike() {
    let test = TestApp::sqlite().await;
    let admin = test.admin().await;
    let off = json!({ "name": "off", "password": "pw", "enabled": false });
    make(&test, &admin, "users", off).await;
    make(&test, &admin, "projects", json!({ "name": "foreign" })).await;
    let to = |name: &str| json!({ "project": { "name": name, "domain": { "id": "default" } } });
    let mut texts = Vec::new();
    for body in [
        by_password("demo", "wrong", &Value::Null),
        by_password("nobody", DEMO, &Value::Null),
        by_password("off", "pw", &Value::Null),
        by_password("demo", DEMO, &to("foreign")),
        by_password("demo", DEMO, &to("nowhere")),
        by_password("demo", "", &Value::Null),
    ] {
        let answer = login(&test, body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{body}");
        assert!(answer.headers.get("x-subject-token").is_none());
        texts.push(answer.body["error"]["message"].to_string());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn who_fails_too_often_has_to_wait_even_with_the_right_password() {
    let test = TestApp::sqlite().await;
    for _ in 0..super::password::MOST_FAILURES {
        let answer = login(&test, by_password("demo", "wrong", &Value::Null)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = login(&test, by_password("demo", DEMO, &Value::Null)).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.header("retry-after").parse::<u32>().unwrap() <= 61);
    // Others are not held up.
    assert!(!test.admin().await.is_empty());
}

#[tokio::test]
async fn another_spelling_of_the_same_user_is_not_another_user() {
    let test = TestApp::sqlite().await;
    let token = test.demo().await;
    let admin = test.admin().await;
    let found = test.get(&admin, "/identity/v3/users?name=demo").await;
    let id = found.body["users"][0]["id"].as_str().unwrap().to_owned();
    let bare = id.replace('-', "");
    let by_id = |id: &str, password: &str| {
        json!({ "auth": { "identity": { "methods": ["password"], "password": {
            "user": { "id": id, "password": password },
        }}}})
    };
    let change = async |id: &str| {
        let body = json!({ "user": { "password": "new", "original_password": "wrong" } });
        let path = format!("/identity/v3/users/{id}/password");
        test.ask(&token, Method::POST, &path, body).await
    };
    for turn in 0..super::password::MOST_FAILURES {
        let answer = match turn % 4 {
            0 => login(&test, by_password("demo", "wrong", &Value::Null)).await,
            1 => login(&test, by_id(&bare.to_uppercase(), "wrong")).await,
            2 => login(&test, by_id(&id, "wrong")).await,
            _ => change(&bare).await,
        };
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{turn}");
    }
    let answers = [
        login(&test, by_password("demo", DEMO, &Value::Null)).await,
        login(&test, by_id(&id, DEMO)).await,
        login(&test, by_id(&bare, DEMO)).await,
        change(&id.to_uppercase()).await,
    ];
    for answer in answers {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    }
}

async fn ending(test: TestApp) {
    let admin = test.admin().await;
    let project = make(&test, &admin, "projects", json!({ "name": "p" })).await;
    let user = make(
        &test,
        &admin,
        "users",
        json!({ "name": "u", "password": "one" }),
    )
    .await;
    let member = id_of(&test, &admin, "roles", "member").await;
    let grant = format!("/identity/v3/projects/{project}/users/{user}/roles/{member}");
    let user_path = format!("/identity/v3/users/{user}");
    let project_path = format!("/identity/v3/projects/{project}");
    let put = || test.ask(&admin, Method::PUT, &grant, Value::Null);
    let patch = |path: &str, body: Value| {
        let path = path.to_owned();
        let (test, admin) = (&test, &admin);
        async move { test.ask(admin, Method::PATCH, &path, body).await.status }
    };
    assert_eq!(put().await.status, StatusCode::NO_CONTENT);
    // Given back.
    let token = test.login("u", "one", "p").await;
    let other = test.login("u", "one", "p").await;
    let subject = [("x-subject-token", token.as_str())];
    let gone = test
        .ask_with(&token, Method::DELETE, TOKENS, &subject, Value::Null)
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert!(!is_good(&test, &token).await);
    assert!(is_good(&test, &other).await);
    let gone = test
        .ask_with(&admin, Method::GET, TOKENS, &subject, Value::Null)
        .await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    // The role was taken away; and given again, the token is as good as its project role is.
    assert_eq!(
        test.ask(&admin, Method::DELETE, &grant, Value::Null)
            .await
            .status
            .as_u16(),
        204
    );
    assert!(!is_good(&test, &other).await);
    put().await;
    assert!(is_good(&test, &other).await);
    // The project is disabled.
    assert_eq!(
        patch(&project_path, json!({ "project": { "enabled": false } })).await,
        200
    );
    assert!(!is_good(&test, &other).await);
    assert_eq!(
        patch(&project_path, json!({ "project": { "enabled": true } })).await,
        200
    );
    // The user is disabled: that ends tokens for good.
    let token = test.login("u", "one", "p").await;
    assert_eq!(
        patch(&user_path, json!({ "user": { "enabled": false } })).await,
        200
    );
    assert_eq!(
        patch(&user_path, json!({ "user": { "enabled": true } })).await,
        200
    );
    assert!(!is_good(&test, &token).await);
    // The password was changed, by the user and by an admin.
    let token = test.login("u", "one", "p").await;
    let change = json!({ "user": { "original_password": "one", "password": "two" } });
    let path = format!("{user_path}/password");
    let answer = test.ask(&token, Method::POST, &path, change.clone()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer.body);
    assert!(!is_good(&test, &token).await);
    let token = test.login("u", "two", "p").await;
    let wrong = test.ask(&token, Method::POST, &path, change).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(is_good(&test, &token).await);
    assert_eq!(
        patch(&user_path, json!({ "user": { "password": "three" } })).await,
        200
    );
    assert!(!is_good(&test, &token).await);
    // The user is gone.
    let token = test.login("u", "three", "p").await;
    assert_eq!(
        test.ask(&admin, Method::DELETE, &user_path, Value::Null)
            .await
            .status
            .as_u16(),
        204
    );
    assert!(!is_good(&test, &token).await);
}

#[tokio::test]
async fn what_ends_a_token() {
    ending(TestApp::sqlite().await).await;
}

#[tokio::test]
async fn what_ends_a_token_on_postgres() {
    ending(TestApp::postgres().await).await;
}

#[tokio::test]
async fn another_users_things_are_not_shown() {
    let test = TestApp::sqlite().await;
    let (admin, demo) = (test.admin().await, test.demo().await);
    let subject = [("x-subject-token", admin.as_str())];
    let answer = test
        .ask_with(&demo, Method::GET, TOKENS, &subject, Value::Null)
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = test
        .ask_with(&demo, Method::DELETE, TOKENS, &subject, Value::Null)
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(is_good(&test, &admin).await);
    let stranger = id_of(&test, &admin, "users", "admin").await;
    let own = id_of(&test, &admin, "users", "demo").await;
    let status = |path: String| {
        let (test, demo) = (&test, &demo);
        async move { test.get(demo, &path).await.status.as_u16() }
    };
    assert_eq!(status(format!("/identity/v3/users/{stranger}")).await, 403);
    assert_eq!(status(format!("/identity/v3/users/{own}")).await, 200);
    assert_eq!(
        status(format!("/identity/v3/users/{own}/projects")).await,
        200
    );
    assert_eq!(
        status(format!("/identity/v3/users/{stranger}/projects")).await,
        403
    );
    let foreign = id_of(&test, &admin, "projects", "admin").await;
    let nowhere = "0".repeat(32);
    assert_eq!(
        status(format!("/identity/v3/projects/{foreign}")).await,
        403
    );
    assert_eq!(
        status(format!("/identity/v3/projects/{nowhere}")).await,
        403
    );
}

#[tokio::test]
async fn starting_again_changes_nothing() {
    let test = TestApp::sqlite().await;
    let demo = test.demo().await;
    let own = test.get(&demo, "/identity/v3/auth/projects").await.body;
    let subject = [("x-subject-token", demo.as_str())];
    let who = test
        .ask_with(&demo, Method::GET, TOKENS, &subject, Value::Null)
        .await;
    let id = who.body["token"]["user"]["id"].as_str().unwrap().to_owned();
    let change = json!({ "user": { "original_password": DEMO, "password": "changed" } });
    let path = format!("/identity/v3/users/{id}/password");
    assert_eq!(
        test.ask(&demo, Method::POST, &path, change).await.status,
        StatusCode::NO_CONTENT
    );
    super::bootstrap::ensure(&test.app).await.unwrap();
    let refused = login(&test, by_password("demo", DEMO, &Value::Null)).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let demo = test.login("demo", "changed", "demo").await;
    assert_eq!(
        test.get(&demo, "/identity/v3/auth/projects").await.body,
        own
    );
    let admin = test.login("admin", ADMIN, "admin").await;
    let users = test.get(&admin, "/identity/v3/users").await.body;
    assert_eq!(users["users"].as_array().unwrap().len(), 2);
}
