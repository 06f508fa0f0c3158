//! The operator's API, as far as it needs no broker; dead letters and subscribers are tried with a real
//! one where the bus is.

use http::Method;
use serde_json::{Value, json};
use skybus_model::{
    Timestamp,
    id::{ProjectId, ServerId},
};
use skybus_store::{
    compute::quotas::{self, Resource},
    events::{self, Event},
};

use crate::testing::TestApp;

#[tokio::test]
async fn only_operators_may() {
    let test = TestApp::sqlite().await;
    let demo = test.demo().await;
    for path in [
        "events?all_projects=1",
        "status",
        "audit",
        "bus/dead",
        "bus/dead/x",
        "bus/subscribers",
        "hosts",
    ] {
        let answer = test.get(&demo, &format!("/skybus/v1/{path}")).await;
        assert_eq!(answer.status, 403, "{path}: {:?}", answer.body);
        let nobody = test.get("", &format!("/skybus/v1/{path}")).await;
        assert_eq!(nobody.status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_range_is_cut_into_networks() {
    let test = TestApp::postgres().await;
    let (admin, demo) = (test.admin().await, test.demo().await);
    let path = "/skybus/v1/networks";
    let cut = |more: Value| {
        let mut body = json!({ "name": "vlan", "fixed_range": "10.1.0.0/16", "count": 3,
            "size": 512, "kind": "vlan", "physical": "trunk", "first": 100, "dns": ["9.9.9.9"] });
        let fields = body.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        fields.retain(|_, value| !value.is_null());
        json!({ "networks": body })
    };
    let ask = async |token: &str, more: Value| {
        let body = cut(more);
        test.ask(token, Method::POST, path, body).await
    };
    assert_eq!(ask(&demo, json!({})).await.status, 403);
    for (bad, says) in [
        (json!({ "size": 500 }), "power of two"),
        (json!({ "count": 200 }), "room for 128 networks"),
        (json!({ "count": 0 }), "between 1 and"),
        (json!({ "first": 4093 }), "1 to 4094"),
        (json!({ "first": null }), "first is needed"),
        (json!({ "physical": null }), "physical"),
        (json!({ "physical": "a b" }), "a b"),
        (json!({ "kind": "vxlan" }), "leave physical out"),
        (json!({ "kind": "local" }), "leave them out"),
        (json!({ "kind": "flat" }), "vlan, vxlan or local"),
        (json!({ "kind": "gre" }), "gre"),
        (json!({ "name": "" }), "name"),
        (json!({ "fixed_range": "127.0.0.0/16" }), "loopback"),
        (json!({ "fixed_range": "10.1.0.0" }), ""),
        (json!({ "dns": ["::1"] }), ""),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let answer = ask(&admin, bad.clone()).await;
        assert_eq!(answer.status, 400, "{bad}: {:?}", answer.body);
        let told = answer.body.to_string();
        assert!(told.contains(says), "{bad}: {told}");
    }
    let made = ask(&admin, json!({})).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let last = &made.body["networks"][2];
    assert!(last["id"].is_string());
    assert_eq!(
        *last,
        json!({ "id": last["id"], "name": "vlan-102", "cidr": "10.1.4.0/23", "kind": "vlan",
            "physical": "trunk", "number": 102 })
    );
    let again = ask(&admin, json!({})).await;
    assert_eq!(again.status, 409);
    assert!(
        again
            .body
            .to_string()
            .contains("vlan-100, vlan-101, vlan-102")
    );
    let taken = ask(&admin, json!({ "first": 98, "name": "other" })).await;
    assert_eq!(taken.status, 409);
    let told = taken.body.to_string();
    assert!(
        told.contains("VLAN 100 on trunk is taken by network vlan-100"),
        "{told}"
    );
    for kind in ["vxlan", "local"] {
        let first = if kind == "vxlan" {
            json!(7)
        } else {
            Value::Null
        };
        let more = json!({ "kind": kind, "physical": null, "first": first, "name": kind });
        let made = ask(&admin, more).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        assert_eq!(made.body["networks"][0]["number"], first);
    }
    // Nobody else sees them before their first use.
    let seen = test.get(&demo, "/network/v2.0/networks").await;
    assert_eq!(seen.body["networks"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn events_are_read_by_number() {
    let test = TestApp::sqlite().await;
    let admin = test.admin().await;
    let mut tx = test.store().begin().await.unwrap();
    for number in 0..3 {
        let event = Event {
            seq: 0,
            at: Timestamp::now(),
            project: ProjectId::random(),
            kind: "compute.instance.update".into(),
            server: ServerId::random(),
            request_id: "req-1".into(),
            payload: json!({ "n": number }),
        };
        events::append(&mut tx, &event).await.unwrap();
    }
    tx.commit().await.unwrap();
    let first = test
        .get(&admin, "/skybus/v1/events?all_projects=1&limit=2")
        .await
        .body;
    assert_eq!(first["events"].as_array().unwrap().len(), 2);
    let rest = test
        .get(
            &admin,
            &format!("/skybus/v1/events?all_projects=1&after={}", first["last"]),
        )
        .await
        .body;
    assert_eq!(rest["events"][0]["payload"], json!({ "n": 2 }));
    let none = test
        .get(
            &admin,
            &format!("/skybus/v1/events?all_projects=1&after={}", rest["last"]),
        )
        .await
        .body;
    assert_eq!(
        (&none["events"], &none["last"]),
        (&json!([]), &rest["last"])
    );
}

#[tokio::test]
async fn status_says_what_is_wrong() {
    let test = TestApp::sqlite().await;
    let admin = test.admin().await;
    let status = test.get(&admin, "/skybus/v1/status").await;
    assert_eq!(status.status, 200, "{:?}", status.body);
    let problems = status.body["problems"].to_string();
    assert!(problems.contains("broker is away") && problems.contains("no compute host"));
}

#[tokio::test]
async fn a_trace_of_nothing_is_not_found() {
    let test = TestApp::sqlite().await;
    let (demo, admin) = (test.demo().await, test.admin().await);
    for id in ["nonsense".to_owned(), ServerId::random().to_string()] {
        let path = format!("/skybus/v1/servers/{id}/trace");
        assert_eq!(test.get(&demo, &path).await.status, 404);
        assert_eq!(test.get(&admin, &path).await.status, 404);
    }
}

#[tokio::test]
async fn bad_subscribers_are_refused_before_anything_is_made() {
    let test = TestApp::sqlite().await;
    let admin = test.admin().await;
    for (body, status, piece) in [
        (json!({}), 400, "name"),
        (json!({ "name": "No Name" }), 400, "a-z"),
        (json!({ "name": "a", "keys": "#" }), 400, "keys"),
        (json!({ "name": "a", "keys": [] }), 400, "keys"),
        (json!({ "name": "a", "keys": [5] }), 400, "keys"),
        // This test's API server was not told of a broker's management.
        (json!({ "name": "a" }), 409, "management"),
    ] {
        let path = "/skybus/v1/bus/subscribers";
        let answer = test.ask(&admin, Method::POST, path, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {:?}", answer.body);
        assert!(
            answer.body["error"]["message"]
                .as_str()
                .unwrap()
                .contains(piece),
            "{body}"
        );
    }
    let limit = test
        .ask(
            &admin,
            Method::GET,
            "/skybus/v1/bus/dead?limit=0",
            Value::Null,
        )
        .await;
    assert_eq!(limit.status, 400);
}

/// A cloud's rows are damaged by hand; the operator finds it, is told of it by `status`, and has it mended.
#[tokio::test]
async fn an_audit_finds_says_and_mends() {
    let test = TestApp::sqlite().await;
    let (demo, admin) = (test.demo().await, test.admin().await);
    let path = "/skybus/v1/audit";
    let healthy = test.get(&admin, path).await;
    assert_eq!(healthy.status, 200, "{:?}", healthy.body);
    assert_eq!(healthy.body, json!({ "remaining": 0, "findings": [] }));

    let mut tx = test.store().begin().await.unwrap();
    quotas::take(&mut tx, "somebody", Resource::Instances, 3, -1)
        .await
        .unwrap()
        .unwrap();
    tx.commit().await.unwrap();
    let found = test.get(&admin, path).await.body;
    let finding = &found["findings"][0];
    assert_eq!(
        (&found["remaining"], &finding["kind"]),
        (&json!(1), &json!("quota-drift"))
    );
    assert_eq!(
        finding["resource"],
        json!({ "type": "usage", "id": "instances of somebody" })
    );
    for field in ["found", "expected", "why", "repair"] {
        assert!(
            finding[field].as_str().unwrap().len() > 10,
            "{field}: {finding}"
        );
    }
    let status = test.get(&admin, "/skybus/v1/status").await.body;
    let problems = status["problems"].to_string();
    assert!(problems.contains("audit: 1 finding;"), "{problems}");

    let ask = json!({ "repair": true });
    assert_eq!(
        test.ask(&demo, Method::POST, path, ask.clone())
            .await
            .status,
        403
    );
    let mended = test.ask(&admin, Method::POST, path, ask).await.body;
    assert_eq!(mended["remaining"], json!(0), "{mended}");
    assert_eq!(mended["findings"][0]["outcome"], json!("repaired"));
    assert_eq!(test.get(&admin, path).await.body["remaining"], json!(0));
    let status = test.get(&admin, "/skybus/v1/status").await.body;
    assert!(!status["problems"].to_string().contains("audit"));
}

#[tokio::test]
async fn an_audit_says_what_it_wants() {
    let test = TestApp::sqlite().await;
    let admin = test.admin().await;
    for (body, piece) in [
        (json!({}), "repair"),
        (json!({ "repair": "yes" }), "repair"),
        (json!({ "repair": true, "force": true }), "force"),
        (json!([]), "body"),
    ] {
        let answer = test
            .ask(&admin, Method::POST, "/skybus/v1/audit", body.clone())
            .await;
        assert_eq!(answer.status, 400, "{body}: {:?}", answer.body);
        let message = answer.body["error"]["message"].to_string();
        assert!(message.contains(piece), "{body}: {message}");
    }
}
