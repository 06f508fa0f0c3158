//! These need root, because only root may make a namespace; without it they say so and pass over.

use std::{fs, io, net::UdpSocket};

use super::*;

pub(crate) fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("passed over: only root may make network namespaces");
    }
    root
}

/// A namespace that goes with the test, also when the test fails.
pub(crate) struct Temporary(pub(crate) String);

impl Temporary {
    pub(crate) fn new(what: &str) -> Self {
        let name = format!("sys-test-{what}-{}", std::process::id());
        make(&name).unwrap();
        Self(name)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = delete(&self.0);
    }
}

#[test]
fn a_namespace_is_made_once_found_and_deleted() {
    if !root() {
        return;
    }
    let ns = Temporary::new("life");
    make(&ns.0).unwrap();
    assert!(exists(&ns.0) && list().unwrap().contains(&ns.0));
    delete(&ns.0).unwrap();
    delete(&ns.0).unwrap();
    assert!(!exists(&ns.0) && !list().unwrap().contains(&ns.0));
}

#[test]
fn a_left_over_file_is_not_a_namespace_and_is_replaced() {
    if !root() {
        return;
    }
    let name = format!("sys-test-file-{}", std::process::id());
    fs::create_dir_all(DIRECTORY).unwrap();
    fs::write(Path::new(DIRECTORY).join(&name), "").unwrap();
    assert!(!exists(&name));
    assert!(inside(&name, || Ok(())).is_err());
    make(&name).unwrap();
    assert!(exists(&name));
    delete(&name).unwrap();
}

#[test]
fn work_is_inside_and_this_thread_stays_where_it_was() {
    if !root() {
        return;
    }
    let ns = Temporary::new("inside");
    let own = || fs::read_link("/proc/thread-self/ns/net");
    let before = own().unwrap();
    let there = inside(&ns.0, own).unwrap();
    assert_ne!(before, there);
    assert_ne!(scratch(own).unwrap(), there);
    assert_eq!(own().unwrap(), before);
}

#[test]
fn processes_started_inside_are_listed() {
    if !root() {
        return;
    }
    let ns = Temporary::new("ps");
    let mut child = inside(&ns.0, || {
        std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
    })
    .unwrap();
    assert_eq!(
        processes(&ns.0).unwrap(),
        [i32::try_from(child.id()).unwrap()]
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(processes(&ns.0).unwrap().is_empty());
}

#[test]
fn a_panic_and_a_missing_namespace_are_errors() {
    assert_eq!(
        inside("sys-test-none", || Ok(())).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    for bad in ["", "..", "a/b", "a b"] {
        assert_eq!(
            inside(bad, || Ok(())).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        assert!(!exists(bad));
    }
    if root() {
        let ns = Temporary::new("panic");
        assert!(inside(&ns.0, || -> io::Result<()> { panic!("on purpose") }).is_err());
    }
}

#[test]
fn a_socket_stays_in_the_namespace_it_was_opened_in() {
    if !root() {
        return;
    }
    let ns = Temporary::new("sock");
    // Loopback is down in a fresh namespace: a socket from there cannot reach it, one from here can.
    let socket = inside(&ns.0, || UdpSocket::bind("0.0.0.0:0")).unwrap();
    assert!(socket.send_to(b"x", "127.0.0.1:9").is_err());
}

#[test]
fn one_at_a_time_has_the_turn() {
    let first = turn().unwrap();
    assert!(File::open("/proc/self/ns/net").unwrap().try_lock().is_err());
    drop(first);
    drop(turn().unwrap());
}
