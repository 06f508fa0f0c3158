//! Floating IPs as clients of the Network API use them.

use std::sync::Arc;

use skybus_model::id::PortId;
use skybus_store::{
    identity::projects,
    networks::{Scope, ports},
};

use super::*;
use crate::testing::DEMO;

async fn outside(app: &TestApp, token: &str) -> String {
    let path = format!("{V2}/networks?router:external=true");
    let found = app.get(token, &path).await;
    let all = found.body["networks"].as_array().unwrap().clone();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(
        (&all[0]["name"], &all[0]["shared"]),
        (&json!("public"), &json!(false))
    );
    all[0]["id"].as_str().unwrap().to_owned()
}

async fn a_floating_ip(app: &TestApp, token: &str, more: Value) -> Value {
    let mut body = json!({ "floating_network_id": outside(app, token).await });
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    made(app, token, "floatingips", "floatingip", body).await
}

async fn a_port(app: &TestApp, token: &str) -> Value {
    let (network, _) = a_network(app, token).await;
    made(
        app,
        token,
        "ports",
        "port",
        json!({ "network_id": network }),
    )
    .await
}

async fn lead(app: &TestApp, token: &str, floating: &Value, change: Value) -> Answer {
    let path = format!("{V2}/floatingips/{}", floating["id"].as_str().unwrap());
    let body = json!({ "floatingip": change });
    app.ask(token, Method::PUT, &path, body).await
}

fn kind(answer: &Answer) -> &str {
    answer.body["NeutronError"]["type"]
        .as_str()
        .unwrap_or_default()
}

