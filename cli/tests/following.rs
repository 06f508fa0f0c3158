//! Following events: `watch`, and `--poll` where the cloud pushes them.

mod fake_cloud;

use fake_cloud::FakeCloud;
use serde_json::{Value, json};

const ID: &str = "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";
const EVENTS: &str = "/skybus/v1/events";

fn begins(seq: i64) -> String {
    format!(": begins\nid: {seq}\n\n")
}

fn event(seq: i64, status: &str, task: Option<&str>) -> String {
    let data = json!({"seq": seq, "at": "2026-01-02T03:04:05.000006Z", "server": ID,
        "kind": "compute.instance.update",
        "payload": {"display_name": "vm1", "status": status, "new_task_state": task}});
    format!("id: {seq}\nevent: compute.instance.update\ndata: {data}\n\n")
}

fn server(status: &str, task: Option<&str>) -> Value {
    json!({"server": {"id": ID, "name": "vm1", "status": status, "OS-EXT-STS:task_state": task}})
}

fn with_vm1() -> FakeCloud {
    let cloud = FakeCloud::start();
    let servers = json!({"servers": [{"id": ID, "name": "vm1"}]});
    cloud.answers("GET", "/compute/v2.1/servers", 200, &servers);
    cloud
}

#[test]
fn watch_goes_on_where_the_stream_was_lost_and_says_nothing_twice() {
    let cloud = FakeCloud::start();
    cloud
        .streams(EVENTS, &[begins(3), event(4, "BUILD", Some("scheduling"))])
        .streams(
            &format!("{EVENTS}?after=4"),
            &[begins(4), event(9, "BUILD", Some("spawning"))],
        )
        // Cut off in the middle of a frame: it did not happen, and comes again.
        .streams(
            &format!("{EVENTS}?after=9"),
            &["id: 10\nevent: x\ndata: {}\n".to_owned()],
        )
        .streams(&format!("{EVENTS}?after=9"), &[event(10, "ACTIVE", None)])
        .answers(
            "GET",
            &format!("{EVENTS}?after=10"),
            403,
            &json!({"error": {"message": "no more"}}),
        );
    let ran = cloud.run(&["-f", "value", "watch"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let line = |state: &str| {
        format!("2026-01-02T03:04:05.000006Z {ID} vm1 compute.instance.update {state}\n")
    };
    let lines = [
        line("BUILD/scheduling"),
        line("BUILD/spawning"),
        line("ACTIVE"),
    ];
    assert_eq!(ran.out, lines.concat());
    assert!(ran.err.contains("no more"), "{}", ran.err);
    let asked = &cloud.seen("GET", EVENTS)[0];
    assert_eq!(asked.header("accept"), Some("text/event-stream"));
    assert_eq!(asked.header("x-auth-token"), Some("the-token"));
}

#[test]
fn a_stream_that_is_lost_before_its_first_event_goes_on_where_it_began() {
    let cloud = FakeCloud::start();
    cloud
        .streams(EVENTS, &[begins(3), ": still here\nid: 7\n\n".to_owned()])
        .streams(&format!("{EVENTS}?after=7"), &[event(8, "ACTIVE", None)]);
    let ran = cloud.run(&["-f", "json", "watch"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    let seen: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(seen["seq"], 8);
}

#[test]
fn watch_names_servers_and_says_when_events_are_missing() {
    let cloud = with_vm1();
    let gap = "id: 90\nevent: gap\ndata: {\"asked\":2,\"oldest\":91}\n\n".to_owned();
    let path = format!("{EVENTS}?after=2&all_projects=1&server={ID}");
    cloud.streams(&path, &[gap, event(95, "ACTIVE", None)]);
    let ran = cloud.run(&["watch", "--all-projects", "--after", "2", "vm1"]);
    assert!(ran.err.contains("going on with number 91"), "{}", ran.err);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    let again = format!("{EVENTS}?after=95&all_projects=1&server={ID}");
    assert_eq!(cloud.seen("GET", &again).len(), 1);
}

#[test]
fn poll_follows_the_events_and_looks_when_one_may_decide() {
    let cloud = with_vm1();
    let path = format!("/compute/v2.1/servers/{ID}");
    let frames = [
        begins(3),
        event(4, "ACTIVE", Some("powering-off")),
        event(5, "SHUTOFF", None),
    ];
    cloud
        .streams(&format!("{EVENTS}?server={ID}"), &frames)
        .answers("POST", &format!("{path}/action"), 202, &Value::Null)
        .answers("GET", &path, 200, &server("ACTIVE", Some("powering-off")))
        .answers("GET", &path, 200, &server("SHUTOFF", None));
    let ran = cloud.run(&["stop", "--poll", "vm1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "vm1: ACTIVE, powering-off\nvm1: SHUTOFF\n");
    assert_eq!(cloud.seen("GET", &path).len(), 2);
}

#[test]
fn poll_asks_again_and_again_when_the_stream_breaks() {
    let cloud = with_vm1();
    let path = format!("/compute/v2.1/servers/{ID}");
    cloud
        .streams(&format!("{EVENTS}?server={ID}"), &[begins(3)])
        .answers("POST", &format!("{path}/action"), 202, &Value::Null)
        .answers("GET", &path, 200, &server("ACTIVE", Some("powering-off")))
        .answers("GET", &path, 200, &server("ACTIVE", Some("powering-off")))
        .answers("GET", &path, 200, &server("SHUTOFF", None));
    let ran = cloud.run(&["stop", "--poll", "vm1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(cloud.seen("GET", &path).len(), 3);
    assert_eq!(cloud.seen("GET", &format!("{EVENTS}?server={ID}")).len(), 1);
}
