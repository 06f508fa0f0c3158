//! The program itself, on a real broker and (with root) a real host: commands in, reports out, killed
//! and started again in between.

use std::{io::Write as _, net::UdpSocket, time::Duration};

use skybus_fault::Point;
use skybus_model::{Order, message::event::PortState, network::PacketMatch, server::spec};
use skybus_network::{
    changes::Changes,
    program::{self, Place},
    teardown::{Recorded, teardown},
    uplink,
};
use skybus_sys::{namespace, process, tap};

#[cfg(test)]
mod lab;
#[cfg(test)]
mod stage;
use lab::{
    Guest,
    dhcp::Lease,
    talk::{SSH, ended, floats, left, meet, noted, serve},
    wire::Wire,
};
use stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_port_comes_is_served_survives_the_worker_s_death_and_goes() {
    if !lab::possible() {
        return;
    }
    let mut stage = Stage::linux().await;
    let mut worker = stage.worker();
    let spec = lab::network_spec();
    let port = lab::port(&spec, 2, &[PacketMatch::Tcp(Some((22, 22)))]);
    stage.ensure("node-1", &port, 1).await;
    let report = stage.report(port.id).await;
    assert_eq!(
        (report.state, report.generation.0),
        (PortState::Up, 1),
        "{report:?}"
    );
    assert!(report.operation.is_some() && !report.hops.is_empty());
    drop(tap::open(&spec::namespace(spec.id), &spec::tap(port.id)).unwrap());

    let guest = Guest::plugged(&port);
    assert_eq!(Lease::ask(&guest).address, port.address);
    guest.settle();
    let answer = stage.metadata(&guest, "/openstack/latest/meta_data.json?x=1");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let asked = format!(
        "/metadata/openstack/latest/meta_data.json?x=1 {} 10.9.0.2",
        spec.id
    );
    assert!(answer.contains(&asked), "{answer}");
    assert!(
        stage
            .metadata(&guest, "/../internal/images")
            .starts_with("HTTP/1.1 400")
    );

    // Killed, with everything it made still there and serving; the next one adopts it.
    let dnsmasq = stage.linux_driver().dnsmasq(&spec::namespace(spec.id));
    let serving = dnsmasq.running().unwrap();
    worker.kill();
    // Meanwhile somebody takes away the host's own part.
    let host_part = format!("delete table ip {}\n", uplink::table(&stage.cloud));
    program::nft(Place::Host, &host_part).unwrap();
    let mut worker = stage.worker();
    lab::eventually("the host's own part after it was removed by hand", || {
        lab::traces().contains(&uplink::table(&stage.cloud))
    });
    stage.ensure("node-1", &port, 1).await;
    let again = stage.report(port.id).await;
    assert_eq!(
        (again.state, again.generation),
        (PortState::Up, report.generation)
    );
    assert!(
        again.order > report.order,
        "a restarted worker's reports are newer"
    );
    assert_eq!(dnsmasq.running(), Some(serving));
    lab::eventually("metadata after a restart", || {
        stage.metadata(&guest, "/").starts_with("HTTP/1.1 200")
    });

    process::end(serving, lab::SOON).unwrap();
    lab::eventually("DHCP after its server was killed", || {
        dnsmasq.running().is_some()
    });

    stage.remove("node-1", &port, 2).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Absent);
    assert!(!namespace::exists(&spec::namespace(spec.id)));
    // An older wish, arriving late.
    stage.ensure("node-1", &port, 1).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Absent);
    worker.terminate();
    assert!(!lab::traces().contains(&stage.cloud), "{}", lab::traces());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_its_journal_takes_away_only_what_it_is_told_to() {
    if !lab::possible() {
        return;
    }
    let mut stage = Stage::linux().await;
    let mut worker = stage.worker();
    let spec = lab::network_spec();
    let [goes, stays] = [2, 3].map(|n| lab::port(&spec, n, &[PacketMatch::Any]));
    for port in [&goes, &stays] {
        stage.ensure("node-1", port, 1).await;
        assert_eq!(stage.report(port.id).await.state, PortState::Up);
    }
    let (sender, guest) = (Guest::up(&goes), Guest::up(&stays));
    worker.kill();
    stage.lose_journal();
    let mut worker = stage.worker();
    stage.remove("node-1", &goes, 2).await;
    assert_eq!(stage.report(goes.id).await.state, PortState::Absent);
    drop(sender);
    let ear = guest.udp("0.0.0.0:7");
    let network = spec::namespace(spec.id);
    let gateway = namespace::inside(&network, || UdpSocket::bind("0.0.0.0:0")).unwrap();
    gateway.send_to(b"still there", "10.9.0.3:7").unwrap();
    assert_eq!(lab::heard(&ear), "still there");
    // Told again what should be, it goes on as if nothing had happened; and ends it when it should.
    stage.ensure("node-1", &stays, 1).await;
    assert_eq!(stage.report(stays.id).await.state, PortState::Up);
    stage.remove("node-1", &stays, 2).await;
    assert_eq!(stage.report(stays.id).await.state, PortState::Absent);
    assert!(!namespace::exists(&network));
    worker.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_done_by_the_next_worker() {
    if !lab::possible() {
        return;
    }
    let mut stage = Stage::linux().await;
    let spec = lab::network_spec();
    let ports: Vec<_> = (2..42).map(|n| lab::port(&spec, n, &[])).collect();
    let mut worker = stage.worker();
    for port in &ports {
        stage.ensure("node-1", port, 1).await;
    }
    worker.kill();
    let mut worker = stage.worker();
    for port in &ports {
        assert_eq!(stage.report(port.id).await.state, PortState::Up);
        drop(tap::open(&spec::namespace(spec.id), &spec::tap(port.id)).unwrap());
    }
    worker.kill();

    // The program's own words about what it would do, and then everything away without its journal.
    assert_eq!(stage.run(&["--dry-run"]), "");
    namespace::delete(&spec::namespace(spec.id)).unwrap();
    assert!(stage.run(&["--dry-run"]).contains("a new namespace"));
    stage.lose_journal();
    assert!(stage.run(&["teardown", "--dry-run"]).contains(&stage.cloud));
    stage.run(&["teardown"]);
    assert!(!lab::traces().contains(&stage.cloud), "{}", lab::traces());
}

/// Waits until a worker that was started since has compared all with its records and said so.
async fn compared(stage: &mut Stage, since: Order) -> Order {
    loop {
        let order = stage.inventory("node-1", 1).await.order;
        if order.epoch > since.epoch {
            return order;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_floating_ip_is_announced_served_repaired_and_after_a_power_cut_not_believed() {
    if !lab::possible() {
        return;
    }
    let (wire, mut stage) = (Wire::new(), Stage::linux().await);
    stage.configure(&format!("public_interface = \"{}\"", wire.link));
    stage.configure("floating_doubt = 86400");
    let floating = wire.free(3);
    // The outside believes it elsewhere.
    let stale = "02:00:00:00:00:77";
    lab::ip(
        &wire.name,
        &format!("neigh add {floating} lladdr {stale} dev eth0 nud stale"),
    );
    let mut worker = stage.worker();
    let spec = lab::network_spec();
    let mut port = lab::port(&spec, 2, &[PacketMatch::Tcp(Some((22, 22)))]);
    port.floating = vec![floating];
    stage.ensure("node-1", &port, 1).await;
    let report = stage.report(port.id).await;
    assert_eq!(report.state, PortState::Up);
    lab::eventually("the announcement", || !wire.knows(floating).contains(stale));
    let guest = Guest::up(&port);
    let ssh = skybus_sys::socket::listen(&guest.name, "0.0.0.0:22".parse().unwrap()).unwrap();
    lab::eventually("the outside's way in", || wire.reaches(floating));

    // By hand it does not go for long.
    let flush = format!("neigh delete proxy {floating} dev {}\n", wire.link);
    program::ip(Place::Host, &format!("{flush}route delete {floating}/32\n")).unwrap();
    lab::eventually("the way in after it was taken by hand", || {
        wire.reaches(floating)
    });

    // The worker dies, and the next one doubts what it remembers, but not what is served.
    let soon = Duration::from_secs(60);
    let mut open = skybus_sys::socket::connect(&wire.name, (floating, 22).into(), soon).unwrap();
    worker.kill();
    let mut worker = stage.worker();
    let order = compared(&mut stage, report.order).await;
    // That it never ceased is seen by the connection that is open.
    lab::eventually("the way in", || wire.reaches(floating));
    let mut far = lab::talk::other_end(&ssh, &mut open);
    far.write_all(b"!").unwrap();

    // A power cut takes all but the journal.
    worker.kill();
    drop((open, far, ssh, guest));
    teardown(
        &stage.linux_driver(),
        &Recorded::default(),
        &mut Changes::real(),
    )
    .unwrap();
    let mut worker = stage.worker();
    compared(&mut stage, order).await;
    assert!(namespace::exists(&spec::namespace(spec.id)));
    assert!(!noted(floating), "it is in the host's table");
    let guest = Guest::up(&port);
    let ssh = skybus_sys::socket::listen(&guest.name, "0.0.0.0:22".parse().unwrap()).unwrap();
    lab::ip(&wire.name, "neigh flush all");
    assert!(
        !wire.reaches(floating),
        "it answers for what may be elsewhere"
    );
    stage.ensure("node-1", &port, 1).await;
    lab::eventually("the way in after the control plane's word", || {
        wire.reaches(floating)
    });

    // It moves to a port of another network on this host, whose commands may overtake the former's.
    let mut open = skybus_sys::socket::connect(&wire.name, (floating, 22).into(), soon).unwrap();
    let mut far = lab::talk::other_end(&ssh, &mut open);
    let mut heir = lab::port(&lab::network_spec(), 2, &[PacketMatch::Tcp(Some((22, 22)))]);
    heir.floating = vec![floating];
    stage.ensure("node-1", &heir, 1).await;
    assert_eq!(stage.report(heir.id).await.state, PortState::Up);
    ended(&mut far);
    let other = Guest::up(&heir);
    let ssh = skybus_sys::socket::listen(&other.name, "0.0.0.0:22".parse().unwrap()).unwrap();
    ssh.set_nonblocking(true).unwrap();
    lab::eventually("the heir's connection", || {
        wire.reaches(floating) && ssh.accept().is_ok()
    });
    worker.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_through_a_floating_ip_that_was_taken_away_end_whatever_hinders_it() {
    if !lab::possible() {
        return;
    }
    let (wire, mut stage) = (Wire::new(), Stage::linux().await);
    stage.configure(&format!("public_interface = \"{}\"", wire.link));
    let floating = wire.free(3);
    let spec = lab::network_spec();
    let mut port = floats(lab::port(&spec, 2, std::slice::from_ref(&SSH)), floating);
    let mut worker = stage.worker();
    stage.ensure("node-1", &port, 1).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Up);
    let guest = Guest::up(&port);
    let ssh = serve(&guest.name, 22);
    let (_near, mut far, _) = meet(&wire.name, floating, &ssh);
    // On a busy host each question is refused at first, and those for the host's own part always.
    let refusing = format!(
        "echo \"$*\" >> {notes}\n\
         inside() {{ [ \"$(stat -Lc %i /proc/self/ns/net)\" = \"$(stat -Lc %i /run/netns/{name})\" ]; }}\n\
         again() {{ [ \"$(grep -cFx -e \"$*\" {notes})\" -gt 2 ]; }}\n\
         if inside && again \"$*\"; then {THE_REAL_ONE}; fi\n\
         echo 'Operation failed: such conntrack does not exist' >&2; exit 1",
        notes = stage.notes().display(),
        name = spec::namespace(spec.id),
    );
    stage.instead_of("conntrack", &refusing);
    port.floating.clear();
    stage.ensure("node-1", &port, 2).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Up);
    ended(&mut far);

    // The worker dies when all is changed but the connections.
    stage.instead_of("conntrack", THE_REAL_ONE);
    port.floating.push(floating);
    stage.ensure("node-1", &port, 3).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Up);
    let (_near, mut far, _) = meet(&wire.name, floating, &ssh);
    stage.arm(Point::NetworkConverged);
    port.floating.clear();
    stage.ensure("node-1", &port, 4).await;
    worker.dies();
    let mut worker = stage.worker();
    let report = stage.report(port.id).await;
    assert_eq!((report.state, report.generation.0), (PortState::Up, 4));
    ended(&mut far);
    worker.terminate();
}

/// What a script says to become the program in whose place it is.
const THE_REAL_ONE: &str = "PATH=${PATH#*:}; exec \"${0##*/}\" \"$@\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_cannot_be_made_gives_up_the_floating_ip_that_was_taken_from_it() {
    if !lab::possible() {
        return;
    }
    let (wire, mut stage) = (Wire::new(), Stage::linux().await);
    stage.configure(&format!("public_interface = \"{}\"", wire.link));
    let floating = wire.free(3);
    let spec = lab::network_spec();
    let mut port = floats(lab::port(&spec, 2, std::slice::from_ref(&SSH)), floating);
    let mut worker = stage.worker();
    stage.ensure("node-1", &port, 1).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Up);
    let guest = Guest::up(&port);
    let ssh = serve(&guest.name, 22);
    let (_near, mut far, _) = meet(&wire.name, floating, &ssh);
    stage.instead_of("dnsmasq", "echo 'no memory' >&2; exit 5");
    let dnsmasq = stage.linux_driver().dnsmasq(&spec::namespace(spec.id));
    process::end(dnsmasq.running().unwrap(), lab::SOON).unwrap();
    port.floating.clear();
    stage.ensure("node-1", &port, 2).await;
    let report = stage.report(port.id).await;
    assert_eq!(report.state, PortState::Down);
    assert!(!left(floating) && !noted(floating));
    ended(&mut far);
    // The next worker, which still cannot make it, knows as much.
    worker.kill();
    let mut worker = stage.worker();
    loop {
        if stage.inventory("node-1", 0).await.order.epoch > report.order.epoch {
            break;
        }
    }
    assert!(!left(floating) && !noted(floating));
    let network = spec::namespace(spec.id);
    let listed = namespace::inside(&network, || {
        std::process::Command::new("nft")
            .args(["list", "ruleset"])
            .output()
    });
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    assert!(listed.contains("map floating") && !listed.contains(&floating.to_string()));
    worker.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_leaves_out_is_not_announced_and_what_was_taken_away_is_not_kept() {
    if !lab::possible() {
        return;
    }
    let (wire, mut stage) = (Wire::new(), Stage::linux().await);
    stage.configure(&format!("public_interface = \"{}\"", wire.link));
    let (router, floating, stale) = (wire.free(3), wire.free(4), "02:00:00:00:00:77");
    let route = format!(
        "route add {}/32 via {router} dev {}\n",
        wire.free(9),
        wire.link
    );
    program::ip(Place::Host, &route).unwrap();
    for ip in [router, floating] {
        let line = format!("neigh add {ip} lladdr {stale} dev eth0 nud stale");
        lab::ip(&wire.name, &line);
    }
    let mut port = lab::port(&lab::network_spec(), 2, &[]);
    port.floating = vec![router, floating];
    let mut worker = stage.worker();
    stage.ensure("node-1", &port, 1).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Up);
    // All are announced in their order.
    lab::eventually("the announcement", || !wire.knows(floating).contains(stale));
    assert!(wire.knows(router).contains(stale), "another's is announced");
    lab::eventually("the trouble", || {
        stage.health().contains(&router.to_string())
    });

    // Somebody else's tap keeps the network, but not the floating IP of a port that is gone.
    let network = spec::namespace(port.network.id);
    lab::ip(&network, "tuntap add dev tapsomebody mode tap");
    stage.remove("node-1", &port, 2).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Absent);
    assert!(namespace::exists(&network));
    assert!(!left(floating) && !noted(floating));
    worker.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn doubt_ends_by_itself_and_another_s_answer_is_trouble_that_stops_nothing() {
    if !lab::possible() {
        return;
    }
    let (wire, mut stage) = (Wire::new(), Stage::linux().await);
    stage.configure(&format!("public_interface = \"{}\"", wire.link));
    stage.configure("floating_doubt = 1");
    let (free, taken) = (wire.free(3), wire.free(4));
    lab::ip(&wire.name, &format!("address add {taken}/28 dev eth0"));
    let spec = lab::network_spec();
    let mut port = lab::port(&spec, 2, &[PacketMatch::Tcp(Some((22, 22)))]);
    port.floating = vec![free, taken];
    let mut worker = stage.worker();
    stage.ensure("node-1", &port, 1).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Up);
    lab::eventually("the trouble", || {
        let health = stage.health();
        health.contains(&taken.to_string()) && health.starts_with("HTTP/1.1 503")
    });
    assert!(!stage.health().contains(&free.to_string()));
    // The other machine gives it up, or the port does.
    worker.kill();
    teardown(
        &stage.linux_driver(),
        &Recorded::default(),
        &mut Changes::real(),
    )
    .unwrap();
    let mut worker = stage.worker();
    lab::eventually("the end of doubt", || noted(free));
    port.floating = vec![free];
    stage.ensure("node-1", &port, 2).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Up);
    lab::eventually("the end of trouble", || {
        stage.health().starts_with("HTTP/1.1 200")
    });
    worker.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_plays_many_hosts_and_reports_for_each() {
    let mut stage = Stage::fake(3).await;
    let mut worker = stage.worker();
    let spec = lab::network_spec();
    let ports = [1, 2, 3].map(|n| (format!("node-1-{n}"), lab::port(&spec, 10 + n, &[])));
    for (host, port) in &ports {
        stage.ensure(host, port, 1).await;
    }
    for (host, port) in &ports {
        let report = stage.report(port.id).await;
        assert_eq!(
            (report.state, report.host.as_str()),
            (PortState::Up, host.as_str())
        );
    }
    worker.terminate();
    // The next one says at once what each of them has.
    let mut worker = stage.worker();
    for (host, port) in &ports {
        let inventory = stage.inventory(host, 1).await;
        assert_eq!(inventory.ports[0].port, port.id);
    }
    let mut bad = ports[0].1.clone();
    bad.address = spec.gateway;
    stage.ensure("node-1-1", &bad, 2).await;
    let report = stage.report(bad.id).await;
    assert_eq!(report.state, PortState::Down);
    assert!(report.fault.unwrap().message.contains("10.9.0.1"));
    worker.terminate();
}

