//! What passes between guests, their gateway and the outside, and what does not: real packets through
//! a real bridge and filter. It needs root.

use std::{
    net::{TcpListener, UdpSocket},
    time::Duration,
};

use skybus_model::network::{PacketMatch, PortSpec};
use skybus_sys::{namespace, socket};

#[cfg(test)]
mod lab;
use lab::{
    Cloud, Guest, SOON,
    frames::{self, Frame, Station, Way},
    heard,
};

const UDP_7: PacketMatch = PacketMatch::Udp(Some((7, 7)));

#[test]
fn only_what_a_rule_allows_reaches_a_guest_and_answers_come_back() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let spec = lab::network_spec();
    let (a, b) = (lab::port(&spec, 2, &[]), lab::port(&spec, 3, &[UDP_7]));
    cloud.converge(vec![cloud.network(&[a.clone(), b.clone()])]);
    let (a, b) = (Guest::up(&a), Guest::up(&b));
    let (from, allowed, denied) = (
        a.udp("0.0.0.0:5000"),
        b.udp("0.0.0.0:7"),
        b.udp("0.0.0.0:8"),
    );
    denied
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();

    from.send_to(b"no", "10.9.0.3:8").unwrap();
    from.send_to(b"yes", "10.9.0.3:7").unwrap();
    assert_eq!(heard(&allowed), "yes");
    // The denied datagram was sent before the one that has arrived.
    assert!(
        denied.recv(&mut [0; 8]).is_err(),
        "a datagram to a closed port arrived"
    );
    // A has no ingress rule at all, yet hears the answer to what it asked.
    allowed.send_to(b"answer", "10.9.0.2:5000").unwrap();
    assert_eq!(heard(&from), "answer");
    // But nothing that it did not ask for, and neither from the gateway.
    let unasked = a.udp("0.0.0.0:9");
    b.udp("0.0.0.0:6000")
        .send_to(b"unasked", "10.9.0.2:9")
        .unwrap();
    let refused = socket::connect(
        &skybus_model::server::spec::namespace(spec.id),
        "10.9.0.2:22".parse().unwrap(),
        Duration::from_millis(300),
    );
    assert!(refused.is_err());
    unasked
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    assert!(
        unasked.recv(&mut [0; 8]).is_err(),
        "an unasked datagram arrived"
    );
}

#[test]
fn a_guest_cannot_speak_as_another() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let spec = lab::network_spec();
    let (a, b) = (
        lab::port(&spec, 2, &[PacketMatch::Any]),
        lab::port(&spec, 3, &[PacketMatch::Any]),
    );
    cloud.converge(vec![cloud.network(&[a.clone(), b.clone()])]);
    let (a, b) = (Guest::up(&a), Guest::up(&b));
    let ear = b.udp("0.0.0.0:7");
    let honest = a.udp("10.9.0.2:5000");
    honest.send_to(b"first", "10.9.0.3:7").unwrap();
    assert_eq!(heard(&ear), "first");

    // Another fixed IP: the neighbour is known, so it is the IP packet itself that is dropped.
    a.ip("address add 10.9.0.77/24 dev eth0");
    a.udp("10.9.0.77:5000")
        .send_to(b"forged address", "10.9.0.3:7")
        .unwrap();
    // The answer of a DHCP server.
    let dhcp = b.udp("0.0.0.0:68");
    dhcp.set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    a.udp("10.9.0.2:67")
        .send_to(b"forged lease", "10.9.0.3:68")
        .unwrap();
    honest.send_to(b"second", "10.9.0.3:7").unwrap();
    assert_eq!(heard(&ear), "second");
    assert!(
        dhcp.recv(&mut [0; 16]).is_err(),
        "a guest's DHCP answer arrived"
    );
    // A forged ARP sender: B must not learn that .77 lives at A's hardware address.
    a.ip("neigh flush all");
    a.udp("10.9.0.77:5001")
        .send_to(b"forged arp", "10.9.0.3:7")
        .unwrap();
    honest.send_to(b"third", "10.9.0.3:7").unwrap();
    assert_eq!(heard(&ear), "third");
    let learnt = namespace::inside(&b.name, || {
        std::fs::read_to_string("/proc/thread-self/net/arp")
    });
    assert!(
        !learnt.unwrap().contains("10.9.0.77"),
        "B learnt a forged address"
    );
    // Another hardware address.
    a.ip("link set eth0 address fa:16:3e:00:00:55");
    let _ = honest.send_to(b"forged mac", "10.9.0.3:7");
    a.ip("link set eth0 address fa:16:3e:00:00:02");
    // Setting the address made the guest forget its neighbours, so the first may be lost.
    ear.set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut last = [0; 16];
    lab::eventually("an honest datagram after a forged one", || {
        honest.send_to(b"fourth", "10.9.0.3:7").is_ok() && ear.recv(&mut last).is_ok()
    });
    assert!(last.starts_with(b"fourth"), "{last:?}");
}