#[tokio::test]
async fn one_is_had_led_to_a_port_taken_away_and_given_back() {
    let app = TestApp::sqlite().await;
    let token = app.demo().await;
    let port = a_port(&app, &token).await;
    let floating = a_floating_ip(&app, &token, json!({ "description": "web" })).await;
    assert_eq!(
        (&floating["floating_ip_address"], &floating["status"]),
        (&json!("172.17.1.2"), &json!("DOWN"))
    );
    for key in ["port_id", "fixed_ip_address", "router_id", "port_details"] {
        assert_eq!(floating[key], Value::Null, "{key}");
    }
    let led = lead(&app, &token, &floating, json!({ "port_id": port["id"] })).await;
    assert_eq!(led.status, StatusCode::OK, "{:?}", led.body);
    let led = &led.body["floatingip"];
    assert_eq!(led["port_id"], port["id"]);
    assert_eq!(led["fixed_ip_address"], port["fixed_ips"][0]["ip_address"]);
    assert_eq!(led["port_details"]["mac_address"], port["mac_address"]);
    assert_eq!(led["description"], "web");
    let described = json!({ "description": "db" });
    let described = lead(&app, &token, &floating, described).await.body["floatingip"].clone();
    assert_eq!(
        (&described["description"], &described["port_id"]),
        (&json!("db"), &port["id"])
    );
    let away = lead(&app, &token, &floating, json!({ "port_id": null })).await;
    assert_eq!(away.body["floatingip"]["port_id"], Value::Null);
    let at_once = a_floating_ip(&app, &token, json!({ "port_id": port["id"] })).await;
    assert_eq!(at_once["port_id"], port["id"]);
    let second = lead(&app, &token, &floating, json!({ "port_id": port["id"] })).await;
    assert_eq!(second.status, StatusCode::OK, "a port may have several");
    // A port that goes takes the way to it along.
    let path = format!("ports/{}", port["id"].as_str().unwrap());
    assert_eq!(
        delete(&app, &token, &path).await.status,
        StatusCode::NO_CONTENT
    );
    let all = app.get(&token, &format!("{V2}/floatingips")).await;
    for one in all.body["floatingips"].as_array().unwrap() {
        assert_eq!(
            (&one["port_id"], &one["status"]),
            (&Value::Null, &json!("DOWN"))
        );
    }
    for one in ids(&all, "floatingips") {
        let path = format!("floatingips/{one}");
        let gone = delete(&app, &token, &path).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
        let again = delete(&app, &token, &path).await;
        assert_eq!(again.status, StatusCode::NOT_FOUND);
        assert_eq!(kind(&again), "FloatingIPNotFound");
    }
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_cut() {
    let app = TestApp::sqlite().await;
    let token = app.demo().await;
    let port = a_port(&app, &token).await;
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        made.push(a_floating_ip(&app, &token, json!({ "description": name })).await);
    }
    lead(&app, &token, &made[1], json!({ "port_id": port["id"] })).await;
    let id = |at: usize| made[at]["id"].as_str().unwrap().to_owned();
    let port = port["id"].as_str().unwrap();
    for (query, expected) in [
        (format!("port_id={port}"), vec![id(1)]),
        ("floating_ip_address=172.17.1.4".to_owned(), vec![id(2)]),
        (
            "description=a&description=c&sort_key=description&sort_dir=asc".to_owned(),
            vec![id(0), id(2)],
        ),
        (
            "sort_key=description&sort_dir=desc&limit=2".to_owned(),
            vec![id(2), id(1)],
        ),
        (
            "sort_key=description&limit=2".to_owned(),
            vec![id(0), id(1)],
        ),
        ("status=ACTIVE".to_owned(), vec![]),
    ] {
        let found = app.get(&token, &format!("{V2}/floatingips?{query}")).await;
        assert_eq!(ids(&found, "floatingips"), expected, "{query}");
    }
    let picked = app
        .get(
            &token,
            &format!("{V2}/floatingips?description=a&fields=description"),
        )
        .await;
    assert_eq!(picked.body["floatingips"], json!([{ "description": "a" }]));
    let unknown = app
        .get(&token, &format!("{V2}/floatingips?colour=blue"))
        .await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_cannot_be_is_refused_as_neutron_does() {
    let app = TestApp::sqlite().await;
    let (token, admin) = (app.demo().await, app.admin().await);
    let port = a_port(&app, &token).await;
    let theirs = a_port(&app, &admin).await;
    let outside = outside(&app, &token).await;
    let flat = app.get(&token, &format!("{V2}/networks?name=flat")).await;
    let flat = ids(&flat, "networks").remove(0);
    let nothing = "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";
    let (bad, missing) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND);
    for (body, status, word) in [
        (json!({}), bad, ""),
        (json!({ "floating_network_id": "x" }), bad, ""),
        (
            json!({ "floating_network_id": nothing }),
            missing,
            "NetworkNotFound",
        ),
        (json!({ "floating_network_id": flat }), bad, ""),
        (
            json!({ "floating_network_id": outside, "port_id": nothing }),
            missing,
            "PortNotFound",
        ),
        (
            json!({ "floating_network_id": outside, "port_id": theirs["id"] }),
            missing,
            "PortNotFound",
        ),
        (
            json!({ "floating_network_id": outside, "port_id": 7 }),
            bad,
            "",
        ),
        (
            json!({ "floating_network_id": outside, "fixed_ip_address": "10.9.0.2" }),
            bad,
            "",
        ),
        (
            json!({ "floating_network_id": outside, "port_id": port["id"], "fixed_ip_address": "10.9.0.99" }),
            bad,
            "",
        ),
        (
            json!({ "floating_network_id": outside, "subnet_id": nothing }),
            bad,
            "",
        ),
        (
            json!({ "floating_network_id": outside, "floating_ip_address": "172.17.1.9" }),
            StatusCode::FORBIDDEN,
            "PolicyNotAuthorized",
        ),
        (
            json!({ "floating_network_id": outside, "colour": "blue" }),
            bad,
            "",
        ),
        (
            json!({ "floating_network_id": outside, "description": 5 }),
            bad,
            "",
        ),
    ] {
        let refused = post(&app, &token, "floatingips", json!({ "floatingip": body })).await;
        assert_eq!(refused.status, status, "{body} {:?}", refused.body);
        assert!(
            word.is_empty() || kind(&refused) == word,
            "{body} {:?}",
            refused.body
        );
    }
    let left = app.get(&admin, &format!("{V2}/floatingips")).await;
    assert_eq!(
        left.body["floatingips"],
        json!([]),
        "a refusal left something"
    );
}