#[test]
fn the_tunnel_reaches_a_guest_from_the_host() {
    use std::io::{Read, Write};
    if !lab::possible() {
        return;
    }
    let mut cloud = lab::Cloud::new();
    let spec = lab::network_spec();
    let port = lab::port(&spec, 2, &[PacketMatch::Tcp(Some((22, 22)))]);
    cloud.converge(vec![cloud.network(std::slice::from_ref(&port))]);
    let guest = Guest::up(&port);
    let listener = skybus_sys::socket::listen(&guest.name, "0.0.0.0:22".parse().unwrap()).unwrap();
    let mut tunnel = std::process::Command::new(env!("CARGO_BIN_EXE_skybus-tunnel"))
        .args([&spec.id.to_string(), "10.9.0.2", "22"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut connection, from) = listener.accept().unwrap();
    assert_eq!(from.ip(), spec.gateway);
    connection
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut stdin = tunnel.stdin.take().unwrap();
    stdin.write_all(b"to the guest").unwrap();
    drop(stdin);
    let mut heard = String::new();
    connection.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "to the guest");
    connection.write_all(b"and back").unwrap();
    drop(connection);
    let out = tunnel.wait_with_output().unwrap();
    assert_eq!(
        (out.stdout.as_slice(), out.status.success()),
        (&b"and back"[..], true)
    );
}
