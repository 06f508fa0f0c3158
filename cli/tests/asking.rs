//! What commands ask of the cloud: the requests behind the words.

mod fake_cloud;

use std::fs;

use fake_cloud::FakeCloud;
use serde_json::{Value, json};

const ID: &str = "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";

fn cloud() -> FakeCloud {
    let cloud = FakeCloud::start();
    let one = |key: &str, id: &str, name: &str| json!({key: [{"id": id, "name": name}]});
    cloud
        .answers(
            "GET",
            "/compute/v2.1/flavors",
            200,
            &one("flavors", "1", "m1.tiny"),
        )
        .answers(
            "GET",
            "/image/v2/images?name=tiny",
            200,
            &one("images", "i1", "tiny"),
        )
        .answers(
            "GET",
            "/image/v2/images/i1",
            200,
            &json!({"id": "i1", "name": "tiny"}),
        )
        .answers(
            "GET",
            "/compute/v2.1/flavors/1",
            200,
            &json!({"flavor": {"name": "m1.tiny"}}),
        )
        .answers(
            "GET",
            "/compute/v2.1/os-keypairs/key1",
            200,
            &json!({"keypair": {"name": "key1"}}),
        )
        .answers(
            "GET",
            "/compute/v2.1/servers",
            200,
            &one("servers", ID, "vm1"),
        )
        .answers(
            "GET",
            "/network/v2.0/security-groups?name=default",
            200,
            &one("security_groups", "g1", "default"),
        );
    cloud
}

fn server(status: &str, task: Option<&str>) -> Value {
    json!({"server": {"id": ID, "name": "vm1", "status": status, "OS-EXT-STS:task_state": task,
        "flavor": {"id": "1"}, "image": {"id": "i1"}, "addresses": {}}})
}

