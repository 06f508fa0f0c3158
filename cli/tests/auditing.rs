//! `skybus audit`, as an operator and a script see it.

mod fake_cloud;

use fake_cloud::FakeCloud;
use serde_json::{Value, json};

const PATH: &str = "/skybus/v1/audit";

fn finding() -> Value {
    json!({
        "kind": "claim-drift", "resource": {"type": "host", "id": "node-1"},
        "found": "claimed: 2 servers", "expected": "the sum of its servers: 1 servers",
        "why": "rows were changed by hand", "repair": "write the sum of its servers",
    })
}

/// A cloud whose catalog says where the operator's API is.
fn cloud(method: &'static str, body: &Value) -> FakeCloud {
    let cloud = FakeCloud::start();
    cloud.answers(method, PATH, 200, body);
    cloud
}

#[test]
fn nothing_is_said_in_one_line() {
    let cloud = cloud("GET", &json!({"remaining": 0, "findings": []}));
    let ran = cloud.run(&["audit"]);
    assert_eq!(ran.out, "all fits: the audit found nothing\n");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let ran = cloud.run(&["audit", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), json!([]));
}

#[test]
fn what_is_found_is_explained_and_fails_the_command() {
    let cloud = cloud("GET", &json!({"remaining": 1, "findings": [finding()]}));
    let ran = cloud.run(&["audit"]);
    for piece in [
        "claim-drift",
        "host node-1",
        "claimed: 2 servers",
        "the sum of its servers: 1 servers",
        "rows were changed by hand",
        "write the sum",
    ] {
        assert!(
            ran.out.contains(piece),
            "{piece:?} is missing:\n{}",
            ran.out
        );
    }
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("skybus audit --repair"), "{}", ran.err);
    let ran = cloud.run(&["audit", "--format", "json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&ran.out).unwrap(),
        json!([finding()])
    );
    assert_eq!(ran.code, 1);
}

#[test]
fn a_repair_is_asked_for_and_says_what_was_done() {
    let mut done = finding();
    done["outcome"] = json!("repaired");
    done["done"] = json!("claimed is now: 1 servers");
    let mended = cloud("POST", &json!({"remaining": 0, "findings": [done.clone()]}));
    let ran = mended.run(&["audit", "--repair"]);
    assert!(ran.out.contains("claimed is now: 1 servers"), "{}", ran.out);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(mended.seen("POST", PATH)[0].json(), json!({"repair": true}));

    done["outcome"] = json!("left");
    let left = cloud("POST", &json!({"remaining": 1, "findings": [done]}));
    let ran = left.run(&["audit", "--repair"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("left as found: 1 of 1"), "{}", ran.err);
}