#[tokio::test]
async fn neither_strangers_ports_nor_ports_outside_can_be_led_to() {
    let app = TestApp::sqlite().await;
    let (token, admin) = (app.demo().await, app.admin().await);
    let port = a_port(&app, &token).await;
    let theirs = a_port(&app, &admin).await;
    let outside = outside(&app, &token).await;
    let flat = app.get(&token, &format!("{V2}/networks?name=flat")).await;
    let flat = ids(&flat, "networks").remove(0);
    let (bad, missing) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND);
    let port_outside = json!({ "port": { "network_id": outside } });
    let refused = post(&app, &admin, "ports", port_outside).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let floating = a_floating_ip(&app, &token, json!({})).await;
    for (change, status) in [
        (json!({ "port_id": theirs["id"] }), missing),
        (
            json!({ "port_id": port["id"], "fixed_ip_address": "10.9.0.99" }),
            bad,
        ),
        (json!({ "fixed_ip_address": "10.9.0.2" }), bad),
        (json!({ "floating_network_id": flat }), bad),
        (json!({ "description": [] }), bad),
    ] {
        let refused = lead(&app, &token, &floating, change.clone()).await;
        assert_eq!(refused.status, status, "{change} {:?}", refused.body);
    }
    // An administrator may cross.
    let crossed = lead(&app, &admin, &floating, json!({ "port_id": theirs["id"] })).await;
    assert_eq!(crossed.status, StatusCode::OK, "{:?}", crossed.body);
    let path = format!("{V2}/networks/{outside}");
    let inside = json!({ "network": { "router:external": false } });
    let refused = app.ask(&admin, Method::PUT, &path, inside).await;
    assert_eq!(refused.status, bad);
    let renamed = json!({ "network": { "name": "nova", "router:external": true } });
    let renamed = app.ask(&admin, Method::PUT, &path, renamed).await;
    assert_eq!(renamed.body["network"]["name"], "nova");
    let used = delete(&app, &admin, &format!("networks/{outside}")).await;
    assert_eq!(
        (used.status, kind(&used)),
        (StatusCode::CONFLICT, "NetworkInUse")
    );
}

#[tokio::test]
async fn quotas_and_addresses_run_out_in_words() {
    let app = TestApp::postgres().await;
    let (token, admin) = (app.demo().await, app.admin().await);
    let projects = app.get(&token, "/identity/v3/auth/projects").await.body;
    let project = projects["projects"][0]["id"].as_str().unwrap();
    let path = format!("{V2}/quotas/{project}");
    assert_eq!(app.get(&token, &path).await.body["quota"]["floatingip"], 50);
    let one = json!({ "quota": { "floatingip": 1 } });
    app.ask(&admin, Method::PUT, &path, one).await;
    // Nova's view of the limit is the same.
    let nova = format!("/compute/v2.1/os-quota-sets/{project}");
    let seen = async || app.get(&token, &nova).await.body["quota_set"]["floating_ips"].clone();
    assert_eq!(seen().await, 1);
    let two = json!({ "quota_set": { "floating_ips": 2 } });
    app.ask(&admin, Method::PUT, &nova, two).await;
    assert_eq!(
        (
            seen().await,
            app.get(&token, &path).await.body["quota"]["floatingip"].clone()
        ),
        (json!(2), json!(2))
    );
    let one = json!({ "quota": { "floatingip": 1 } });
    app.ask(&admin, Method::PUT, &path, one).await;
    a_floating_ip(&app, &token, json!({})).await;
    let network = outside(&app, &token).await;
    let body = json!({ "floatingip": { "floating_network_id": network } });
    let over = post(&app, &token, "floatingips", body).await;
    assert_eq!(
        (over.status, kind(&over)),
        (StatusCode::CONFLICT, "OverQuota")
    );
    let details = app.get(&token, &format!("{path}/details.json")).await;
    let expected = json!({ "limit": 1, "used": 1, "reserved": 0 });
    assert_eq!(details.body["quota"]["floatingip"], expected);
    let chosen = |address: &str| {
        let wanted = json!({ "floating_network_id": network, "floating_ip_address": address });
        json!({ "floatingip": wanted })
    };
    let first = post(&app, &admin, "floatingips", chosen("172.17.1.77")).await;
    assert_eq!(
        first.body["floatingip"]["floating_ip_address"],
        "172.17.1.77"
    );
    let again = post(&app, &admin, "floatingips", chosen("172.17.1.77")).await;
    assert_eq!(
        (again.status, kind(&again)),
        (StatusCode::CONFLICT, "IpAddressInUse")
    );
    let elsewhere = post(&app, &admin, "floatingips", chosen("192.0.2.1")).await;
    assert_eq!(
        (elsewhere.status, kind(&elsewhere)),
        (StatusCode::BAD_REQUEST, "InvalidIpForNetwork")
    );
    let mut tx = app.store().begin().await.unwrap();
    sqlx::query("UPDATE subnets SET pools = '[]' WHERE name = 'public'")
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let body = json!({ "floatingip": { "floating_network_id": network } });
    let none = post(&app, &admin, "floatingips", body).await;
    assert_eq!(
        (none.status, kind(&none)),
        (StatusCode::CONFLICT, "IpAddressGenerationFailure")
    );
}

