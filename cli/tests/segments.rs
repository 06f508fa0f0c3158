//! Networks and segment ranges that operators make, and where it is seen what carries a network.

mod fake_cloud;

use fake_cloud::FakeCloud;
use serde_json::{Value, json};

const NETWORKS: &str = "/skybus/v1/networks";
const RANGES: &str = "/network/v2.0/network_segment_ranges";

fn range() -> Value {
    json!({"id": "r1", "name": "campus", "network_type": "vlan", "physical_network": "physnet1",
        "minimum": 100, "maximum": 103, "shared": true, "used": {"101": "p1"}, "available": [100, 102, 103]})
}

#[test]
fn networks_are_made_on_vlans_from_a_number_on() {
    let cloud = FakeCloud::start();
    let made = |n: u32| {
        json!({"id": format!("n{n}"), "name": format!("lab-{n}"), "cidr": format!("10.1.{}.0/23", 2 * n),
            "kind": "vlan", "physical": "physnet1", "number": 100 + n})
    };
    cloud.answers(
        "POST",
        NETWORKS,
        201,
        &json!({"networks": [made(0), made(1)]}),
    );
    let words = "admin network create --fixed-range 10.1.0.0/16 --num-networks 2 --network-size 512 \
        --vlan 100 --name lab --dns 192.0.2.53 --dns 192.0.2.54";
    let words: Vec<&str> = words.split_whitespace().collect();
    let ran = cloud.run(&words);
    assert_eq!(
        ran.out,
        "\
+----+-------+-------------+------+------------------+--------+
| ID | Name  | CIDR        | Kind | Physical Network | Number |
+----+-------+-------------+------+------------------+--------+
| n0 | lab-0 | 10.1.0.0/23 | vlan | physnet1         | 100    |
| n1 | lab-1 | 10.1.2.0/23 | vlan | physnet1         | 101    |
+----+-------+-------------+------+------------------+--------+
",
        "{}",
        ran.err
    );
    let sent = &cloud.seen("POST", NETWORKS)[0];
    assert_eq!(
        sent.json(),
        json!({"networks": {"name": "lab", "fixed_range": "10.1.0.0/16", "count": 2, "size": 512,
            "kind": "vlan", "physical": "physnet1", "first": 100, "dns": ["192.0.2.53", "192.0.2.54"]}})
    );
    assert!(sent.header("idempotency-key").is_some());
}

#[test]
fn what_is_not_said_of_networks_is_not_sent() {
    let cloud = FakeCloud::start();
    cloud.answers("POST", NETWORKS, 201, &json!({"networks": []}));
    let create = ["admin", "network", "create", "--fixed-range", "10.0.0.0/24"];
    for more in [
        &[][..],
        &["--vxlan", "5000"],
        &["--vlan", "7", "--physical", "trunk"],
    ] {
        let ran = cloud.run(&[&create[..], more].concat());
        assert_eq!(ran.code, 0, "{more:?}: {}", ran.err);
    }
    let sent: Vec<Value> = cloud
        .seen("POST", NETWORKS)
        .iter()
        .map(fake_cloud::Seen::json)
        .collect();
    let common = json!({"name": "network", "fixed_range": "10.0.0.0/24", "count": 1, "size": 256, "dns": []});
    let with = |more: Value| {
        let mut all = common.clone();
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "networks": all })
    };
    assert_eq!(
        sent,
        [
            with(json!({"kind": "local"})),
            with(json!({"kind": "vxlan", "first": 5000})),
            with(json!({"kind": "vlan", "first": 7, "physical": "trunk"})),
        ]
    );
}

#[test]
fn a_refusal_of_networks_is_the_clouds_own_words() {
    let cloud = FakeCloud::start();
    let message = "VLAN 100 on physnet1 is taken by network n7; choose another first number";
    cloud.answers(
        "POST",
        NETWORKS,
        409,
        &json!({"error": {"code": 409, "message": message}}),
    );
    let words = "admin network create --fixed-range 10.0.0.0/24 --vlan 100";
    let ran = cloud.run(&words.split(' ').collect::<Vec<_>>());
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains(message), "{}", ran.err);
}

