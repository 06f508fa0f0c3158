//! Floating IPs with real packets: who reaches a guest under one, as whom it goes out, and what is left
//! when it has gone. It needs root.

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream, UdpSocket},
};

use ipnet::Ipv4Net;
use skybus_model::network::{Direction, PacketMatch};
use skybus_network::{
    changes::Changes,
    linux::Linux,
    program::{Place, ip, nft},
};
use skybus_sys::namespace;

#[cfg(test)]
mod lab;
use lab::{
    Cloud, Guest, SOON,
    talk::{SHORT, SSH, cut, floats, left, meet, passes, serve},
    wire::Wire,
};

#[test]
fn the_outside_reaches_a_guest_under_its_floating_ip_as_its_rules_allow_and_not_when_it_has_gone() {
    if !lab::possible() {
        return;
    }
    let wire = Wire::new();
    let (floating, mut cloud) = (wire.free(3), Cloud::on(&wire));
    let spec = lab::network_spec();
    let port = floats(lab::port(&spec, 2, std::slice::from_ref(&SSH)), floating);
    cloud.converge(vec![cloud.network(std::slice::from_ref(&port))]);
    let guest = Guest::up(&port);
    let (ssh, other) = (serve(&guest.name, 22), serve(&guest.name, 23));

    let (mut near, mut far, seen) = meet(&wire.name, floating, &ssh);
    assert_eq!(seen, wire.address, "the guest sees who it is");
    passes(&mut near, &mut far);
    assert!(
        cut(&wire.name, (floating, 23).into()),
        "no rule allows that"
    );
    drop(other);
    // The host itself, and the way out.
    let _own = TcpStream::connect_timeout(&(floating, 22).into(), SOON).unwrap();
    let _accepted = ssh.accept().unwrap();
    let outside = serve(&wire.name, 80);
    let (mut out, mut out_far, seen) = meet(&guest.name, wire.address, &outside);
    assert_eq!(seen, floating, "it goes out under its floating IP");

    // A rule goes: nobody new comes in.
    let mut closed = port.clone();
    closed.rules.pop();
    cloud.converge(vec![cloud.network(std::slice::from_ref(&closed))]);
    assert!(cut(&wire.name, (floating, 22).into()));
    cloud.converge(vec![cloud.network(std::slice::from_ref(&port))]);
    let _again = meet(&wire.name, floating, &ssh);
    passes(&mut near, &mut far);
    passes(&mut out, &mut out_far);

    // The floating IP goes, and with it all that went through it.
    let mut without = port.clone();
    without.floating.clear();
    let network = cloud.network(&[without]);
    cloud.converge(vec![network.clone()]);
    cloud
        .linux
        .end_connections(&network.namespace(), floating, &mut Changes::real())
        .unwrap();
    assert!(!left(floating), "it is still led or answered for");
    near.write_all(b"?").unwrap();
    for end in [&mut far, &mut out] {
        // The guest is told at its next word.
        let told = end.write_all(b"?").and_then(|()| end.read_exact(&mut [0]));
        assert_eq!(told.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    for end in [&mut near, &mut out_far] {
        end.set_read_timeout(Some(SHORT)).unwrap();
        let silence = end.read(&mut [0]).unwrap_err();
        assert!(
            matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "the outside heard {silence}"
        );
    }
    assert!(cut(&wire.name, (floating, 22).into()));
    // It goes out as any guest does.
    let (_, _, seen) = meet(&guest.name, wire.address, &outside);
    assert_eq!(seen, wire.host);
}

#[test]
fn guests_reach_floating_ips_of_their_network_of_another_with_the_same_addresses_and_their_own() {
    if !lab::possible() {
        return;
    }
    let wire = Wire::new();
    let mut cloud = Cloud::on(&wire);
    let (one, two) = (lab::network_spec(), lab::network_spec());
    let any = [PacketMatch::Any];
    let a = floats(lab::port(&one, 2, &any), wire.free(3));
    let plain = lab::port(&one, 3, &any);
    let b = floats(lab::port(&two, 2, &any), wire.free(4));
    let networks = [
        cloud.network(&[a.clone(), plain.clone()]),
        cloud.network(std::slice::from_ref(&b)),
    ];
    let transit = networks[0].transit.network();
    cloud.converge(networks.to_vec());
    let [a, plain, b] = [&a, &plain, &b].map(Guest::up);
    let (at_a, at_b) = (serve(&a.name, 22), serve(&b.name, 22));
    let (ip_a, ip_b) = (wire.free(3), wire.free(4));
    for (from, to, service, expected) in [
        (&a, ip_b, &at_b, ip_a),
        (&b, ip_a, &at_a, ip_b),
        (&plain, ip_b, &at_b, transit),
        (&plain, ip_a, &at_a, plain.port.address),
        (&a, ip_a, &at_a, ip_a),
    ] {
        let (mut near, mut far, seen) = meet(&from.name, to, service);
        assert_eq!(seen, expected, "from {} to {to}", from.port.address);
        passes(&mut near, &mut far);
        passes(&mut far, &mut near);
    }
    // Under its fixed IP a guest is reached in its own network alone, and a forged floating IP leads nowhere.
    let (_, _, seen) = meet(&plain.name, a.port.address, &at_a);
    assert_eq!(seen, plain.port.address);
    assert!(cut(
        &b.name,
        (cloud.networks[0].transit.network(), 22).into()
    ));
}

#[test]
fn the_outside_cannot_pass_for_a_member_of_a_security_group() {
    if !lab::possible() {
        return;
    }
    let wire = Wire::new();
    let (floating, mut cloud) = (wire.free(3), Cloud::on(&wire));
    let spec = lab::network_spec();
    let member = lab::port(&spec, 3, &[]);
    let mut port = floats(lab::port(&spec, 2, &[]), floating);
    let mut rule = lab::allow(Direction::Ingress, PacketMatch::Udp(Some((7, 7))));
    rule.remotes = [member.address, wire.address].map(Ipv4Net::from).into();
    port.rules.push(rule);
    cloud.converge(vec![cloud.network(&[port.clone(), member.clone()])]);
    let [guest, member] = [&port, &member].map(Guest::up);
    let ear = guest.udp("0.0.0.0:7");
    let send = |from: Ipv4Addr, word: &[u8]| {
        let mouth = namespace::inside(&wire.name, || UdpSocket::bind((from, 0))).unwrap();
        mouth.send_to(word, (floating, 7)).unwrap();
    };
    send(wire.address, b"first");
    assert_eq!(lab::heard(&ear), "first");
    // The way is known by now, so what is sent first comes first.
    let forged = member.port.address;
    lab::ip(&wire.name, &format!("address add {forged}/32 dev eth0"));
    send(forged, b"forged");
    send(wire.address, b"second");
    assert_eq!(lab::heard(&ear), "second", "it came as {forged}");
    // The member itself is heard, also under the floating IP.
    let mouth = member.udp("0.0.0.0:0");
    for to in [port.address, floating] {
        mouth.send_to(b"member", (to, 7)).unwrap();
        assert_eq!(lab::heard(&ear), "member", "under {to}");
    }
}

#[test]
fn what_was_flushed_by_hand_is_made_again_and_what_is_another_s_is_left_alone() {
    if !lab::possible() {
        return;
    }
    let wire = Wire::new();
    let mut cloud = Cloud::on(&wire);
    let spec = lab::network_spec();
    let floating = wire.free(3);
    let port = floats(lab::port(&spec, 2, std::slice::from_ref(&SSH)), floating);
    let network = cloud.network(std::slice::from_ref(&port));
    cloud.converge(vec![network.clone()]);
    let guest = Guest::up(&port);
    let ssh = serve(&guest.name, 22);
    let _before = meet(&wire.name, floating, &ssh);
    // An answer that an operator gives, and another cloud's network on the same wire.
    let (link, others) = (&wire.link, wire.free(9));
    ip(
        Place::Host,
        &format!("neigh add proxy {others} dev {link}\n"),
    )
    .unwrap();
    let mut neighbour = Cloud::on(&wire);
    let theirs = floats(lab::port(&lab::network_spec(), 2, &[]), wire.free(4));
    neighbour.converge(vec![neighbour.network(&[theirs])]);

    // A worker that was started afresh finds all as it should be.
    cloud.linux = Linux::new(cloud.linux.cloud()).with_public(Some(link));
    assert_eq!(cloud.converge(vec![network.clone()]), Vec::<String>::new());
    let flush = format!("route delete {floating}/32\nneigh delete proxy {floating} dev {link}\n");
    ip(Place::Host, &flush).unwrap();
    let name = network.namespace();
    nft(
        Place::Namespace(&name),
        "flush map inet skybus floating\nflush chain inet skybus destination_address\n",
    )
    .unwrap();
    let mut rehearsal = Changes::rehearsal();
    cloud
        .linux
        .converge(&network, &BTreeSet::new(), &mut rehearsal)
        .unwrap();
    cloud
        .linux
        .converge_host(
            std::slice::from_ref(&network),
            &BTreeSet::new(),
            &mut rehearsal,
        )
        .unwrap();
    assert_eq!(rehearsal.list().len(), 3, "{:#?}", rehearsal.list());
    assert!(!left(floating), "a rehearsal changed the host");
    assert_eq!(cloud.converge(vec![network.clone()]), rehearsal.list());
    let _after = meet(&wire.name, floating, &ssh);

    // With its network it goes, and the others' stay.
    let mut changes = Changes::real();
    cloud.linux.remove(&name, &mut changes).unwrap();
    cloud
        .linux
        .converge_host(&[], &BTreeSet::new(), &mut changes)
        .unwrap();
    assert!(!left(floating));
    assert!(left(others) && left(wire.free(4)));
    let same = neighbour.networks.clone();
    assert_eq!(neighbour.converge(same), Vec::<String>::new());
}

#[test]
fn what_is_something_else_to_the_host_already_is_left_out_and_told() {
    if !lab::possible() {
        return;
    }
    let wire = Wire::new();
    let [theirs, led, router, free] = [3, 4, 5, 6].map(|n| wire.free(n));
    let link = &wire.link;
    let operators = format!(
        "route add {led}/32 dev {link}\nroute add {}/32 via {router} dev {link}\n",
        wire.free(9)
    );
    ip(Place::Host, &operators).unwrap();
    let [mut first, mut second] = [Cloud::on(&wire), Cloud::on(&wire)];
    let port = floats(lab::port(&lab::network_spec(), 2, &[]), theirs);
    first.converge(vec![first.network(&[port])]);
    let mut port = lab::port(&lab::network_spec(), 2, &[]);
    port.floating = vec![theirs, led, router, free, wire.host];
    let network = second.network(&[port]);
    second.converge(vec![network.clone()]);
    // Neither takes from the other what it has, nor from the operator.
    let same = first.networks.clone();
    assert_eq!(first.converge(same), Vec::<String>::new());
    assert_eq!(second.converge(vec![network.clone()]), Vec::<String>::new());
    let look = || {
        let networks = std::slice::from_ref(&network);
        let (none, mut changes) = (BTreeSet::new(), Changes::real());
        let linux = &second.linux;
        linux.converge_host(networks, &none, &mut changes).unwrap()
    };
    let reached = look();
    let others = BTreeSet::from([theirs, led, router, wire.host]);
    assert_eq!(reached.left_out, others);
    for ip in others {
        let told = |trouble: &String| trouble.contains(&format!(" {ip} "));
        assert!(reached.troubles.iter().any(told), "{ip}: {reached:?}");
    }
    assert!(left(free));
    // What the first gives up the second takes.
    drop(first);
    assert!(!look().left_out.contains(&theirs) && left(theirs));
}

#[test]
fn without_its_public_interface_a_host_goes_on_and_says_so() {
    if !lab::possible() {
        return;
    }
    let wire = Wire::new();
    let mut cloud = Cloud::new();
    cloud.linux = Linux::new(cloud.linux.cloud()).with_public(Some("nothere0"));
    let port = lab::port(&lab::network_spec(), 2, std::slice::from_ref(&SSH));
    let port = floats(port, wire.free(3));
    let network = cloud.network(std::slice::from_ref(&port));
    cloud.converge(vec![network.clone()]);
    let troubles = cloud
        .linux
        .converge_host(&[network], &BTreeSet::new(), &mut Changes::real());
    assert!(troubles.unwrap().troubles[0].contains("nothere0"));
    let guest = Guest::up(&port);
    let _ssh = serve(&guest.name, 22);
    // From the host itself.
    TcpStream::connect_timeout(&(wire.free(3), 22).into(), SOON).unwrap();
    // Machines that know no way back to the floating IP answer the host.
    let service = serve(&wire.name, 80);
    lab::ip(
        &wire.name,
        &format!("route add unreachable {}/32", wire.free(3)),
    );
    let (mut near, mut far, seen) = meet(&guest.name, wire.address, &service);
    assert_eq!(seen, wire.host);
    passes(&mut far, &mut near);
}
