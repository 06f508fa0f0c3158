//! Floating IPs and security groups on the command line: what is asked, shown and refused.

mod fake_cloud;

use fake_cloud::{FakeCloud, Seen};
use serde_json::{Value, json};

const ID: &str = "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";
const FLOATINGS: &str = "/network/v2.0/floatingips";

/// One server with two ports, one floating IP that leads nowhere, one that leads to another server.
fn cloud() -> FakeCloud {
    let cloud = FakeCloud::start();
    let port = |id: &str, ip: &str| json!({"id": id, "fixed_ips": [{"ip_address": ip}]});
    let free = json!({"id": "f1", "floating_ip_address": "172.17.1.2", "floating_network_id": "n1",
        "port_details": null, "fixed_ip_address": null, "status": "DOWN"});
    let led = json!({"id": "f2", "floating_ip_address": "172.17.1.3", "floating_network_id": "n1",
        "port_details": {"device_id": ID}, "fixed_ip_address": "10.1.0.2", "status": "ACTIVE"});
    let found = |ip: &str| format!("{FLOATINGS}?floating_ip_address={ip}");
    let pools = json!({"networks": [{"id": "n1", "name": "public"}]});
    cloud
        .answers(
            "GET",
            "/network/v2.0/networks?router:external=true",
            200,
            &pools,
        )
        .answers(
            "GET",
            &found("172.17.1.2"),
            200,
            &json!({"floatingips": [free]}),
        )
        .answers(
            "GET",
            &found("172.17.1.3"),
            200,
            &json!({"floatingips": [led]}),
        )
        .answers(
            "GET",
            &found("172.17.1.9"),
            200,
            &json!({"floatingips": []}),
        )
        .answers(
            "GET",
            &format!("{FLOATINGS}?id=172.17.1.9"),
            200,
            &json!({"floatingips": []}),
        )
        .answers("GET", FLOATINGS, 200, &json!({"floatingips": [free, led]}))
        .answers("POST", FLOATINGS, 201, &json!({"floatingip": free.clone()}))
        .answers("PUT", &format!("{FLOATINGS}/f1"), 200, &json!({}))
        .answers("PUT", &format!("{FLOATINGS}/f2"), 200, &json!({}))
        .answers("DELETE", &format!("{FLOATINGS}/f1"), 204, &Value::Null)
        .answers(
            "GET",
            "/compute/v2.1/servers",
            200,
            &json!({"servers": [{"id": ID, "name": "vm1"}]}),
        )
        .answers(
            "GET",
            &format!("/network/v2.0/ports?device_id={ID}"),
            200,
            &json!({"ports": [port("p1", "10.1.0.2"), port("p2", "10.2.0.2")]}),
        );
    cloud
}

fn bodies(cloud: &FakeCloud, method: &str, path: &str) -> Vec<Value> {
    cloud.seen(method, path).iter().map(Seen::json).collect()
}

#[test]
fn one_is_had_listed_and_given_back() {
    let cloud = cloud();
    let pools = cloud.run(&["floating-ip-pool-list", "-f", "value"]);
    assert_eq!(pools.out, "public\n", "{}", pools.err);
    for words in [
        &["floating-ip-create"][..],
        &["floating-ip-create", "public"],
    ] {
        let made = cloud.run(&[words, &["-f", "value"]].concat());
        assert_eq!(made.out, "f1 172.17.1.2 - - public DOWN\n", "{}", made.err);
    }
    let sent = json!({"floatingip": {"floating_network_id": "n1"}});
    assert_eq!(bodies(&cloud, "POST", FLOATINGS), [sent.clone(), sent]);
    let all = cloud.run(&["floating-ip-list", "-f", "value"]);
    let second = format!("f2 172.17.1.3 {ID} 10.1.0.2 public ACTIVE");
    assert_eq!(
        all.out,
        format!("f1 172.17.1.2 - - public DOWN\n{second}\n")
    );
    let gone = cloud.run(&["floating-ip-delete", "172.17.1.2"]);
    assert_eq!((gone.code, gone.out.as_str()), (0, ""), "{}", gone.err);
    assert_eq!(cloud.seen("DELETE", &format!("{FLOATINGS}/f1")).len(), 1);
}