#[test]
fn a_guest_s_tagged_frames_go_nowhere_whatever_is_in_them() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let spec = lab::network_spec();
    let (a, b) = (lab::port(&spec, 2, &[]), lab::port(&spec, 3, &[UDP_7]));
    cloud.converge(vec![cloud.network(&[a.clone(), b.clone()])]);
    let [sender, receiver] = [&a, &b].map(|port| {
        let network = skybus_model::server::spec::namespace(spec.id);
        let tap = skybus_model::server::spec::tap(port.id);
        Station::at(&network, &tap)
    });
    let of = |port: &PortSpec| (frames::mac(&port.mac), port.address);
    let way = Way {
        from: of(&a),
        to: of(&b),
    };
    // A guest takes what is of VLAN 0 for untagged, and the filter looks at no tagged frame of any.
    for tag in [0, 7] {
        sender.say(&frames::tagged_udp(way, Some(tag), 8, b"tagged"));
    }
    sender.say(&frames::udp(way, 8, b"closed"));
    sender.say(&frames::udp(way, 7, b"open"));
    receiver.hears("what a rule allows", |frame| frame.contains(b"open"));
    let others = |frame: &Frame| frame.contains(b"tagged") || frame.contains(b"closed");
    let heard = receiver.heard();
    assert!(!heard.iter().any(others), "{heard:x?}");
}

#[test]
fn two_networks_with_the_same_addresses_reach_the_outside_and_not_each_other() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let specs = [lab::network_spec(), lab::network_spec()];
    let ports = [0, 1].map(|n| lab::port(&specs[n], 2, &[PacketMatch::Any]));
    cloud.converge(
        ports
            .iter()
            .map(|port| cloud.network(std::slice::from_ref(port)))
            .collect(),
    );
    let guests = ports.each_ref().map(Guest::up);
    assert_ne!(cloud.networks[0].transit, cloud.networks[1].transit);

    let beyond = lab::Beyond::new();
    let outside = socket::listen(&beyond.name, (beyond.address, 0).into()).unwrap();
    for guest in &guests {
        let to = outside.local_addr().unwrap();
        let _there = socket::connect(&guest.name, to, SOON).unwrap();
        let (_, seen) = outside.accept().unwrap();
        assert_eq!(seen.ip(), beyond.host, "it left with another address");
    }
    // The other network's transit address is no way into it.
    let other = cloud.networks[1].transit.network();
    let across = socket::connect(
        &guests[0].name,
        (other, 80).into(),
        Duration::from_millis(300),
    );
    assert!(across.is_err());
}

#[test]
fn a_guest_reaches_a_machine_beyond_its_host_under_the_host_s_address() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let spec = lab::network_spec();
    let port = lab::port(&spec, 2, &[]);
    cloud.converge(vec![cloud.network(std::slice::from_ref(&port))]);
    let guest = Guest::up(&port);
    // A machine beyond: a namespace behind a cable of the host's.
    let beyond = lab::Beyond::new();
    let listener = socket::listen(&beyond.name, (beyond.address, 0).into()).unwrap();
    let to = listener.local_addr().unwrap();
    let _there = socket::connect(&guest.name, to, SOON).unwrap();
    let (_, seen) = listener.accept().unwrap();
    assert_eq!(
        seen.ip(),
        beyond.host,
        "the host's own address is what the outside sees"
    );
}

#[test]
fn a_guest_reaches_nothing_of_its_host_but_its_network_s_name_server() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    // An address of the host's that a network names as its name server.
    let beyond = lab::Beyond::new();
    let (mut asks, other) = (lab::network_spec(), lab::network_spec());
    asks.dns = vec![beyond.host];
    let ports = [&asks, &other].map(|spec| lab::port(spec, 2, &[]));
    cloud.converge(
        ports
            .iter()
            .map(|port| cloud.network(std::slice::from_ref(port)))
            .collect(),
    );
    let guests = ports.each_ref().map(Guest::up);

    let service = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let _names = TcpListener::bind((beyond.host, 53)).unwrap();
    let names = UdpSocket::bind((beyond.host, 53)).unwrap();
    names.set_read_timeout(Some(SOON)).unwrap();
    let short = Duration::from_millis(300);
    for (guest, network) in guests.iter().zip(&cloud.networks) {
        for address in [network.transit.host(), beyond.host] {
            let reached = socket::connect(&guest.name, (address, port).into(), short);
            assert!(reached.is_err(), "a guest reached {address}:{port}");
        }
    }
    let [guest, stranger] = &guests;
    let server = (beyond.host, 53);
    socket::connect(&guest.name, server.into(), SOON).unwrap();
    assert!(socket::connect(&stranger.name, server.into(), short).is_err());
    guest.udp("0.0.0.0:5000").send_to(b"name?", server).unwrap();
    assert_eq!(heard(&names), "name?");
}
