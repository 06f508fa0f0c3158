//! The all-in-one as its operator uses it, with hosts in memory: up, up again, deaths of a role and of
//! the supervisor, Ctrl-C, down, purge; and two clouds side by side.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use skybus_local::{DataDir, process::ProcessId, state::State};

struct Cloud {
    _directory: tempfile::TempDir,
    data: PathBuf,
    port: u16,
}

impl Cloud {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        Self {
            _directory: directory,
            data,
            port,
        }
    }

    fn command(&self, name: &str) -> Command {
        // The programs lie one directory above the tests.
        let own = std::env::current_exe().unwrap();
        let program = own.ancestors().nth(2).unwrap().join(name);
        for role in [
            "skybus-api",
            "skybus-scheduler",
            "skybus-compute",
            "skybus-network",
        ] {
            let role = program.with_file_name(role);
            assert!(
                role.is_file(),
                "{role:?} is not built; run `cargo build --workspace` first"
            );
        }
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(&self.data);
        command
    }

    fn up(&self) -> Command {
        let mut up = self.command("skybus-up");
        up.args([
            "--virt-type",
            "fake",
            "--listen",
            &format!("127.0.0.1:{}", self.port),
        ]);
        up
    }

    fn up_detached(&self) -> String {
        succeeded(self.up().arg("--detach").output().unwrap())
    }

    fn status(&self) -> (Option<i32>, Value) {
        let output = self
            .command("skybus-status")
            .args(["--format", "json"])
            .output()
            .unwrap();
        (
            output.status.code(),
            serde_json::from_slice(&output.stdout).unwrap(),
        )
    }

    fn state(&self) -> State {
        State::load(&DataDir::at(&self.data).unwrap())
    }

    fn pid(&self, role: &str) -> ProcessId {
        self.state().processes[role].id.unwrap()
    }

    fn everything(&self) -> Vec<ProcessId> {
        let state = self.state();
        state
            .alive()
            .map(|(.., id)| id)
            .chain(state.supervisor)
            .collect()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // Also when a test has failed half-way: no process stays behind.
        let _ = self.command("skybus-down").arg("--purge").output();
    }
}

fn succeeded(output: Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

fn kill(id: ProcessId) {
    kill_process(id.pid().unwrap(), Signal::KILL).unwrap();
    until("it has died", || !id.is_alive());
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn ended(mut child: Child) -> bool {
    child.wait().unwrap().success()
}

#[test]
fn what_dies_comes_back_and_a_killed_supervisor_costs_nothing() {
    let cloud = Cloud::new();
    cloud.up_detached();
    assert!(cloud.up_detached().contains("runs already"));
    let (code, report) = cloud.status();
    assert_eq!(
        (code, &report["problems"]),
        (Some(0), &Value::Array(Vec::new())),
        "{report:#}"
    );
    assert_eq!(report["hosts"].as_array().unwrap().len(), 2);

    let compute = cloud.pid("compute");
    kill(compute);
    until("another compute worker", || {
        let process = &cloud.state().processes["compute"];
        process.restarts == 1 && process.id.is_some_and(|id| id != compute && id.is_alive())
    });

    let (broker, api) = (cloud.pid("broker"), cloud.pid("api"));
    kill(cloud.state().supervisor.unwrap());
    assert!(broker.is_alive() && api.is_alive());
    let (code, report) = cloud.status();
    assert_eq!(code, Some(3));
    assert!(
        report["problems"][0]
            .as_str()
            .unwrap()
            .contains("skybus up"),
        "{report:#}"
    );
    cloud.up_detached();
    assert_eq!(
        (cloud.pid("broker"), cloud.pid("api")),
        (broker, api),
        "they were not adopted"
    );

    // Down, without a supervisor's help.
    kill(cloud.state().supervisor.unwrap());
    let all = cloud.everything();
    succeeded(cloud.command("skybus-down").output().unwrap());
    assert!(all.iter().all(|id| !id.is_alive()));
    let (code, report) = cloud.status();
    assert_eq!(code, Some(3));
    assert!(
        report["problems"][0]
            .as_str()
            .unwrap()
            .contains("does not run"),
        "{report:#}"
    );
    succeeded(
        cloud
            .command("skybus-down")
            .arg("--purge")
            .output()
            .unwrap(),
    );
    assert!(!cloud.data.exists());
}

#[test]
fn two_clouds_run_side_by_side_and_a_taken_port_is_named_beforehand() {
    let (one, other) = (Cloud::new(), Cloud::new());
    one.up_detached();
    let output = other
        .command("skybus-up")
        .args([
            "--detach",
            "--virt-type",
            "fake",
            "--listen",
            &format!("127.0.0.1:{}", one.port),
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains("is taken") && text.contains("--listen"),
        "{text}"
    );
    assert!(!other.data.exists(), "something was made all the same");
    other.up_detached();
    let ports = |cloud: &Cloud| fs::read_to_string(cloud.data.join("clouds.yaml")).unwrap();
    assert_ne!(ports(&one), ports(&other));
    succeeded(other.command("skybus-down").output().unwrap());
    assert_eq!(one.status().0, Some(0), "{:#}", one.status().1);
}

#[test]
fn ctrl_c_ends_a_cloud_in_the_foreground_and_all_its_processes() {
    let cloud = Cloud::new();
    let child = cloud.up().spawn().unwrap();
    let running = skybus_local::state::Phase::Running;
    until("the cloud runs", || cloud.state().phase == running);
    let all = cloud.everything();
    assert_eq!(all.len(), 7, "epmd, broker, four roles, supervisor");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(ended(child));
    assert!(all.iter().all(|id| !id.is_alive()));
    assert!(
        is_private(&cloud.data.join("clouds.yaml")) && is_private(&cloud.data.join("cloud.toml"))
    );
}

fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600
}
