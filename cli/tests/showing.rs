//! What commands print: tables, values and JSON, as people and scripts see them.

mod fake_cloud;

use fake_cloud::{FakeCloud, Ran};
use serde_json::{Value, json};

const ID: &str = "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";

fn server() -> Value {
    json!({
        "id": ID, "name": "vm1", "status": "ACTIVE", "tenant_id": "p1",
        "OS-EXT-STS:task_state": null, "OS-EXT-STS:power_state": 1,
        "addresses": {"private": [{"addr": "10.1.0.2", "version": 4}]},
        "flavor": {"id": "1"}, "image": {"id": "i1"}, "metadata": {"role": "web"},
    })
}

fn with_server() -> FakeCloud {
    serving(&server())
}

fn serving(server: &Value) -> FakeCloud {
    let cloud = FakeCloud::start();
    cloud
        .answers(
            "GET",
            "/compute/v2.1/servers/detail",
            200,
            &json!({"servers": [server]}),
        )
        .answers(
            "GET",
            "/compute/v2.1/servers",
            200,
            &json!({"servers": [{"id": ID, "name": "vm1"}]}),
        )
        .answers(
            "GET",
            &format!("/compute/v2.1/servers/{ID}"),
            200,
            &json!({"server": server}),
        )
        .answers(
            "GET",
            "/compute/v2.1/flavors/1",
            200,
            &json!({"flavor": {"name": "m1.tiny"}}),
        )
        .answers(
            "GET",
            "/image/v2/images/i1",
            200,
            &json!({"id": "i1", "name": "tiny"}),
        );
    cloud
}

#[test]
fn a_list_is_a_table() {
    let ran = with_server().run(&["list"]);
    assert_eq!(
        ran.out,
        "\
+--------------------------------------+------+--------+------------+-------------+------------------+
| ID                                   | Name | Status | Task State | Power State | Networks         |
+--------------------------------------+------+--------+------------+-------------+------------------+
| 4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b | vm1  | ACTIVE | -          | Running     | private=10.1.0.2 |
+--------------------------------------+------+--------+------------+-------------+------------------+
"
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn json_is_the_apis_own() {
    let ran = with_server().run(&["list", "--format", "json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&ran.out).unwrap(),
        json!([server()])
    );
    let ran = with_server().run(&["-f", "json", "show", "vm1"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), server());
}

#[test]
fn values_are_for_shell_loops() {
    let ran = with_server().run(&["list", "-f", "value"]);
    assert_eq!(
        ran.out,
        format!("{ID} vm1 ACTIVE - Running private=10.1.0.2\n")
    );
}

#[test]
fn show_names_flavor_image_and_network() {
    let ran = with_server().run(&["show", "vm1"]);
    for line in [
        "| flavor                 | m1.tiny (1)                          |",
        "| image                  | tiny (i1)                            |",
        "| private network        | 10.1.0.2                             |",
        "| metadata               | role=web                             |",
    ] {
        assert!(ran.out.contains(line), "{}", ran.out);
    }
}

#[test]
fn show_prints_the_code_of_a_fault_and_where_it_is_explained() {
    let mut broken = server();
    broken["status"] = json!("ERROR");
    broken["fault"] =
        json!({"code": 500, "message": "The disk is full.", "skybus:code": "disk-full"});
    let ran = serving(&broken).run(&["show", ID]);
    assert!(ran.out.contains("The disk is full."), "{}", ran.out);
    assert!(
        ran.out.contains("disk-full (see docs/errors/disk-full.md)"),
        "{}",
        ran.out
    );
}

#[test]
fn a_name_and_an_id_show_the_same() {
    let cloud = with_server();
    let (by_name, by_id) = (cloud.run(&["show", "vm1"]), cloud.run(&["show", ID]));
    assert_eq!(by_name.out, by_id.out);
    assert_eq!(by_name.code, 0);
}

#[test]
fn long_lists_are_read_page_by_page() {
    let cloud = FakeCloud::start();
    let page = |id: &str, links: Value| json!({"servers": [{"id": id, "name": id, "status": "ACTIVE"}], "servers_links": links});
    let next = json!([{"rel": "next", "href": "http://elsewhere.example/steals-tokens"}]);
    cloud
        .answers("GET", "/compute/v2.1/servers/detail", 200, &page("a", next))
        .answers(
            "GET",
            "/compute/v2.1/servers/detail?marker=a",
            200,
            &page("b", json!([])),
        );
    let ran = cloud.run(&["list", "-f", "value"]);
    assert_eq!(ran.out, "a a ACTIVE - NOSTATE -\nb b ACTIVE - NOSTATE -\n");
}

#[test]
fn a_limit_is_kept() {
    let cloud = FakeCloud::start();
    let servers =
        json!({"servers": [{"id": "a"}, {"id": "b"}], "servers_links": [{"rel": "next"}]});
    cloud.answers("GET", "/compute/v2.1/servers/detail?limit=1", 200, &servers);
    let ran = cloud.run(&["list", "--limit", "1", "-f", "json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&ran.out)
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn console_output_comes_as_it_is() {
    let cloud = with_server();
    let path = format!("/compute/v2.1/servers/{ID}/action");
    cloud.answers("POST", &path, 200, &json!({"output": "login: \n"}));
    let ran = cloud.run(&["console-log", "--length", "1", "vm1"]);
    assert_eq!(ran.out, "login: \n");
    assert_eq!(
        cloud.seen("POST", &path)[0].json(),
        json!({"os-getConsoleOutput": {"length": 1}})
    );
}

#[test]
fn the_rules_of_a_group_are_novas_columns() {
    let cloud = FakeCloud::start();
    let rule = json!({"id": "r1", "direction": "ingress", "protocol": "tcp", "port_range_min": 22,
        "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0", "ethertype": "IPv4"});
    let group = json!({"id": "g1", "name": "default", "security_group_rules": [rule]});
    cloud
        .answers(
            "GET",
            "/network/v2.0/security-groups?name=default",
            200,
            &json!({"security_groups": [group.clone()]}),
        )
        .answers(
            "GET",
            "/network/v2.0/security-groups/g1",
            200,
            &json!({"security_group": group}),
        );
    let ran = cloud.run(&["secgroup-list-rules", "default", "-f", "value"]);
    assert_eq!(ran.out, "r1 ingress tcp 22 22 0.0.0.0/0 -\n");
}

#[test]
fn a_trace_is_read_beside_the_identity_service() {
    let cloud = with_server();
    let trace = json!({"trace": {"server": ID, "operations": [{"kind": "create", "step": "done",
        "request_id": "req-1", "hops": [{"at_us": 5, "who": "api", "what": "accepted", "detail": ""}]}]}});
    cloud.answers(
        "GET",
        &format!("/skybus/v1/servers/{ID}/trace"),
        200,
        &trace,
    );
    let ran = cloud.run(&["trace", "vm1"]);
    assert!(
        ran.out.starts_with("create: done in 0.0 ms"),
        "{}{}",
        ran.out,
        ran.err
    );
}

#[test]
fn completion_needs_no_cloud() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = Ran::from(fake_cloud::bare(&["completion", shell]).output().unwrap());
        assert!(
            ran.code == 0 && ran.out.contains("secgroup-add-rule"),
            "{shell}: {}",
            ran.err
        );
    }
}
