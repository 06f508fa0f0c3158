//! Joining as far as it needs no broker: who is let in, who is not, and what is told to whom. The whole story,
//! with a broker and a second machine, is `tests/tests/second_host.rs`.

use http::Method;
use serde_json::{Value, json};
use skybus_model::{
    Timestamp,
    join::hash,
    machine::{Role, State},
};
use skybus_store::{machines, testing::TestStore};

use crate::{
    config::Reach,
    http::shed::MOST_REQUESTS,
    testing::{Answer, TestApp},
};

const JOIN: &str = "/skybus/v1/join";
const STANDING: &str = "/skybus/v1/join/standing";

async fn invited(test: &TestApp, secret: &str, expires: Timestamp) {
    let mut tx = test.store().begin().await.unwrap();
    let token = (hash(secret), expires);
    let name = "b".parse().unwrap();
    machines::invite(&mut tx, &name, Role::Compute, (&token.0, token.1))
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn soon() -> Timestamp {
    Timestamp::now().after(std::time::Duration::from_secs(3600))
}

async fn asks(test: &TestApp, path: &str, secret: &str, key: &str) -> Answer {
    let body = json!({ "name": "b", "secret": secret, "key": hash(key) });
    test.ask("", Method::POST, path, body).await
}

fn says(answer: &Answer, status: u16, piece: &str) {
    let text = answer.body["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(answer.status.as_u16(), status, "{:?}", answer.body);
    assert!(text.contains(piece), "{text}");
}

async fn advanced(test: &TestApp, next: State) {
    let mut tx = test.store().begin().await.unwrap();
    let name = "b".parse().unwrap();
    let machine = machines::lock(&mut tx, &name).await.unwrap().unwrap();
    machines::advance(&mut tx, &machine, next).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_token_belongs_to_the_first_that_uses_it() {
    let test = TestApp::sqlite().await;
    says(&asks(&test, JOIN, "s", "mine").await, 403, "not good");
    invited(&test, "s", soon()).await;
    says(&asks(&test, JOIN, "guess", "mine").await, 403, "not good");
    // It is recognised, and goes on as far as the broker, of which this API server was not told.
    says(&asks(&test, JOIN, "s", "mine").await, 409, "management");
    says(
        &asks(&test, JOIN, "s", "theirs").await,
        409,
        "another machine",
    );
    says(&asks(&test, JOIN, "s", "mine").await, 409, "management");
    invited(&test, "newer", soon()).await;
    says(&asks(&test, JOIN, "s", "mine").await, 403, "replaced");
    says(
        &asks(&test, JOIN, "newer", "theirs").await,
        409,
        "management",
    );
}

#[tokio::test]
async fn a_token_that_is_too_old_lets_nobody_in_but_who_has_used_it() {
    let test = TestApp::sqlite().await;
    invited(&test, "s", Timestamp(1)).await;
    says(&asks(&test, JOIN, "s", "mine").await, 403, "too old");
    let mut tx = test.store().begin().await.unwrap();
    let joiner = hash(&hash("mine"));
    machines::bind(&mut tx, &"b".parse().unwrap(), &joiner)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    says(&asks(&test, JOIN, "s", "mine").await, 409, "management");
}

#[tokio::test]
async fn a_machine_hears_that_it_was_removed_and_strangers_hear_nothing() {
    let test = TestApp::sqlite().await;
    invited(&test, "s", soon()).await;
    says(&asks(&test, STANDING, "s", "mine").await, 403, "");
    let _bound = asks(&test, JOIN, "s", "mine").await;
    advanced(&test, State::Joined).await;
    let member = asks(&test, STANDING, "s", "mine").await;
    assert_eq!(member.body, json!({ "state": "joined" }));
    advanced(&test, State::Leaving).await;
    says(
        &asks(&test, STANDING, "s", "mine").await,
        410,
        "was removed",
    );
    says(&asks(&test, STANDING, "s", "theirs").await, 409, "");
    says(&asks(&test, STANDING, "x", "mine").await, 403, "");
    says(&asks(&test, JOIN, "s", "mine").await, 410, "was removed");
}

#[tokio::test]
async fn who_guesses_has_to_wait() {
    let test = TestApp::sqlite().await;
    invited(&test, "s", soon()).await;
    for _ in 0..40 {
        let _guessed = asks(&test, JOIN, "guess", "mine").await;
    }
    let answer = asks(&test, JOIN, "guess", "mine").await;
    says(&answer, 429, "wait");
    assert!(!answer.header("retry-after").is_empty());
    // Who shares the address with one that guesses, and has a token, does not.
    says(&asks(&test, JOIN, "s", "mine").await, 409, "management");
}

/// A broker that is not there: whoever turns to it hears 503.
const NOWHERE: &str = "http://admin:secret@127.0.0.1:1";

#[tokio::test]
async fn an_api_server_that_cannot_admit_machines_says_what_it_lacks_and_sends_nobody_away() {
    let here = Reach {
        api: "http://192.0.2.1:8774".to_owned(),
        broker: "amqp://192.0.2.1:5672/skybus".to_owned(),
    };
    let key = "ef".repeat(32);
    for (reach, key, status, lacks) in [
        (None, Some(&key), 409, "--public-address"),
        (Some(&here), None, 409, "account_key"),
        (Some(&here), Some(&key), 503, ""),
    ] {
        let test = TestApp::configured(|config| {
            config.management = Some(NOWHERE.to_owned());
            config.reach = reach.cloned();
            config.account_key = key.cloned();
        })
        .await;
        invited(&test, "s", soon()).await;
        says(&asks(&test, JOIN, "s", "mine").await, status, lacks);
        let row = machines::find(test.store(), &"b".parse().unwrap()).await;
        assert_eq!(row.unwrap().unwrap().state, State::Invited);
        let admin = test.admin().await;
        let added = test.ask(&admin, Method::PUT, "/skybus/v1/hosts/c", json!({}));
        let status = if lacks.is_empty() { 201 } else { 409 };
        says(&added.await, status, lacks);
    }
}

#[tokio::test]
async fn only_operators_see_and_change_machines_and_the_first_one_stays() {
    let test = TestApp::on(TestStore::sqlite().await, MOST_REQUESTS).await;
    let (demo, admin) = (test.demo().await, test.admin().await);
    let mut tx = test.store().begin().await.unwrap();
    machines::found(&mut tx, &"a".parse().unwrap())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    invited(&test, "s", soon()).await;
    for (method, path) in [
        (Method::GET, "/skybus/v1/hosts"),
        (Method::PUT, "/skybus/v1/hosts/c"),
        (Method::DELETE, "/skybus/v1/hosts/b"),
        (Method::POST, "/skybus/v1/hosts/b/drain"),
    ] {
        let answer = test.ask(&demo, method, path, json!({})).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    let listed = test.get(&admin, "/skybus/v1/hosts").await.body;
    let hosts = listed["hosts"].as_array().unwrap();
    let states: Vec<&Value> = hosts.iter().map(|host| &host["state"]).collect();
    assert_eq!(states, ["joined", "invited"]);
    assert!(!listed.to_string().contains(&hash("s")));

    let drained = test
        .ask(&admin, Method::POST, "/skybus/v1/hosts/b/drain", json!({}))
        .await;
    says(&drained, 409, "heard");
    let added = test.ask(&admin, Method::PUT, "/skybus/v1/hosts/c", json!({}));
    says(&added.await, 409, "--public-address");
}
