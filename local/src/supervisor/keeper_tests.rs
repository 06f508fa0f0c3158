//! Keepers with small shell scripts in the roles' place.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use rustix::process::{Signal, kill_process};

use super::*;
use crate::{
    DataDir,
    state::{Process, State},
};

struct Bench {
    _directory: tempfile::TempDir,
    data: DataDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        data.create().unwrap();
        Self {
            _directory: directory,
            data,
        }
    }

    fn spec(&self, script: &str) -> Spec {
        let program = self.data.path().join("role.sh");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Spec {
            name: "role".to_owned(),
            program,
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: self.data.path().to_owned(),
            log: self.data.log("role"),
            depends_on: Vec::new(),
            grace: Duration::from_secs(5),
        }
    }

    fn keepers(&self) -> Keepers {
        Keepers::new(Board::new(&self.data, State::load(&self.data)))
    }
}

/// Waits until the board says so.
async fn until(board: &Board, condition: impl Fn(&Process) -> bool) -> Process {
    let mut changes = board.changes();
    let waiting = async {
        loop {
            let process = board.process("role");
            if condition(&process) {
                return process;
            }
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .expect("it does not come to that")
}

const SLEEPER: &str = "exec sleep 1000";

#[tokio::test]
async fn one_that_is_killed_is_started_again_and_ends_when_asked() {
    let bench = Bench::new();
    let mut keepers = bench.keepers();
    let board = keepers.board().clone();
    keepers.keep(bench.spec(SLEEPER), 0).await.unwrap();
    let first = board.process("role").id.unwrap();
    kill_process(first.pid().unwrap(), Signal::KILL).unwrap();
    let again = until(&board, |process| {
        process.restarts == 1 && process.id.is_some()
    })
    .await;
    assert!(again.last_end.unwrap().contains("signal: 9"));
    let second = again.id.unwrap();
    assert!(second != first && second.is_alive());
    keepers.stop().await;
    assert!(!second.is_alive());
    assert!(board.read().processes.is_empty());
}

#[tokio::test]
async fn one_that_keeps_dying_is_started_ever_more_slowly_and_its_words_are_kept() {
    let bench = Bench::new();
    let mut keepers = bench.keepers();
    let board = keepers.board().clone();
    let begun = std::time::Instant::now();
    keepers
        .keep(bench.spec("echo no database; exit 3"), 0)
        .await
        .unwrap();
    let process = until(&board, |process| process.restarts == 3).await;
    assert_eq!(process.last_end.as_deref(), Some("exit status: 3"));
    assert!(
        begun.elapsed() >= Duration::from_millis(600),
        "{:?}",
        begun.elapsed()
    );
    keepers.stop().await;
    let log = std::fs::read_to_string(bench.data.log("role")).unwrap();
    assert!(log.matches("no database").count() >= 3, "{log}");
}

#[tokio::test]
async fn a_new_supervisor_adopts_what_is_the_same_and_replaces_what_is_not() {
    let bench = Bench::new();
    let spec = bench.spec(SLEEPER);
    // An earlier supervisor that was killed: its keeper is gone, the process and the state file stay.
    let mut earlier = bench.keepers();
    earlier.keep(spec.clone(), 0).await.unwrap();
    let left = earlier.board().process("role").id.unwrap();
    for (_, _, task) in &earlier.kept {
        task.abort();
    }
    drop(earlier);
    assert!(left.is_alive());

    let mut second = bench.keepers();
    assert!(second.keep(spec, 0).await.unwrap());
    assert_eq!(second.board().process("role").id, Some(left));
    for (_, _, task) in &second.kept {
        task.abort();
    }
    drop(second);

    let mut third = bench.keepers();
    assert!(!third.keep(bench.spec("exec sleep 1001"), 0).await.unwrap());
    let new = third.board().process("role").id.unwrap();
    assert!(!left.is_alive() && new.is_alive());
    third.stop().await;
    assert!(!new.is_alive());
}
