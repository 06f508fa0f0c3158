//! The Network API as its clients see it.

mod floating;
mod segments;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::testing::{Answer, TestApp};

const V2: &str = "/network/v2.0";

async fn post(app: &TestApp, token: &str, path: &str, body: Value) -> Answer {
    app.ask(token, Method::POST, &format!("{V2}/{path}"), body)
        .await
}

async fn made(app: &TestApp, token: &str, path: &str, noun: &str, body: Value) -> Value {
    let answer = post(app, token, path, json!({ noun: body })).await;
    assert_eq!(
        answer.status,
        StatusCode::CREATED,
        "{path}: {:?}",
        answer.body
    );
    answer.body[noun].clone()
}

async fn a_network(app: &TestApp, token: &str) -> (String, String) {
    let network = made(app, token, "networks", "network", json!({ "name": "own" })).await;
    let id = network["id"].as_str().unwrap().to_owned();
    let body = json!({ "network_id": id, "ip_version": 4, "cidr": "10.9.0.0/24" });
    let subnet = made(app, token, "subnets", "subnet", body).await;
    (id, subnet["id"].as_str().unwrap().to_owned())
}

async fn delete(app: &TestApp, token: &str, path: &str) -> Answer {
    app.ask(token, Method::DELETE, &format!("{V2}/{path}"), Value::Null)
        .await
}

