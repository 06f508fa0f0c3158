//! Networks that several hosts share, with real packets: VXLANs, the whole of a physical network, VLANs. It
//! needs root.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use skybus_model::{
    network::{Direction, NetworkSpec, PacketMatch},
    segment::{Segment, SegmentKind},
};
use skybus_network::links::GATEWAY_MAC;
use skybus_sys::namespace;

#[cfg(test)]
mod lab;
use lab::{
    Guest,
    dhcp::Lease,
    frames::{self, EVERYBODY, Frame, Way, mac},
    heard, ip,
    machine::{Hub, Machine, run},
    shared::{
        Pair, UDP_7, bring, flat, know_the_gateway, knows, of_gateway, speak, tunnel_end, vlan,
        vxlan, with_peers,
    },
    talk::{converse, meet, passes, serve},
};

const VXLAN: u16 = 4789;

/// Not a test of its own: see [`lab::machine`].
#[test]
fn a_machine_does_what_it_is_ordered() {
    lab::machine::obey();
}

#[test]
fn guests_of_two_hosts_speak_over_a_vxlan_in_packets_as_large_as_the_network_s() {
    if !lab::possible() {
        return;
    }
    let hub = Hub::new();
    let [mut one, mut two] = [1, 2].map(|n| tunnel_end(&hub, n));
    let spec = vxlan(77, &[&one, &two]);
    assert_eq!(one.carries().tunnel, one.tunnel);
    let any = [PacketMatch::Any];
    let (a, b) = (lab::port(&spec, 2, &[UDP_7]), lab::port(&spec, 3, &any));
    bring(&one, std::slice::from_ref(&a));
    bring(&two, std::slice::from_ref(&b));
    let station = hub.station();
    let (a, b) = (
        Guest::up_in(&one.inside(&spec), &a),
        Guest::up_in(&two.inside(&spec), &b),
    );
    speak(&b, &a);
    let service = serve(&b.name, 80);
    let (mut near, mut far, seen) = meet(&a.name, b.port.address, &service);
    assert_eq!(seen, a.port.address);
    let sent: Vec<u8> = (0..1_000_000_u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    let copy = sent.clone();
    let sender = thread::spawn(move || near.write_all(&copy).map(|()| near));
    let mut received = vec![0; sent.len()];
    far.read_exact(&mut received).unwrap();
    drop(sender.join().unwrap().unwrap());
    assert!(sent == received, "what came is not what was sent");
    // Each as large as the wire takes, and none in pieces: 1450 in 50 more.
    let tunnelled: Vec<Frame> = station.heard();
    let lengths = tunnelled.iter().filter_map(|frame| Some(frame.ip()?.len()));
    assert_eq!(lengths.max(), Some(1500));
    let whole = |frame: &Frame| {
        frame
            .ip()
            .is_none_or(|packet| packet[6] & 0x3f == 0 && packet[7] == 0)
    };
    assert!(tunnelled.iter().all(whole));
    // Ports are guarded as ever: A lets in UDP to 7 alone.
    let closed = a.udp("0.0.0.0:8");
    let mouth = b.udp("0.0.0.0:5001");
    let open = a.udp("0.0.0.0:7");
    mouth.send_to(b"denied", (a.port.address, 8)).unwrap();
    mouth.send_to(b"allowed", (a.port.address, 7)).unwrap();
    assert_eq!(heard(&open), "allowed");
    closed
        .set_read_timeout(Some(std::time::Duration::from_millis(1)))
        .unwrap();
    assert!(
        closed.recv(&mut [0; 8]).is_err(),
        "a datagram to a closed port arrived"
    );
}

#[test]
fn only_peers_are_heard_in_a_vxlan_and_only_peers_hear_it() {
    if !lab::possible() {
        return;
    }
    let hub = Hub::new();
    let [mut one, two, mut stranger] = [1, 2, 3].map(|n| tunnel_end(&hub, n));
    let spec = vxlan(77, &[&one, &two]);
    let port = lab::port(&spec, 2, &[UDP_7]);
    let other = lab::port(&spec, 3, &[UDP_7]);
    bring(&one, std::slice::from_ref(&port));
    bring(&two, std::slice::from_ref(&other));
    // Whoever knows the number and the addresses can make the same network.
    let forger = with_peers(&lab::port(&spec, 4, &[UDP_7]), &[&one, &two, &stranger]);
    bring(&stranger, std::slice::from_ref(&forger));
    let station = hub.station();
    let guest = Guest::up_in(&one.inside(&spec), &port);
    let false_guest = Guest::up_in(&stranger.inside(&spec), &forger);
    false_guest.ip(&format!(
        "neigh replace {} lladdr {} dev eth0",
        port.address, port.mac
    ));
    let ear = guest.udp("0.0.0.0:7");
    let mouth = false_guest.udp("0.0.0.0:5000");
    let from = |frame: &Frame, machine: &Machine| frame.ip_from() == machine.tunnel;
    mouth.send_to(b"forged", (port.address, 7)).unwrap();
    station.hears("the stranger's packet", |frame| {
        from(frame, &stranger) && frame.ip_to() == one.tunnel && frame.contains(b"forged")
    });
    // The guest asks everybody for somebody; peers hear that.
    guest.udp("0.0.0.0:0").send_to(b"?", "10.9.0.99:9").unwrap();
    station.hears("a question to the peer", |frame| {
        from(frame, &one) && frame.ip_to() == two.tunnel && frame.udp_to() == Some(VXLAN)
    });
    let all = station.heard();
    let told = all
        .iter()
        .find(|frame| from(frame, &one) && frame.ip_to() == stranger.tunnel);
    assert!(told.is_none(), "the stranger was told {told:?}");

    // The stranger becomes a peer, and what it says then is the first that is heard.
    let peers = [&one, &two, &stranger];
    let changes = bring(&one, &[with_peers(&port, &peers)]);
    assert!(
        changes.iter().any(|line| line.contains("fdb append")),
        "{changes:#?}"
    );
    lab::eventually("a peer's word", || {
        mouth.send_to(b"a peer's", (port.address, 7)).unwrap();
        ear.set_read_timeout(Some(std::time::Duration::from_millis(200)))
            .unwrap();
        let mut word = [0; 8];
        ear.recv(&mut word).is_ok_and(|_| {
            assert_eq!(&word, b"a peer's");
            true
        })
    });
    // It goes again; nothing is sent to it, also not what was learnt to be behind it.
    speak(&guest, &false_guest);
    bring(&one, std::slice::from_ref(&port));
    station.forget();
    guest
        .udp("0.0.0.0:0")
        .send_to(b"?", (forger.address, 9))
        .unwrap();
    guest.udp("0.0.0.0:0").send_to(b"?", "10.9.0.98:9").unwrap();
    station.hears("another question to the peer", |frame| {
        frame.ip_to() == two.tunnel && frame.contains(&[10, 9, 0, 98])
    });
    let told = station
        .heard()
        .into_iter()
        .find(|frame| frame.ip_to() == stranger.tunnel);
    assert!(
        told.is_none(),
        "one who is no peer any more was told {told:?}"
    );
}

#[test]
fn a_guest_cannot_speak_in_a_vxlan_as_its_host() {
    if !lab::possible() {
        return;
    }
    let hub = Hub::new();
    let [mut one, two] = [1, 2].map(|n| tunnel_end(&hub, n));
    let spec = vxlan(77, &[&one, &two]);
    let port = lab::port(&spec, 2, &[]);
    bring(&one, std::slice::from_ref(&port));
    let station = hub.station();
    let guest = Guest::up_in(&one.inside(&spec), &port);
    // Two would take it for the host's, under whose address it leaves.
    let mouth = guest.udp("0.0.0.0:5000");
    let to = |port| (two.tunnel.unwrap(), port);
    mouth.send_to(b"forged", to(VXLAN)).unwrap();
    mouth.send_to(b"honest", to(VXLAN + 1)).unwrap();
    let left = |word: &'static [u8]| move |frame: &Frame| frame.contains(word);
    // Where the way is still asked for, a first packet waits, and does not overtake the second.
    station.hears("what leaves as ever", left(b"honest"));
    assert!(!station.heard().iter().any(left(b"forged")), "it left");
}

fn guests_speak_and_the_gateway_stays_at_home(segment: &Segment) {
    let Some(mut pair) = Pair::new(segment.clone()) else {
        return;
    };
    let station = pair.hub.station();
    let [one, two] = &mut pair.machines;
    let inside = [one.inside(&pair.spec), two.inside(&pair.spec)];
    let [a, b] = [0, 1].map(|n| {
        let port = &pair.ports[n];
        let guest = Guest::plugged_into(&inside[n], port);
        let lease = Lease::ask(&guest);
        assert_eq!(
            (lease.address, lease.server),
            (port.address, pair.spec.gateway)
        );
        guest.settle();
        // Both gateways answer, each its own guest, to both of their addresses.
        know_the_gateway(&guest);
        guest
    });
    // Also when it is told where a guest of another host is, it stays at home.
    let to = &b.port;
    ip(
        &inside[0],
        &format!("neigh replace {} lladdr {} dev br0", to.address, to.mac),
    );
    let from_gateway = || UdpSocket::bind("0.0.0.0:0")?.send_to(b"gateway", (to.address, 9));
    assert!(namespace::inside(&inside[0], from_gateway).is_ok());
    speak(&a, &b);
    speak(&b, &a);
    let service = serve(&b.name, 22);
    let (mut near, mut far, seen) = meet(&a.name, b.port.address, &service);
    assert_eq!(seen, a.port.address);
    passes(&mut near, &mut far);
    passes(&mut far, &mut near);
    let asked = |frame: &Frame| frame.arp().is_some_and(|all| all.contains(&b.port.address));
    station.hears("what is said on the wire", asked);
    let number = segment.number().and_then(|id| u16::try_from(id).ok());
    for frame in station.heard() {
        assert_eq!(frame.tag(), number, "{frame:x?}");
        assert!(!of_gateway(&frame), "the gateway's on the wire: {frame:x?}");
    }
}

#[test]
fn on_the_whole_of_a_wire_guests_speak_and_the_gateway_stays_at_home() {
    guests_speak_and_the_gateway_stays_at_home(&flat());
}

#[test]
fn on_a_vlan_guests_speak_and_the_gateway_stays_at_home() {
    guests_speak_and_the_gateway_stays_at_home(&vlan(100));
}

#[test]
fn nobody_on_the_wire_passes_for_the_gateway_its_dhcp_or_a_port_of_the_host() {
    let Some(mut pair) = Pair::new(flat()) else {
        return;
    };
    let station = pair.hub.station();
    // A neighbour of the guest, on the same host.
    let neighbour = lab::port(&pair.spec, 5, &[]);
    // Its rules let a lease in, from whomever.
    let mut port = pair.ports[0].clone();
    let leases = PacketMatch::Udp(Some((68, 68)));
    port.rules.push(lab::allow(Direction::Ingress, leases));
    let all = [port, neighbour.clone()];
    bring(&pair.machines[0], &all);
    let inside = pair.machines[0].inside(&pair.spec);
    let [guest, _neighbour] = [&all[0], &neighbour].map(|port| Guest::up_in(&inside, port));
    let me = (mac(&guest.port.mac), guest.port.address);
    let (gateway, metadata) = (pair.spec.gateway, Ipv4Addr::new(169, 254, 169, 254));
    let (bad, good) = (mac("02:00:00:00:00:66"), mac("02:00:00:00:00:77"));
    let honest = (good, Ipv4Addr::new(10, 9, 0, 77));
    let ear = guest.udp("0.0.0.0:7");
    let dhcp = guest.udp("0.0.0.0:68");
    dhcp.set_broadcast(true).unwrap();
    let closed = guest.udp("0.0.0.0:8");
    // It knows them all, and would believe the next answer at once.
    namespace::inside(&guest.name, || {
        std::fs::write("/proc/sys/net/ipv4/neigh/eth0/locktime", "0")
    })
    .unwrap();
    know_the_gateway(&guest);
    knows(&guest, &neighbour.address.to_string(), &neighbour.mac);
    let before = guest.neighbours();

    let to_me = |from| Way { from, to: me };
    let to_all = |from, ip| Way {
        from,
        to: (EVERYBODY, ip),
    };
    let everybody = Ipv4Addr::BROADCAST;
    let forged = [
        frames::arp_answer(to_me((bad, gateway))),
        frames::arp_answer(to_all((bad, gateway), gateway)),
        frames::arp_answer(to_me((bad, metadata))),
        frames::arp_answer(to_me((bad, neighbour.address))),
        frames::arp_answer(to_me((mac(GATEWAY_MAC), honest.1))),
        frames::udp(to_me((bad, gateway)), 68, b"lease"),
        frames::udp(to_all((bad, gateway), everybody), 68, b"lease"),
        frames::udp(to_me((bad, honest.1)), 68, b"lease"),
        frames::udp(to_me((bad, gateway)), 7, b"as gateway"),
        frames::udp(to_me((bad, neighbour.address)), 7, b"as neighbour"),
        frames::udp(to_me((mac(&neighbour.mac), honest.1)), 7, b"at its place"),
        frames::udp(to_me((mac(GATEWAY_MAC), honest.1)), 7, b"at its place"),
        frames::udp(to_me((bad, honest.1)), 8, b"not allowed"),
        frames::tagged_udp(to_me((bad, honest.1)), Some(0), 8, b"tagged"),
        frames::tagged_udp(to_me((bad, honest.1)), Some(7), 7, b"tagged"),
    ];
    // Twice, because what was learnt in this very moment is not changed.
    for _ in 0..2 {
        for frame in &forged {
            station.say(frame);
        }
        // What everybody is told waits for its turn longer; this comes after.
        station.forget();
        station.say(&frames::arp_question(honest, guest.port.address));
        station.hears("an answer", |frame| {
            let of_guest = |all: [Ipv4Addr; 2]| all[0] == guest.port.address;
            frame.to() == good && frame.arp().is_some_and(of_guest)
        });
        station.say(&frames::udp(to_me(honest), 7, b"honest"));
        assert_eq!(heard(&ear), "honest");
    }
    for (ear, what) in [(&dhcp, "a lease"), (&closed, "what no rule allows")] {
        ear.set_read_timeout(Some(std::time::Duration::from_millis(1)))
            .unwrap();
        assert!(
            ear.recv(&mut [0; 8]).is_err(),
            "{what} arrived from the wire"
        );
    }
    let known = guest.neighbours();
    assert!(!known.contains("00:66"), "{before} became {known}");
    assert!(
        known.contains("00:77"),
        "an honest neighbour was not learnt: {known}"
    );
}

#[test]
fn a_host_routes_nothing_for_the_wire() {
    let Some(mut pair) = Pair::new(flat()) else {
        return;
    };
    let station = pair.hub.station();
    let inside = pair.machines[0].inside(&pair.spec);
    let [guest, _other] = pair.guests();
    // The hardware address of the interface is the host's, and so is everybody's.
    let below = run("ip", &["-n", &inside, "-o", "link", "show", "wire"]);
    let below = below
        .split("link/ether ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    let stranger = (mac("02:00:00:00:00:66"), Ipv4Addr::new(10, 9, 0, 66));
    let before = run("ip", &["-n", &inside, "-s", "link", "show", "transit"]);
    for at in [EVERYBODY, mac(&below)] {
        for ip in [
            pair.spec.gateway,
            Ipv4Addr::new(169, 254, 169, 254),
            Ipv4Addr::new(203, 0, 113, 9),
        ] {
            let way = Way {
                from: stranger,
                to: (at, ip),
            };
            station.say(&frames::udp(way, 80, b"let me in"));
        }
    }
    // What everybody is told waits for its turn; this comes after.
    station.say(&frames::arp_question(stranger, guest.port.address));
    station.hears("an answer", |frame| {
        frame.to() == stranger.0 && frame.arp().is_some()
    });
    assert_eq!(
        run("ip", &["-n", &inside, "-s", "link", "show", "transit"]),
        before,
        "it left by the host"
    );
}

#[test]
fn what_was_made_is_found_again_repaired_and_leaves_nothing() {
    let Some(mut pair) = Pair::new(flat()) else {
        return;
    };
    let inside = pair.machines[0].inside(&pair.spec);
    let [a, b] = pair.guests();
    speak(&a, &b);
    let (one, ports) = (&pair.machines[0], &pair.ports[..1]);
    let shown = || run("ip", &["-n", &inside, "-d", "link", "show", "wire"]);
    let before = shown();
    // A worker that was started afresh touches nothing, and nothing of what is said gets lost.
    let (mouth, ear, over) = (
        a.udp("0.0.0.0:5002"),
        b.udp("0.0.0.0:7"),
        AtomicBool::new(false),
    );
    thread::scope(|scope| {
        let said = scope.spawn(|| converse(&mouth, &ear, &over));
        for _ in 0..3 {
            assert_eq!(bring(one, ports), Vec::<String>::new());
        }
        over.store(true, Ordering::Relaxed);
        assert!(said.join().unwrap() > 0);
    });
    drop(ear);
    assert_eq!(shown(), before);
    // By hand it does not go for long.
    for (by_hand, lines) in [
        ("link delete wire", 5),
        ("link set wire nomaster", 1),
        ("link set wire down", 1),
        // The bridge follows the narrowest of its links.
        ("link set wire mtu 1400", 2),
    ] {
        ip(&inside, by_hand);
        let rehearsed = one.rehearse(ports);
        assert_eq!(rehearsed.len(), lines, "{by_hand}: {rehearsed:#?}");
        assert_eq!(bring(one, ports), rehearsed, "{by_hand}");
        speak(&a, &b);
    }
    // Another link in its place.
    ip(&inside, "link delete wire");
    ip(&inside, "link add wire type veth peer name other");
    bring(one, ports);
    speak(&a, &b);
    drop((a, b));
    assert_eq!(one.tear_down().error, None);
    let left = run("ip", &["-n", &one.name, "-d", "link", "show", "eth1"]);
    assert!(
        left.contains("promiscuity 0") && !run("ip", &["-n", &one.name, "link"]).contains("sbt"),
        "{left}"
    );
    assert_eq!(
        run(
            "ip",
            &["netns", "exec", &one.name, "nft", "list", "ruleset"]
        ),
        ""
    );
}

#[test]
fn a_vxlan_is_repaired_peer_by_peer() {
    if !lab::possible() {
        return;
    }
    let hub = Hub::new();
    let [mut one, two] = [1, 2].map(|n| tunnel_end(&hub, n));
    let spec = vxlan(77, &[&one, &two]);
    let ports = [lab::port(&spec, 2, &[])];
    bring(&one, &ports);
    assert_eq!(bring(&one, &ports), Vec::<String>::new());
    let inside = one.inside(&spec);
    let by_hand = |line: &str| {
        let words: Vec<&str> = ["netns", "exec", &inside, "bridge"]
            .into_iter()
            .chain(line.split(' '))
            .collect();
        run("ip", &words);
    };
    by_hand("fdb del 00:00:00:00:00:00 dev wire dst 192.0.2.2");
    by_hand("fdb append 00:00:00:00:00:00 dev wire dst 192.0.2.66");
    by_hand("fdb append fa:16:3e:00:00:66 dev wire dst 192.0.2.66");
    let changes = bring(&one, &ports);
    assert_eq!(changes.len(), 2, "{changes:#?}");
    assert!(
        changes[0].contains("append 00:00:00:00:00:00 dev wire dst 192.0.2.2"),
        "{changes:#?}"
    );
    assert!(
        changes[0].contains("del 00:00:00:00:00:00 dev wire dst 192.0.2.66"),
        "{changes:#?}"
    );
    assert!(
        changes[1].contains("del fa:16:3e:00:00:66 dev wire dst 192.0.2.66"),
        "{changes:#?}"
    );
    // The host's table is flushed, and made again with the peers in it.
    run(
        "ip",
        &["netns", "exec", &one.name, "nft", "flush", "ruleset"],
    );
    bring(&one, &ports);
    let table = run(
        "ip",
        &["netns", "exec", &one.name, "nft", "list", "ruleset"],
    );
    assert!(table.contains("elements = { 192.0.2.2 }"), "{table}");
    assert_eq!(bring(&one, &ports), Vec::<String>::new());
    // With the network its peers go.
    one.tear_down();
    assert_eq!(
        run(
            "ip",
            &["netns", "exec", &one.name, "nft", "list", "ruleset"]
        ),
        ""
    );
    assert_eq!(
        run(
            "ip",
            &["-n", &one.name, "-o", "link", "show", "type", "vxlan"]
        ),
        ""
    );
}

#[test]
fn a_host_refuses_what_it_cannot_carry_and_makes_nothing_of_it() {
    if !lab::possible() {
        return;
    }
    let (hub, mut machine) = (Hub::new(), Machine::new());
    let mut spec = lab::network_spec();
    let refused = |machine: &Machine, spec: &NetworkSpec| {
        let done = machine.converge(&[lab::port(spec, 2, &[])]);
        (done.error.unwrap_or_default(), done.changes)
    };
    spec.segment = flat();
    let (why, changes) = refused(&machine, &spec);
    assert!(
        why.ends_with("none of its interfaces is named as being on lab"),
        "{why}"
    );
    assert_eq!(changes, Vec::<String>::new());
    spec.segment = Segment::Vxlan {
        vni: 77.try_into().unwrap(),
    };
    assert!(
        refused(&machine, &spec)
            .0
            .ends_with("no tunnel address is configured")
    );
    machine.tunnel = Some([192, 0, 2, 1].into());
    assert!(
        refused(&machine, &spec)
            .0
            .contains("192.0.2.1 is none of this host's")
    );
    machine.physical = [("lab".to_owned(), "eth1".to_owned())].into();
    spec.segment = flat();
    assert!(refused(&machine, &spec).0.contains("eth1, is not there"));
    // It is plugged in later.
    hub.plug(&machine, "eth1");
    assert_eq!(machine.carries().flat.len(), 1);
    machine.ip("address add 192.0.2.1/24 dev eth1");
    assert!(
        refused(&machine, &spec)
            .0
            .contains("192.0.2.1, that would no longer be reached")
    );
    machine.ip("address delete 192.0.2.1/24 dev eth1");
    machine.ip("link set eth1 mtu 1400");
    assert!(
        refused(&machine, &spec)
            .0
            .contains("eth1, which takes 1400")
    );
    spec.mtu = 1400;
    assert_eq!(refused(&machine, &spec).0, "");
    // A kernel without 802.1Q says so.
    spec = lab::network_spec();
    (spec.segment, spec.mtu) = (vlan(100), 1400);
    let why = refused(&machine, &spec).0;
    match machine.carries().lacks.get(&SegmentKind::Vlan) {
        Some(lack) => assert!(
            lack.contains("modprobe 8021q") && why.ends_with(lack),
            "{lack}: {why}"
        ),
        // A VLAN beside the whole.
        None => assert_eq!(why, ""),
    }
}

/// A second network on each host, on another VLAN of the same interface, beside the whole of it.
#[test]
fn vlans_and_the_whole_of_a_wire_do_not_hear_each_other() {
    let Some(mut pair) = Pair::new(vlan(100)) else {
        return;
    };
    let [a, b] = pair.guests();
    speak(&a, &b);
    let mut others = Vec::new();
    for segment in [vlan(101), flat()] {
        let mut spec = lab::network_spec();
        (spec.segment, spec.mtu) = (segment, 1500);
        let port = lab::port(&spec, 2, &[PacketMatch::Any]);
        others.push(port);
    }
    let mine = [&pair.ports[..1], &others[..]].concat();
    bring(&pair.machines[0], &mine);
    bring(&pair.machines[1], &[&pair.ports[1..], &others[..]].concat());
    let station = pair.hub.station();
    let guests: Vec<Guest> = others
        .iter()
        .map(|port| Guest::up_in(&pair.machines[0].inside(&port.network), port))
        .collect();
    speak(&a, &b);
    let me = (mac(&a.port.mac), a.port.address);
    let from = (mac("02:00:00:00:00:77"), Ipv4Addr::new(10, 9, 0, 77));
    let ears: Vec<_> = guests.iter().map(|guest| guest.udp("0.0.0.0:7")).collect();
    // All have the same hardware address, so only the tag says whose it is.
    for (tag, ear, word) in [(Some(101), &ears[0], "tagged"), (None, &ears[1], "plain")] {
        station.say(&frames::tagged_udp(
            Way { from, to: me },
            tag,
            7,
            word.as_bytes(),
        ));
        assert_eq!(heard(ear), word);
    }
    for ear in &ears {
        ear.set_read_timeout(Some(std::time::Duration::from_millis(200)))
            .unwrap();
        assert!(
            ear.recv(&mut [0; 8]).is_err(),
            "it heard what was another's"
        );
    }
}
