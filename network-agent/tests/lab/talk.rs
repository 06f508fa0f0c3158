//! Who speaks with whom, and whether anything gets lost.

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use skybus_model::network::{PacketMatch, PortSpec};
use skybus_sys::socket;

use super::SOON;

pub(crate) const SSH: PacketMatch = PacketMatch::Tcp(Some((22, 22)));
/// Long enough for an answer that comes, short enough to wait for one that does not.
pub(crate) const SHORT: Duration = Duration::from_millis(1500);

pub(crate) fn floats(mut port: PortSpec, ip: Ipv4Addr) -> PortSpec {
    port.floating = vec![ip];
    port
}

pub(crate) fn serve(name: &str, port: u16) -> TcpListener {
    socket::listen(name, (Ipv4Addr::UNSPECIFIED, port).into()).unwrap()
}

/// Connects from a place to a service: both ends, and whom the service takes the other for.
pub(crate) fn meet(
    from: &str,
    to: Ipv4Addr,
    service: &TcpListener,
) -> (TcpStream, TcpStream, IpAddr) {
    let port = service.local_addr().unwrap().port();
    let near = socket::connect(from, (to, port).into(), SOON)
        .unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
    let (far, seen) = service.accept().unwrap();
    for end in [&near, &far] {
        end.set_read_timeout(Some(SOON)).unwrap();
    }
    (near, far, seen.ip())
}

/// The service's end of a connection that is open; those who only looked in are passed over.
pub(crate) fn other_end(service: &TcpListener, open: &mut TcpStream) -> TcpStream {
    open.write_all(b"!").unwrap();
    loop {
        let (mut far, _) = service.accept().unwrap();
        far.set_read_timeout(Some(SOON)).unwrap();
        if far.read(&mut [0]).is_ok_and(|length| length > 0) {
            return far;
        }
    }
}

pub(crate) fn passes(from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(b"!").unwrap();
    to.read_exact(&mut [0]).unwrap();
}

pub(crate) fn cut(from: &str, to: SocketAddr) -> bool {
    socket::connect(from, to, SHORT).is_err()
}

/// What of the address is on the host: routes and answers.
pub(crate) fn left(floating: Ipv4Addr) -> bool {
    let (route, proxy) = (["ip", "route"], ["ip", "neigh", "show", "proxy"]);
    [&route[..], &proxy[..]].iter().any(|words| {
        let out = Command::new(words[0]).args(&words[1..]).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        text.split_whitespace()
            .any(|word| word == floating.to_string())
    })
}

/// The guest is told at its next word that its connection is gone.
pub(crate) fn ended(far: &mut TcpStream) {
    let end = far.write_all(b"?").and_then(|()| far.read_exact(&mut [0]));
    assert_eq!(
        end.unwrap_err().kind(),
        ErrorKind::ConnectionReset,
        "what went through it goes on"
    );
}

/// Whether a floating IP is in the table of some cloud on the host.
pub(crate) fn noted(floating: Ipv4Addr) -> bool {
    let word = floating.to_string();
    let apart = |c: char| c.is_whitespace() || c == ',';
    super::traces().split(apart).any(|found| found == word)
}

/// Each datagram is answered before the next is sent, so that only a loss can leave one unanswered.
pub(crate) fn converse(mouth: &UdpSocket, ear: &UdpSocket, over: &AtomicBool) -> u32 {
    let mut number = 0_u32;
    let mut word = [0; 4];
    while !over.load(Ordering::Relaxed) {
        number += 1;
        mouth.send_to(&number.to_be_bytes(), "10.9.0.3:7").unwrap();
        for (at, back) in [(ear, true), (mouth, false)] {
            let from = loop {
                match at.recv_from(&mut word) {
                    Ok((_, from)) => break from,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => panic!("datagram {number} was lost: {error}"),
                }
            };
            assert_eq!(u32::from_be_bytes(word), number);
            if back {
                at.send_to(&word, from).unwrap();
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    number
}

/// Of how many lines the packet filter's change was.
pub(crate) fn filter_lines(changes: &[String]) -> usize {
    let filter = changes
        .iter()
        .find_map(|change| change.split_once("packet filter, "));
    let unfit = changes.iter().find(|change| change.contains("did not fit"));
    assert_eq!(unfit, None, "other ports' rules were touched");
    let lines = filter.unwrap().1.trim_end_matches(" lines");
    lines.parse().unwrap()
}