#[tokio::test]
async fn a_project_that_holds_one_is_not_deleted() {
    let app = TestApp::sqlite().await;
    let project = app.another_tenant().await;
    let (eve, admin) = (app.login("eve", DEMO, "eves").await, app.admin().await);
    let floating = a_floating_ip(&app, &eve, json!({})).await;
    let path = format!("/identity/v3/projects/{project}");
    let refused = app.ask(&admin, Method::DELETE, &path, Value::Null).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(
        refused.body.to_string().contains("1 floating IPs"),
        "{:?}",
        refused.body
    );
    let own = format!("floatingips/{}", floating["id"].as_str().unwrap());
    delete(&app, &admin, &own).await;
    let gone = app.ask(&admin, Method::DELETE, &path, Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn one_is_led_and_described_while_its_port_goes() {
    let app = Arc::new(TestApp::postgres().await);
    let token = app.demo().await;
    let port = a_port(&app, &token).await;
    let floating = a_floating_ip(&app, &token, json!({ "port_id": port["id"] })).await;
    let id: PortId = port["id"].as_str().unwrap().parse().unwrap();
    let row = ports::get(app.store().pool(), id, Scope::Everything).await;
    let (row, store) = (row.unwrap(), app.store().clone());

    let mut goes = store.begin().await.unwrap();
    // The subnet's row, as whoever deletes a port locks it.
    sqlx::query("SELECT id FROM subnets WHERE id = $1 FOR UPDATE")
        .bind(row.subnet.to_string())
        .fetch_one(goes.conn())
        .await
        .unwrap();
    let (asked, user) = (app.clone(), token.clone());
    let change = json!({ "description": "db", "port_id": null });
    let led = async move { lead(&asked, &user, &floating, change).await };
    let then = async || {
        ports::delete_unused(&mut goes, &row).await.unwrap();
        goes.commit().await.unwrap();
    };
    let led = app.held_up(led, then).await;
    assert_eq!(led.status, StatusCode::OK, "{:?}", led.body);
    assert_eq!(led.body["floatingip"]["description"], "db");
}

#[tokio::test]
async fn nothing_is_made_in_a_project_that_goes() {
    let app = Arc::new(TestApp::postgres().await);
    let project = app.another_tenant().await;
    let token = app.login("eve", DEMO, "eves").await;
    let network = outside(&app, &token).await;
    let image = json!({ "name": "small", "disk_format": "raw", "container_format": "bare" });
    for (path, body) in [
        (
            "/network/v2.0/floatingips",
            json!({ "floatingip": { "floating_network_id": network } }),
        ),
        ("/compute/v2.1/os-floating-ips", json!({ "pool": "public" })),
        ("/image/v2/images", image),
    ] {
        let mut goes = app.store().begin().await.unwrap();
        // Refused in the end when it has what was made before; only then are others free to make more.
        let _refused_or_not = projects::delete(&mut goes, project).await;
        let (asked, user) = (app.clone(), token.clone());
        let made = async move { asked.ask(&user, Method::POST, path, body).await };
        let made = app.held_up(made, async || drop(goes)).await;
        assert!(made.status.is_success(), "{path}: {:?}", made.body);
    }
}
