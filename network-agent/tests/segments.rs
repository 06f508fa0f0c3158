//! The program itself and networks that several hosts share: what it says it carries, and what it answers about
//! what it cannot.

use skybus_model::{
    message::event::PortState,
    network::{NetworkSpec, PacketMatch, PortSpec},
    segment::{Segment, SegmentKind},
    server::spec,
};
use skybus_sys::namespace;

#[cfg(test)]
mod lab;
#[cfg(test)]
mod stage;
use lab::shared::{vlan_on, vxlan};
use stage::Stage;

fn on(segment: Segment) -> NetworkSpec {
    NetworkSpec {
        segment,
        ..lab::network_spec()
    }
}

fn vlan(physical: &str) -> NetworkSpec {
    on(vlan_on(physical, 100))
}

/// What it answers about a port of this network.
async fn answered(stage: &mut Stage, host: &str, port: &PortSpec) -> Result<(), String> {
    stage.ensure(host, port, 1).await;
    let report = stage.report(port.id).await;
    match (report.state, report.fault) {
        (PortState::Up, None) => Ok(()),
        (PortState::Down, Some(fault)) => Err(fault.details),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn imagined_hosts_carry_what_they_are_told_to_and_refuse_the_rest() {
    let mut stage = Stage::fake(2).await;
    stage.configure("tunnel_address = \"192.0.2.9\"\nphysical = { trunk = \"eth1\" }");
    let mut worker = stage.worker();
    for (host, own) in [("node-1-1", [192, 0, 2, 9]), ("node-1-2", [192, 0, 2, 10])] {
        let beat = stage.beat(host, |_| true).await;
        assert_eq!(beat.carries.tunnel, Some(own.into()));
        assert!(beat.carries.vlan.contains(&"trunk".parse().unwrap()));
        assert_eq!(beat.carries.flat, beat.carries.vlan);
    }
    for (network, refusal) in [
        (vlan("trunk"), None),
        (vxlan(77, &[]), None),
        (vlan("other"), Some("cannot carry VLAN 100 on other")),
    ] {
        let answer = answered(&mut stage, "node-1-1", &lab::port(&network, 2, &[])).await;
        match refusal {
            None => assert_eq!(answer, Ok(())),
            Some(words) => assert!(answer.unwrap_err().contains(words)),
        }
    }
    worker.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_says_what_it_lacks_and_makes_nothing_of_a_network_that_it_cannot_carry() {
    if !lab::possible() {
        return;
    }
    let mut stage = Stage::linux().await;
    // TEST-NET-1: no host has that.
    stage.configure("tunnel_address = \"192.0.2.9\"\nphysical = { trunk = \"nothere0\" }");
    let mut worker = stage.worker();
    let carries = stage.beat("node-1", |_| true).await.carries;
    assert_eq!(
        (carries.tunnel, carries.flat.len(), carries.vlan.len()),
        (None, 0, 0)
    );
    assert!(
        carries.lacks[&SegmentKind::Vxlan].contains("192.0.2.9"),
        "{carries:?}"
    );
    assert!(
        carries.lacks[&SegmentKind::Flat].contains("nothere0"),
        "{carries:?}"
    );
    for network in [vlan("trunk"), vxlan(77, &[])] {
        let port = lab::port(&network, 2, &[]);
        let why = answered(&mut stage, "node-1", &port).await.unwrap_err();
        assert!(why.starts_with("node-1: it cannot carry"), "{why}");
        assert!(!namespace::exists(&spec::namespace(network.id)));
    }
    worker.terminate();
    assert!(!lab::traces().contains(&stage.cloud), "{}", lab::traces());
}

/// A network that is here, and whose wire goes: nobody can do anything about a cable that was pulled.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_cut_off_from_other_hosts_is_served_here_and_told_as_down_until_the_cable_is_back() {
    if !lab::possible() {
        return;
    }
    let wire = lab::wire::Wire::new();
    let mut stage = Stage::linux().await;
    let address = format!("{}/28", wire.host);
    lab::machine::run("ip", &["address", "delete", &address, "dev", &wire.link]);
    stage.configure(&format!("physical = {{ lab = \"{}\" }}", wire.link));
    let mut worker = stage.worker();
    let network = on(Segment::Flat {
        physical: "lab".parse().unwrap(),
    });
    let mut port = lab::port(&network, 2, &[]);
    let beat = stage
        .beat("node-1", |beat| !beat.carries.flat.is_empty())
        .await;
    assert!(
        beat.carries
            .lacks
            .keys()
            .all(|kind| *kind == SegmentKind::Vlan),
        "{beat:?}"
    );
    assert_eq!(answered(&mut stage, "node-1", &port).await, Ok(()));
    let inside = spec::namespace(network.id);
    let plugged = || lab::machine::run("ip", &["-n", &inside, "-o", "link"]).contains(" wire");
    assert!(plugged());

    lab::machine::run("ip", &["link", "set", &wire.link, "down"]);
    stage
        .beat("node-1", |beat| beat.carries.flat.is_empty())
        .await;
    // Its rules change nevertheless.
    port.rules.push(lab::allow(
        skybus_model::network::Direction::Ingress,
        PacketMatch::Udp(Some((4711, 4711))),
    ));
    stage.ensure("node-1", &port, 2).await;
    let report = stage.report(port.id).await;
    assert_eq!((report.state, report.generation.0), (PortState::Down, 2));
    assert!(report.fault.unwrap().details.contains("is down"));
    let rules = || {
        let words = [
            "netns", "exec", &inside, "nft", "list", "table", "inet", "skybus",
        ];
        lab::machine::run("ip", &words)
    };
    assert!(rules().contains("4711"));
    assert!(stage.health().contains("is down"), "{}", stage.health());

    lab::machine::run("ip", &["link", "set", &wire.link, "up"]);
    stage
        .beat("node-1", |beat| !beat.carries.flat.is_empty())
        .await;
    // What it was told meanwhile is in its records: the next worker goes by that, and says so at once.
    worker.terminate();
    let mut worker = stage.worker();
    while stage.inventory("node-1", 1).await.ports[0].generation.0 != 2 {}
    assert!(rules().contains("4711"), "it was forgotten");
    assert!(plugged());
    stage.remove("node-1", &port, 3).await;
    assert_eq!(stage.report(port.id).await.state, PortState::Absent);
    let left = lab::machine::run("ip", &["-d", "link", "show", &wire.link]);
    assert!(left.contains("promiscuity 0"), "{left}");
    worker.terminate();
}