#[test]
fn it_is_led_to_a_server_and_taken_away() {
    let cloud = cloud();
    for words in [
        &["add-floating-ip", "vm1", "172.17.1.2"][..],
        &["floating-ip-associate", "vm1", "172.17.1.2"],
        &[
            "add-floating-ip",
            "--fixed-address",
            "10.2.0.2",
            "vm1",
            "172.17.1.2",
        ],
    ] {
        let ran = cloud.run(words);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (0, ""),
            "{words:?}: {}",
            ran.err
        );
    }
    let to = |port: &str| json!({"floatingip": {"port_id": port}});
    assert_eq!(
        bodies(&cloud, "PUT", &format!("{FLOATINGS}/f1")),
        [to("p1"), to("p1"), to("p2")]
    );
    assert_eq!(
        cloud.run(&["remove-floating-ip", "vm1", "172.17.1.3"]).code,
        0
    );
    assert_eq!(
        bodies(&cloud, "PUT", &format!("{FLOATINGS}/f2")),
        [json!({"floatingip": {"port_id": null}})]
    );
}

#[test]
fn a_refusal_says_what_to_do() {
    let cloud = cloud();
    for (words, code, next) in [
        (
            &["floating-ip-create", "nova"][..],
            4,
            "floating-ip-pool-list",
        ),
        (&["floating-ip-delete", "172.17.1.9"], 4, "floating-ip-list"),
        (
            &["add-floating-ip", "vm1", "172.17.1.9"],
            4,
            "floating-ip-list",
        ),
        (
            &["remove-floating-ip", "vm1", "172.17.1.2"],
            2,
            "floating-ip-list",
        ),
        (
            &[
                "add-floating-ip",
                "--fixed-address",
                "10.9.0.2",
                "vm1",
                "172.17.1.2",
            ],
            2,
            "10.1.0.2, 10.2.0.2",
        ),
    ] {
        let ran = cloud.run(words);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (code, ""),
            "{words:?}: {}",
            ran.err
        );
        assert!(ran.err.contains(next), "{words:?}: {}", ran.err);
    }
    assert!(cloud.seen("PUT", &format!("{FLOATINGS}/f1")).is_empty());
}

fn with_groups() -> FakeCloud {
    let cloud = cloud();
    for (name, id) in [("web", "g1"), ("db", "g2")] {
        cloud.answers(
            "GET",
            &format!("/network/v2.0/security-groups?name={name}"),
            200,
            &json!({"security_groups": [{"id": id, "name": name}]}),
        );
    }
    cloud
}

#[test]
fn rules_speak_of_groups_and_of_the_way_out() {
    let cloud = with_groups();
    let path = "/network/v2.0/security-group-rules";
    cloud.answers(
        "POST",
        path,
        201,
        &json!({"security_group_rule": {"id": "r1"}}),
    );
    for words in [
        &[
            "secgroup-add-group-rule",
            "web",
            "db",
            "tcp",
            "5432",
            "5432",
        ][..],
        &["secgroup-add-group-rule", "web", "db"],
        &[
            "secgroup-add-rule",
            "--egress",
            "web",
            "udp",
            "53",
            "53",
            "192.0.2.53/32",
        ],
    ] {
        let ran = cloud.run(words);
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
    }
    let sent = bodies(&cloud, "POST", path);
    let rule = &sent[0]["security_group_rule"];
    assert_eq!(
        (&rule["remote_group_id"], &rule["remote_ip_prefix"]),
        (&json!("g2"), &Value::Null)
    );
    assert_eq!(
        (&rule["direction"], &rule["port_range_min"]),
        (&json!("ingress"), &json!(5432))
    );
    let all = &sent[1]["security_group_rule"];
    assert_eq!(
        (&all["protocol"], &all["port_range_max"]),
        (&json!("any"), &Value::Null)
    );
    let out = &sent[2]["security_group_rule"];
    assert_eq!(
        (&out["direction"], &out["remote_ip_prefix"]),
        (&json!("egress"), &json!("192.0.2.53/32"))
    );
}

#[test]
fn a_server_is_put_under_a_group_and_taken_from_it() {
    let cloud = with_groups();
    let action = format!("/compute/v2.1/servers/{ID}/action");
    cloud.answers("POST", &action, 202, &Value::Null).answers(
        "GET",
        &format!("/compute/v2.1/servers/{ID}/os-security-groups"),
        200,
        &json!({"security_groups": [{"id": "g1", "name": "web", "description": "80"}]}),
    );
    for command in ["add-secgroup", "remove-secgroup"] {
        let ran = cloud.run(&[command, "vm1", "web"]);
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    }
    assert_eq!(
        bodies(&cloud, "POST", &action),
        [
            json!({"addSecurityGroup": {"name": "g1"}}),
            json!({"removeSecurityGroup": {"name": "g1"}}),
        ]
    );
    let listed = cloud.run(&["list-secgroup", "vm1", "-f", "value"]);
    assert_eq!(listed.out, "g1 web 80\n", "{}", listed.err);
}
