//! How commands fail: the message, the request id, the next step and the exit code.

mod fake_cloud;

use std::{fs, net::TcpListener};

use fake_cloud::{FakeCloud, Ran, bare};
use serde_json::{Value, json};

const ID: &str = "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";

#[test]
fn without_credentials_the_next_step_is_named() {
    let ran = Ran::from(bare(&["list"]).current_dir("/").output().unwrap());
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    assert!(
        ran.err.starts_with("error: no cloud to talk to"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("`skybus up` starts a cloud"),
        "{}",
        ran.err
    );
}

#[test]
fn an_api_error_is_shown_with_its_request_id() {
    let cloud = FakeCloud::start();
    let body = json!({"forbidden": {"code": 403, "message": "Quota exceeded for instances: 10 of 10 are used"}});
    cloud.answers("POST", "/compute/v2.1/flavors", 403, &body);
    let ran = cloud.run(&["flavor-create", "m1.x", "auto", "512", "1", "1"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "error: Quota exceeded for instances: 10 of 10 are used (HTTP 403)\n  request id: req-7\n  \
         next: `skybus quota-show` shows what is used and allowed; delete something, or ask an \
         administrator for `skybus quota-update`\n"
    );
}

#[test]
fn a_wrong_password_is_exit_code_three() {
    let cloud = FakeCloud::start();
    let body = json!({"error": {"code": 401, "title": "Unauthorized", "message": "the password is wrong"}});
    cloud.answers("POST", "/other/v3/auth/tokens", 401, &body);
    let mut command = cloud.skybus(&["list"]);
    let url = command
        .get_envs()
        .find(|(k, _)| *k == "OS_AUTH_URL")
        .unwrap()
        .1
        .unwrap();
    let url = url.to_str().unwrap().replace("/identity/v3", "/other");
    let ran = Ran::from(command.env("OS_AUTH_URL", url).output().unwrap());
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("the password is wrong") && ran.err.contains("OS_PASSWORD"),
        "{}",
        ran.err
    );
}

#[test]
fn a_cloud_that_is_not_there_is_exit_code_five() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut command = bare(&["list"]);
    command
        .env(
            "OS_AUTH_URL",
            format!("http://127.0.0.1:{port}/identity/v3"),
        )
        .env("OS_USERNAME", "demo")
        .env("OS_PASSWORD", "x");
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 5);
    assert!(
        ran.err
            .contains(&format!("does not answer at http://127.0.0.1:{port}:")),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("skybus status"), "{}", ran.err);
}

#[test]
fn a_name_that_fits_two_lists_both_ids() {
    let cloud = FakeCloud::start();
    let servers = json!({"servers": [{"id": "a", "name": "vm1"}, {"id": "b", "name": "vm1"}]});
    cloud.answers("GET", "/compute/v2.1/servers", 200, &servers);
    let ran = cloud.run(&["delete", "vm1"]);
    assert_eq!(ran.code, 4);
    assert_eq!(
        ran.err,
        "error: 2 servers are called \"vm1\": a, b\n  next: say which one by its id\n"
    );
}

#[test]
fn several_are_all_tried_and_each_failure_is_said() {
    let cloud = FakeCloud::start();
    let servers = json!({"servers": [{"id": "a", "name": "one"}, {"id": "b", "name": "two"}]});
    cloud
        .answers("GET", "/compute/v2.1/servers", 200, &servers)
        .answers("DELETE", "/compute/v2.1/servers/a", 204, &Value::Null)
        .answers("DELETE", "/compute/v2.1/servers/b", 204, &Value::Null);
    let ran = cloud.run(&["delete", "one", "gone", "two"]);
    assert_eq!(ran.code, 4);
    assert!(
        ran.err.contains("no server has the name or id \"gone\""),
        "{}",
        ran.err
    );
    assert!(ran.err.ends_with("error: 1 of 3 failed\n"), "{}", ran.err);
    assert_eq!(cloud.seen("DELETE", "/compute/v2.1/servers/b").len(), 1);
}

