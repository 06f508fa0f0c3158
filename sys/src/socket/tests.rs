//! Root is needed, as for everything with namespaces.

use std::{
    io::{Read, Write},
    process::Command,
};

use super::*;
use crate::namespace::tests::{Temporary, root};

#[test]
fn a_connection_inside_does_not_leave_the_namespace() {
    if !root() {
        return;
    }
    let ns = Temporary::new("tcp");
    let up = Command::new("ip")
        .args(["-n", &ns.0, "link", "set", "lo", "up"])
        .status()
        .unwrap();
    assert!(up.success());
    let listener = listen(&ns.0, "127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    assert!(
        TcpStream::connect(address).is_err(),
        "it listens on the host"
    );
    let mut client = connect(&ns.0, address, Duration::from_secs(2)).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"hello").unwrap();
    let mut heard = [0; 5];
    server.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
}