fn ids(answer: &Answer, nouns: &str) -> Vec<String> {
    let items = answer.body[nouns]
        .as_array()
        .unwrap_or_else(|| panic!("{:?}", answer.body));
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn the_flat_network_is_there_and_everyone_may_use_it_but_not_change_it() {
    let app = TestApp::sqlite().await;
    let token = app.demo().await;
    let networks = app.get(&token, &format!("{V2}/networks?name=flat")).await;
    let flat = &networks.body["networks"][0];
    assert_eq!(
        (&flat["shared"], &flat["mtu"]),
        (&json!(true), &json!(1500))
    );
    assert!(flat.get("provider:network_type").is_none());
    let subnet = format!("{V2}/subnets/{}", flat["subnets"][0].as_str().unwrap());
    assert_eq!(
        app.get(&token, &subnet).await.body["subnet"]["cidr"],
        "10.1.0.0/23"
    );
    let id = flat["id"].as_str().unwrap();
    let path = format!("{V2}/networks/{id}");
    let rename = json!({ "network": { "name": "mine" } });
    let refused = app.ask(&token, Method::PUT, &path, rename).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let port = made(&app, &token, "ports", "port", json!({ "network_id": id })).await;
    assert_eq!(port["fixed_ips"][0]["ip_address"], "10.1.0.2");
    assert_eq!(port["security_groups"].as_array().unwrap().len(), 1);
    let admin = app.admin().await;
    let used = delete(&app, &admin, &format!("networks/{id}")).await;
    assert_eq!(used.status, StatusCode::CONFLICT);
    assert_eq!(used.body["NeutronError"]["type"], "NetworkInUse");
    assert_eq!(
        app.get(&admin, &path).await.body["network"]["provider:network_type"],
        "local"
    );
}

#[tokio::test]
async fn a_projects_network_is_its_own() {
    let app = TestApp::postgres().await;
    let (token, admin) = (app.demo().await, app.admin().await);
    let (network, subnet) = a_network(&app, &admin).await;
    let (own, _) = a_network(&app, &token).await;
    for path in [format!("networks/{network}"), format!("subnets/{subnet}")] {
        let hidden = app.get(&token, &format!("{V2}/{path}")).await;
        assert_eq!(hidden.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            delete(&app, &token, &path).await.status,
            StatusCode::NOT_FOUND
        );
    }
    let stolen = post(
        &app,
        &token,
        "ports",
        json!({ "port": { "network_id": network } }),
    )
    .await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND);
    assert_eq!(stolen.body["NeutronError"]["type"], "NetworkNotFound");
    assert!(
        !ids(
            &app.get(&token, &format!("{V2}/networks")).await,
            "networks"
        )
        .contains(&network)
    );
    let second =
        json!({ "subnet": { "network_id": own, "cidr": "10.10.0.0/24", "ip_version": 4 } });
    assert_eq!(
        post(&app, &token, "subnets", second).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        delete(&app, &token, &format!("networks/{own}"))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn ports_have_the_addresses_that_were_asked_for() {
    let app = TestApp::sqlite().await;
    let token = app.demo().await;
    let (network, subnet) = a_network(&app, &token).await;
    let fixed = json!([{ "subnet_id": subnet, "ip_address": "10.9.0.77" }]);
    let body = json!({ "network_id": network, "name": "db", "fixed_ips": fixed });
    let port = made(&app, &token, "ports", "port", body.clone()).await;
    let id = port["id"].as_str().unwrap();
    let taken = post(&app, &token, "ports", json!({ "port": body })).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert_eq!(taken.body["NeutronError"]["type"], "IpAddressInUse");
    for query in [
        "name=db",
        "fixed_ips=ip_address%3D10.9.0.77",
        "device_id=",
        "admin_state_up=True",
    ] {
        let found = app
            .get(&token, &format!("{V2}/ports?network_id={network}&{query}"))
            .await;
        assert_eq!(ids(&found, "ports"), [id], "{query}");
    }
    let none = app.get(&token, &format!("{V2}/ports?name=other")).await;
    assert_eq!(none.body, json!({ "ports": [] }));
    let unknown = app.get(&token, &format!("{V2}/ports?colour=blue")).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    let picked = app
        .get(&token, &format!("{V2}/ports?fields=id&fields=name"))
        .await;
    assert_eq!(picked.body["ports"][0], json!({ "id": id, "name": "db" }));
    let path = format!("{V2}/ports/{id}");
    let bare = json!({ "port": { "name": "cache", "security_groups": [] } });
    let changed = app.ask(&token, Method::PUT, &path, bare).await;
    assert_eq!(changed.body["port"]["name"], "cache");
    assert_eq!(changed.body["port"]["security_groups"], json!([]));
    for bad in [
        json!({}),
        json!({ "network_id": "x" }),
        json!({ "network_id": network, "fixed_ips": [] }),
        json!({ "network_id": network, "fixed_ips": [{ "ip_address": "x" }] }),
        json!({ "network_id": network, "fixed_ips": [{ "subnet_id": network }] }),
        json!({ "network_id": network, "port_security_enabled": false }),
        json!({ "network_id": network, "allowed_address_pairs": [{ "ip_address": "1.2.3.4" }] }),
        json!({ "network_id": network, "colour": "blue" }),
        json!({ "network_id": network, "name": 5 }),
    ] {
        let refused = post(&app, &token, "ports", json!({ "port": bad })).await;
        assert_eq!(
            refused.status,
            StatusCode::BAD_REQUEST,
            "{bad} {:?}",
            refused.body
        );
    }
    assert_eq!(
        delete(&app, &token, &format!("ports/{id}")).await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn groups_and_rules_as_clients_use_them() {
    let app = TestApp::sqlite().await;
    let token = app.demo().await;
    let groups = app
        .get(&token, &format!("{V2}/security-groups?name=default"))
        .await;
    let default = &groups.body["security_groups"][0];
    assert_eq!(default["security_group_rules"].as_array().unwrap().len(), 4);
    let default = default["id"].as_str().unwrap();
    let path = format!("security-groups/{default}");
    assert_eq!(
        delete(&app, &token, &path).await.status,
        StatusCode::CONFLICT
    );
    let web = made(
        &app,
        &token,
        "security-groups",
        "security_group",
        json!({ "name": "web" }),
    )
    .await;
    assert_eq!(web["security_group_rules"].as_array().unwrap().len(), 2);
    let rule = json!({
        "security_group_id": web["id"], "direction": "ingress", "ethertype": "IPv4",
        "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
        "remote_ip_prefix": "0.0.0.0/0",
    });
    let noun = "security_group_rule";
    let first = made(&app, &token, "security-group-rules", noun, rule.clone()).await;
    let again = post(&app, &token, "security-group-rules", json!({ noun: rule })).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(
        again.body["NeutronError"]["type"],
        "SecurityGroupRuleExists"
    );
    let foreign = json!({ "security_group_rule": {
        "security_group_id": web["id"], "direction": "ingress",
        "remote_group_id": "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b" } });
    let foreign = post(&app, &token, "security-group-rules", foreign).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let query = format!(
        "security_group_id={}&direction=ingress",
        web["id"].as_str().unwrap()
    );
    let rules = app
        .get(&token, &format!("{V2}/security-group-rules?{query}"))
        .await;
    assert_eq!(
        ids(&rules, "security_group_rules"),
        [first["id"].as_str().unwrap()]
    );
    let rule = format!("security-group-rules/{}", first["id"].as_str().unwrap());
    assert_eq!(
        delete(&app, &token, &rule).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        delete(&app, &token, &rule).await.status,
        StatusCode::NOT_FOUND
    );
    let group = format!("security-groups/{}", web["id"].as_str().unwrap());
    assert_eq!(
        delete(&app, &token, &group).await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn quotas_hold_and_what_is_not_built_says_so() {
    let app = TestApp::sqlite().await;
    let (token, admin) = (app.demo().await, app.admin().await);
    let projects = app.get(&token, "/identity/v3/auth/projects").await.body;
    let path = format!(
        "{V2}/quotas/{}",
        projects["projects"][0]["id"].as_str().unwrap()
    );
    assert_eq!(app.get(&token, &path).await.body["quota"]["network"], 100);
    let one = json!({ "quota": { "network": 1 } });
    assert_eq!(
        app.ask(&token, Method::PUT, &path, one.clone())
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        app.ask(&admin, Method::PUT, &path, one).await.body["quota"]["network"],
        1
    );
    a_network(&app, &token).await;
    let over = post(&app, &token, "networks", json!({ "network": {} })).await;
    assert_eq!(over.status, StatusCode::CONFLICT);
    assert_eq!(over.body["NeutronError"]["type"], "OverQuota");
    let details = app.get(&token, &format!("{path}/details.json")).await;
    assert_eq!(details.body["quota"]["network"]["used"], 1);
    assert_eq!(
        app.ask(&admin, Method::DELETE, &path, Value::Null)
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    for path in ["routers", "routers/x", "subnetpools"] {
        let refused = app.get(&token, &format!("{V2}/{path}")).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
        let text = refused.body["NeutronError"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(text.contains("not built yet"), "{text}");
    }
    for alias in ["security-group", "external-net"] {
        let extension = app.get(&token, &format!("{V2}/extensions/{alias}")).await;
        assert_eq!(extension.status, StatusCode::OK, "{alias}");
    }
    assert_eq!(
        app.get(&token, &format!("{V2}/extensions/router"))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        app.get(&admin, &format!("{V2}/agents")).await.body,
        json!({ "agents": [] })
    );
}