#[test]
fn a_boot_that_fails_ends_poll_with_the_fault() {
    let cloud = FakeCloud::start();
    let message = "no host can take it: node-1 has 512 MiB of memory free, 65536 are wanted";
    let server = json!({"server": {"id": ID, "name": "vm1", "status": "ERROR",
        "OS-EXT-STS:task_state": null, "fault": {"code": 500, "message": message}}});
    cloud
        .answers(
            "GET",
            "/compute/v2.1/flavors",
            200,
            &json!({"flavors": [{"id": "1", "name": "x"}]}),
        )
        .answers(
            "GET",
            "/image/v2/images?name=tiny",
            200,
            &json!({"images": [{"id": "i1", "name": "tiny"}]}),
        )
        .answers(
            "POST",
            "/compute/v2.1/servers",
            202,
            &json!({"server": {"id": ID}}),
        )
        .answers("GET", &format!("/compute/v2.1/servers/{ID}"), 200, &server);
    let ran = cloud.run(&["boot", "--flavor", "1", "--image", "tiny", "--poll", "vm1"]);
    assert_eq!(ran.code, 6);
    assert!(
        ran.err.contains(message) && ran.err.contains("skybus trace"),
        "{}",
        ran.err
    );
}

#[test]
fn an_unknown_keypair_stops_a_boot_before_it_is_sent() {
    let cloud = FakeCloud::start();
    let keys = json!({"keypairs": [{"keypair": {"name": "key1"}}]});
    cloud.answers("GET", "/compute/v2.1/os-keypairs", 200, &keys);
    let ran = cloud.run(&[
        "boot",
        "--flavor",
        "1",
        "--image",
        "i",
        "--key_name",
        "kye1",
        "vm1",
    ]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("did you mean \"key1\"?"), "{}", ran.err);
    assert!(cloud.seen("POST", "/compute/v2.1/servers").is_empty());
}

#[test]
fn a_private_key_is_never_sent() {
    let cloud = FakeCloud::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("id");
    fs::write(&file, "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n").unwrap();
    let ran = cloud.run(&["keypair-add", "--pub_key", file.to_str().unwrap(), "key1"]);
    assert_eq!(ran.code, 2);
    assert!(cloud.seen("POST", "/compute/v2.1/os-keypairs").is_empty());
}

#[test]
fn an_unknown_word_is_corrected_and_a_missing_program_named() {
    let ran = Ran::from(bare(&["lsit"]).output().unwrap());
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("did you mean `skybus list`?"),
        "{}",
        ran.err
    );
}

#[cfg(unix)]
#[test]
fn other_words_are_programs_on_the_path() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("skybus-greet");
    fs::write(&program, "#!/bin/sh\necho \"hello $*\"\nexit 9\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", directory.path().display());
    let ran = Ran::from(
        bare(&["greet", "a b", "--x_y"])
            .env("PATH", path)
            .output()
            .unwrap(),
    );
    assert_eq!((ran.code, ran.out.as_str()), (9, "hello a b --x_y\n"));
}

#[test]
fn debug_shows_requests_and_no_secrets() {
    let cloud = FakeCloud::start();
    cloud.answers(
        "GET",
        "/compute/v2.1/servers/detail",
        200,
        &json!({"servers": []}),
    );
    let ran = cloud.run(&["--debug", "list"]);
    assert!(
        ran.err
            .contains("/compute/v2.1/servers/detail -> 200 (req-7)"),
        "{}",
        ran.err
    );
    assert!(
        !ran.err.contains("secret") && !ran.err.contains("the-token"),
        "{}",
        ran.err
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let cloud = FakeCloud::start();
    let many: Vec<Value> = (0..20_000)
        .map(|n| json!({"id": n.to_string(), "name": "x"}))
        .collect();
    cloud.answers(
        "GET",
        "/compute/v2.1/servers/detail",
        200,
        &json!({"servers": many}),
    );
    let mut command = cloud.skybus(&["list"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