#[test]
fn boot_sends_everything_that_was_said() {
    let cloud = cloud();
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    cloud
        .answers(
            "POST",
            "/compute/v2.1/servers",
            202,
            &json!({"server": {"id": ID, "adminPass": "once"}}),
        )
        .answers(
            "GET",
            &format!("/compute/v2.1/servers/{ID}"),
            200,
            &server("BUILD", Some("scheduling")),
        );
    let ran = cloud.run(&[
        "boot",
        "--flavor",
        "m1.tiny",
        "--image",
        "tiny",
        "--key_name",
        "key1",
        "--user-data",
        script.to_str().unwrap(),
        "--security-groups",
        "default,web",
        "--config-drive",
        "true",
        "--meta",
        "role=web",
        "--nic",
        "net-id=n1,v4-fixed-ip=10.1.0.9",
        "--availability-zone",
        "nova",
        "vm1",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("once"), "{}", ran.out);
    let request = &cloud.seen("POST", "/compute/v2.1/servers")[0];
    assert_eq!(
        request.json(),
        json!({"server": {
            "name": "vm1", "flavorRef": "1", "imageRef": "i1", "key_name": "key1",
            "user_data": "IyEvYmluL3NoCg==", "config_drive": true, "availability_zone": "nova",
            "security_groups": [{"name": "default"}, {"name": "web"}],
            "metadata": {"role": "web"}, "networks": [{"uuid": "n1", "fixed_ip": "10.1.0.9"}],
        }})
    );
    assert_eq!(request.header("x-auth-token"), Some("the-token"));
    assert!(request.header("idempotency-key").is_some());
}

#[test]
fn a_busy_cloud_is_asked_again_with_the_same_key() {
    let cloud = cloud();
    cloud
        .is_busy("POST", "/compute/v2.1/servers")
        .answers(
            "POST",
            "/compute/v2.1/servers",
            202,
            &json!({"server": {"id": ID}}),
        )
        .answers(
            "GET",
            &format!("/compute/v2.1/servers/{ID}"),
            200,
            &server("BUILD", None),
        );
    let ran = cloud.run(&["boot", "--flavor", "1", "--image", "tiny", "vm1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "the cloud is busy; trying again in 1 s\n");
    let sent = cloud.seen("POST", "/compute/v2.1/servers");
    assert_eq!(sent.len(), 2);
    assert_eq!(
        sent[0].header("idempotency-key"),
        sent[1].header("idempotency-key")
    );
}

#[test]
fn poll_waits_until_it_runs() {
    let cloud = cloud();
    let path = format!("/compute/v2.1/servers/{ID}");
    cloud
        .answers(
            "POST",
            "/compute/v2.1/servers",
            202,
            &json!({"server": {"id": ID}}),
        )
        .answers("GET", &path, 200, &server("BUILD", Some("scheduling")))
        .answers("GET", &path, 200, &server("BUILD", Some("spawning")))
        .answers("GET", &path, 200, &server("ACTIVE", None));
    let ran = cloud.run(&["boot", "--flavor", "1", "--image", "tiny", "--poll", "vm1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.err,
        "vm1: BUILD, scheduling\nvm1: BUILD, spawning\nvm1: ACTIVE\n"
    );
}

#[test]
fn several_servers_are_followed_by_their_numbers() {
    let cloud = cloud();
    let named = |id: &str, name: &str, created: &str| json!({"id": id, "name": name, "created": created, "status": "ACTIVE"});
    let (one, two) = (
        named("a", "vm-1", "2026-01-02"),
        named("b", "vm-2", "2026-01-02"),
    );
    let others = [
        named("c", "vm-1", "2026-01-01"),
        named("d", "other", "2026-01-03"),
    ];
    let all = json!({"servers": [two, others[0], others[1], one]});
    cloud
        .answers(
            "POST",
            "/compute/v2.1/servers",
            202,
            &json!({"server": {"id": "a"}}),
        )
        .answers("GET", "/compute/v2.1/servers/detail", 200, &all)
        .answers(
            "GET",
            "/compute/v2.1/servers/a",
            200,
            &json!({"server": one}),
        )
        .answers(
            "GET",
            "/compute/v2.1/servers/b",
            200,
            &json!({"server": two}),
        );
    let words = [
        "boot",
        "--flavor",
        "1",
        "--image",
        "tiny",
        "--min-count",
        "2",
        "--poll",
    ];
    let ran = cloud.run(&[words.as_slice(), &["-f", "value", "vm"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.out,
        "a vm-1 ACTIVE - NOSTATE -\nb vm-2 ACTIVE - NOSTATE -\n"
    );
    let body = cloud.seen("POST", "/compute/v2.1/servers")[0].json();
    assert_eq!(body["server"]["min_count"], 2);
}

#[test]
fn an_image_is_streamed_and_its_format_found_out() {
    let cloud = FakeCloud::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("image");
    fs::write(&file, [b"QFI\xfb".as_slice(), &[7; 3000]].concat()).unwrap();
    cloud
        .answers("POST", "/image/v2/images", 201, &json!({"id": "i9"}))
        .answers("PUT", "/image/v2/images/i9/file", 204, &Value::Null)
        .answers(
            "GET",
            "/image/v2/images/i9",
            200,
            &json!({"id": "i9", "status": "active"}),
        );
    let ran = cloud.run(&[
        "image-create",
        "tiny",
        "--file",
        file.to_str().unwrap(),
        "--public",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let made = cloud.seen("POST", "/image/v2/images")[0].json();
    assert_eq!(
        (&made["disk_format"], &made["visibility"]),
        (&json!("qcow2"), &json!("public"))
    );
    let sent = &cloud.seen("PUT", "/image/v2/images/i9/file")[0];
    assert_eq!(sent.body.len(), 3004);
    assert_eq!(
        sent.header("content-type"),
        Some("application/octet-stream")
    );
}

#[test]
fn an_upload_that_fails_leaves_no_image() {
    let cloud = FakeCloud::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("image");
    fs::write(&file, "not a qcow2").unwrap();
    cloud
        .answers("POST", "/image/v2/images", 201, &json!({"id": "i9"}))
        .answers(
            "PUT",
            "/image/v2/images/i9/file",
            400,
            &json!({"message": "this is no qcow2 image"}),
        )
        .answers("DELETE", "/image/v2/images/i9", 204, &Value::Null);
    let words = [
        "image-create",
        "x",
        "--file",
        file.to_str().unwrap(),
        "--disk-format",
        "qcow2",
    ];
    let ran = cloud.run(&words);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err
            .starts_with("error: this is no qcow2 image (HTTP 400)\n"),
        "{}",
        ran.err
    );
    assert_eq!(cloud.seen("DELETE", "/image/v2/images/i9").len(), 1);
}

#[test]
fn a_new_keypair_keeps_its_private_half_here() {
    let cloud = FakeCloud::start();
    cloud.answers(
        "POST",
        "/compute/v2.1/os-keypairs",
        200,
        &json!({"keypair": {}}),
    );
    let ran = cloud.run(&["keypair-add", "key1"]);
    assert!(
        ran.out.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"),
        "{}",
        ran.err
    );
    let sent = cloud.seen("POST", "/compute/v2.1/os-keypairs")[0].json();
    let public = sent["keypair"]["public_key"].as_str().unwrap();
    assert!(public.starts_with("ssh-ed25519 "), "{public}");
}

#[cfg(unix)]
#[test]
fn a_saved_private_key_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let cloud = FakeCloud::start();
    cloud.answers(
        "POST",
        "/compute/v2.1/os-keypairs",
        200,
        &json!({"keypair": {}}),
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key1");
    let words = ["keypair-add", "--save", file.to_str().unwrap(), "key1"];
    assert_eq!(cloud.run(&words).code, 0);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let again = cloud.run(&words);
    assert_eq!(again.code, 1, "an existing key was overwritten");
}

#[test]
fn a_public_key_is_sent_as_it_is() {
    let cloud = FakeCloud::start();
    cloud.answers(
        "POST",
        "/compute/v2.1/os-keypairs",
        200,
        &json!({"keypair": {}}),
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("k.pub");
    fs::write(&file, "ssh-ed25519 AAAA me@here\n").unwrap();
    assert_eq!(
        cloud
            .run(&["keypair-add", "--pub_key", file.to_str().unwrap(), "key1"])
            .code,
        0
    );
    let sent = cloud.seen("POST", "/compute/v2.1/os-keypairs")[0].json();
    assert_eq!(
        sent,
        json!({"keypair": {"name": "key1", "public_key": "ssh-ed25519 AAAA me@here"}})
    );
}

#[test]
fn old_words_make_new_rules() {
    let cloud = cloud();
    let rule = json!({"security_group_rule": {"id": "r1"}});
    cloud.answers("POST", "/network/v2.0/security-group-rules", 201, &rule);
    cloud.run(&[
        "secgroup-add-rule",
        "default",
        "tcp",
        "22",
        "22",
        "0.0.0.0/0",
    ]);
    cloud.run(&[
        "secgroup-add-rule",
        "default",
        "icmp",
        "-1",
        "-1",
        "0.0.0.0/0",
    ]);
    let sent = cloud.seen("POST", "/network/v2.0/security-group-rules");
    assert_eq!(
        sent[0].json(),
        json!({"security_group_rule": {"security_group_id": "g1", "direction": "ingress",
            "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
            "remote_ip_prefix": "0.0.0.0/0"}})
    );
    assert_eq!(
        sent[1].json(),
        json!({"security_group_rule": {"security_group_id": "g1", "direction": "ingress",
            "ethertype": "IPv4", "protocol": "icmp", "remote_ip_prefix": "0.0.0.0/0"}})
    );
}

#[test]
fn actions_are_posted() {
    let cloud = cloud();
    let path = format!("/compute/v2.1/servers/{ID}/action");
    cloud.answers("POST", &path, 202, &Value::Null);
    for words in [
        ["stop", "vm1"].as_slice(),
        &["start", "vm1"],
        &["reboot", "vm1"],
        &["reboot", "--hard", "vm1"],
        &["force-delete", "vm1"],
        &["reset-state", "--active", "vm1"],
    ] {
        let ran = cloud.run(words);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (0, ""),
            "{words:?}: {}",
            ran.err
        );
    }
    let sent: Vec<Value> = cloud
        .seen("POST", &path)
        .iter()
        .map(fake_cloud::Seen::json)
        .collect();
    assert_eq!(
        sent,
        [
            json!({"os-stop": null}),
            json!({"os-start": null}),
            json!({"reboot": {"type": "SOFT"}}),
            json!({"reboot": {"type": "HARD"}}),
            json!({"forceDelete": null}),
            json!({"os-resetState": {"state": "active"}}),
        ]
    );
}

#[test]
fn a_role_is_given_with_an_empty_put() {
    let cloud = FakeCloud::start();
    for (kind, id) in [("users", "u9"), ("projects", "p9"), ("roles", "r9")] {
        let list = json!({kind: [{"id": id, "name": "it"}]});
        cloud.answers("GET", &format!("/identity/v3/{kind}?name=it"), 200, &list);
    }
    cloud.answers(
        "PUT",
        "/identity/v3/projects/p9/users/u9/roles/r9",
        204,
        &Value::Null,
    );
    let ran = cloud.run(&["role-add", "--user", "it", "--project", "it", "it"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        cloud.seen("PUT", "/identity/v3/projects/p9/users/u9/roles/r9")[0]
            .body
            .is_empty()
    );
}

#[cfg(unix)]
#[test]
fn a_token_is_used_again_and_renewed_when_it_is_refused() {
    let cloud = cloud();
    let cache = tempfile::tempdir().unwrap();
    let list = || {
        let mut command = cloud.skybus(&["list"]);
        let output = command
            .env("XDG_CACHE_HOME", cache.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let path = "/compute/v2.1/servers/detail";
    let refusal = json!({"error": {"code": 401, "message": "the token has expired"}});
    cloud
        .answers("GET", path, 200, &json!({"servers": []}))
        .answers("GET", path, 200, &json!({"servers": []}))
        .answers("GET", path, 401, &refusal)
        .answers("GET", path, 200, &json!({"servers": []}));
    let sign_ins = || cloud.seen("POST", "/identity/v3/auth/tokens").len();
    list();
    list();
    assert_eq!(sign_ins(), 1);
    list();
    assert_eq!((sign_ins(), cloud.seen("GET", path).len()), (2, 4));
}