#[test]
fn a_range_is_made_listed_and_deleted() {
    let cloud = FakeCloud::start();
    let all = json!({"network_segment_ranges": [range()]});
    cloud
        .answers(
            "POST",
            RANGES,
            201,
            &json!({"network_segment_range": range()}),
        )
        .answers("GET", RANGES, 200, &all)
        .answers("GET", &format!("{RANGES}?name=campus"), 200, &all)
        .answers("DELETE", &format!("{RANGES}/r1"), 204, &Value::Null);
    let row = "r1 campus vlan physnet1 100 103 1 3\n";
    let create =
        "admin segment-range create campus --type vlan --minimum 100 --maximum 103 -f value";
    let made = cloud.run(&create.split(' ').collect::<Vec<_>>());
    assert_eq!(made.out, row, "{}", made.err);
    assert_eq!(
        cloud.seen("POST", RANGES)[0].json(),
        json!({"network_segment_range": {"name": "campus", "network_type": "vlan", "shared": true,
            "physical_network": "physnet1", "minimum": 100, "maximum": 103}})
    );
    let listed = cloud.run(&["admin", "segment-range", "list", "-f", "value"]);
    assert_eq!(listed.out, row, "{}", listed.err);
    let whole = cloud.run(&["admin", "segment-range", "list", "-f", "json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&whole.out).unwrap(),
        json!([range()])
    );
    let gone = cloud.run(&["admin", "segment-range", "delete", "campus"]);
    assert_eq!((gone.code, gone.out.as_str()), (0, ""), "{}", gone.err);
    assert_eq!(cloud.seen("DELETE", &format!("{RANGES}/r1")).len(), 1);
}

#[test]
fn ranges_that_make_no_sense_are_refused_here() {
    let cloud = FakeCloud::start();
    let all = json!({"network_segment_ranges": [range()]});
    let none = json!({"network_segment_ranges": []});
    cloud.answers("GET", RANGES, 200, &all).answers(
        "GET",
        &format!("{RANGES}?name=campsu"),
        200,
        &none,
    );
    let words = "admin segment-range create r --type vxlan --physical p --minimum 1 --maximum 9";
    let ran = cloud.run(&words.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.err,
        "error: VXLANs are not on a physical network, and so not on p\n  \
         next: leave out --physical, or say --type vlan\n"
    );
    let unknown = cloud.run(&["admin", "segment-range", "delete", "campsu"]);
    assert_eq!(unknown.code, 4);
    assert!(
        unknown.err.contains("did you mean \"campus\"?")
            && unknown.err.contains("`skybus admin segment-range list`"),
        "{}",
        unknown.err
    );
}

#[test]
fn who_is_told_what_carries_a_network_sees_it() {
    let plain =
        json!({"id": "n1", "name": "flat", "status": "ACTIVE", "shared": true, "subnets": ["s1"]});
    let mut told = plain.clone();
    told["provider:network_type"] = json!("vlan");
    told["provider:physical_network"] = json!("physnet1");
    told["provider:segmentation_id"] = json!(100);
    for (network, row) in [
        (&plain, "n1 flat ACTIVE True s1\n"),
        (&told, "n1 flat ACTIVE True s1 vlan physnet1 100\n"),
    ] {
        let cloud = FakeCloud::start();
        cloud.answers(
            "GET",
            "/network/v2.0/networks",
            200,
            &json!({"networks": [network]}),
        );
        let ran = cloud.run(&["network-list", "-f", "value"]);
        assert_eq!(ran.out, row, "{}", ran.err);
    }
}

#[test]
fn the_list_of_services_says_what_a_host_lacks_and_why() {
    let cloud = FakeCloud::start();
    let service = |binary: &str, host: &str| {
        json!({"id": "1", "binary": binary, "host": host, "zone": "nova",
            "status": "enabled", "state": "up", "updated_at": "2026-01-02", "disabled_reason": null})
    };
    let services = [
        service("nova-network", "a"),
        service("nova-network", "b"),
        service("nova-compute", "a"),
    ];
    cloud.answers(
        "GET",
        "/compute/v2.1/os-services",
        200,
        &json!({"services": services}),
    );
    let row =
        |binary: &str, host: &str| format!("1 {binary} {host} nova enabled up 2026-01-02 - -");
    let rows = services
        .iter()
        .map(|s| row(s["binary"].as_str().unwrap(), s["host"].as_str().unwrap()));
    let rows: Vec<String> = rows.collect();
    let foreign = cloud.run(&["service-list", "-f", "value"]);
    assert_eq!(foreign.out, rows.join("\n") + "\n", "{}", foreign.err);

    let carries = |host: &str, lacks: Value| {
        let carries = json!({"flat": [], "vlan": [], "tunnel": null, "lacks": lacks});
        json!({"name": host, "services": [
            {"service": "compute", "host": host, "carries": null},
            {"service": "network", "host": host, "carries": carries},
        ]})
    };
    let lacks = json!({"vlan": "the kernel has no 802.1Q", "vxlan": "no tunnel address"});
    cloud.answers(
        "GET",
        "/skybus/v1/hosts",
        200,
        &json!({"hosts": [carries("a", lacks), carries("b", json!({}))]}),
    );
    let own = cloud.run(&["service-list", "-f", "value"]);
    let lacking = "vlan: the kernel has no 802.1Q; vxlan: no tunnel address";
    assert_eq!(
        own.out,
        format!("{} {lacking}\n{} -\n{} -\n", rows[0], rows[1], rows[2]),
        "{}",
        own.err
    );
}
