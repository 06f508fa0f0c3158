//! What is made on a host is served, found again, repaired, and taken away without a trace. It needs
//! root.

use std::{collections::BTreeSet, fs};

use skybus_model::{network::PacketMatch, server::spec};
use skybus_network::{
    changes::Changes,
    linux::Linux,
    program::{Place, ip, nft},
    teardown::{Recorded, teardown},
};
use skybus_sys::{namespace, process};

#[cfg(test)]
mod lab;
use lab::{Cloud, Guest, dhcp::Lease, traces};

#[test]
fn a_machine_gets_its_address_and_an_address_can_move_to_another_machine() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let spec = lab::network_spec();
    let (a, b) = (lab::port(&spec, 2, &[]), lab::port(&spec, 3, &[]));
    cloud.converge(vec![cloud.network(std::slice::from_ref(&a))]);
    let guest = Guest::plugged(&a);
    let lease = Lease::ask(&guest);
    assert_eq!(lease.address, a.address);
    assert_eq!(lease.server, spec.gateway);
    assert_eq!(lease.options[&3], spec.gateway.octets());
    assert_eq!(lease.options[&6], [9, 9, 9, 9]);
    assert_eq!(lease.options[&12], b"vm-2");
    assert_eq!(lease.options[&26], spec.mtu.to_be_bytes());

    // Another machine comes: told by a signal, the same process goes on.
    let dnsmasq = cloud.linux.dnsmasq(&spec::namespace(spec.id));
    let before = dnsmasq.running().unwrap();
    cloud.converge(vec![cloud.network(&[a.clone(), b.clone()])]);
    let second = Guest::plugged(&b);
    assert_eq!(Lease::ask(&second).address, b.address);
    assert_eq!(dnsmasq.running(), Some(before));

    // The address moves to another machine while the first one's lease has not ended.
    drop(second);
    let mut heir = lab::port(&spec, 9, &[]);
    heir.address = b.address;
    cloud.converge(vec![cloud.network(&[a, heir.clone()])]);
    assert_eq!(Lease::ask(&Guest::plugged(&heir)).address, b.address);
}

#[test]
fn a_machine_is_served_though_its_worker_died_before_dhcp_was_told() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let spec = lab::network_spec();
    let (a, b) = (lab::port(&spec, 2, &[]), lab::port(&spec, 3, &[]));
    cloud.converge(vec![cloud.network(std::slice::from_ref(&a))]);
    // The list is written, and then there is nobody to give the signal.
    let both = cloud.network(&[a, b.clone()]);
    let list = cloud
        .linux
        .run_directory()
        .join(both.namespace())
        .join("machines");
    fs::write(list, skybus_network::dhcp::machines(&both)).unwrap();
    cloud.converge(vec![both.clone()]);
    assert_eq!(Lease::ask(&Guest::plugged(&b)).address, b.address);
    assert_eq!(cloud.converge(vec![both]), Vec::<String>::new());
}

#[test]
fn doing_it_again_changes_nothing_and_drift_is_repaired() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let spec = lab::network_spec();
    let ports = [2, 3].map(|n| lab::port(&spec, n, &[PacketMatch::Tcp(Some((22, 22)))]));
    let network = cloud.network(&ports);
    let first = cloud.converge(vec![network.clone()]);
    assert!(!first.is_empty());
    // A worker that was started afresh knows nothing of what the former one did.
    cloud.linux = Linux::new(cloud.linux.cloud());
    assert_eq!(cloud.converge(vec![network.clone()]), Vec::<String>::new());

    let name = network.namespace();
    let inside = Place::Namespace(&name);
    ip(
        inside,
        &format!("link set {} nomaster\n", spec::tap(ports[0].id)),
    )
    .unwrap();
    ip(
        inside,
        "address delete 10.9.0.1/24 dev br0\nlink set transit down\n",
    )
    .unwrap();
    nft(
        inside,
        &format!("flush chain inet skybus in_{}\n", spec::tap(ports[1].id)),
    )
    .unwrap();
    nft(inside, "delete table bridge skybus\n").unwrap();
    // A rehearsal names all of it and touches nothing.
    let mut rehearsal = Changes::rehearsal();
    cloud
        .linux
        .converge(&network, &BTreeSet::new(), &mut rehearsal)
        .unwrap();
    let mut again = Changes::rehearsal();
    cloud
        .linux
        .converge(&network, &BTreeSet::new(), &mut again)
        .unwrap();
    assert_eq!(rehearsal.list(), again.list());
    let repaired = cloud.converge(vec![network.clone()]);
    assert_eq!(repaired, rehearsal.list());
    assert!(repaired.len() >= 5, "{repaired:#?}");
    assert_eq!(cloud.converge(vec![network.clone()]), Vec::<String>::new());

    // A change of what somebody took away does not fit; that is said, and all of it is made anew.
    nft(inside, "delete table bridge skybus\n").unwrap();
    let network = cloud.network(&[ports[0].clone(), lab::port(&spec, 4, &[])]);
    let changes = cloud.converge(vec![network.clone()]);
    let said = changes
        .iter()
        .filter(|change| change.contains("did not fit"));
    assert_eq!(said.count(), 1, "{changes:#?}");
    assert_eq!(cloud.converge(vec![network]), Vec::<String>::new());
}

#[test]
fn a_dnsmasq_that_died_is_brought_back_and_one_that_lives_is_adopted() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let spec = lab::network_spec();
    let port = lab::port(&spec, 2, &[]);
    let network = cloud.network(std::slice::from_ref(&port));
    cloud.converge(vec![network.clone()]);
    let dnsmasq = cloud.linux.dnsmasq(&network.namespace());
    let first = dnsmasq.running().unwrap();
    process::end(first, lab::SOON).unwrap();
    assert_eq!(dnsmasq.running(), None);
    cloud.converge(vec![network.clone()]);
    let second = dnsmasq.running().unwrap();
    assert_ne!(first, second);
    assert_eq!(Lease::ask(&Guest::plugged(&port)).address, port.address);

    // With its pid file lost it is still not left behind beside a new one.
    fs::remove_file(
        cloud
            .linux
            .run_directory()
            .join(network.namespace())
            .join("pid"),
    )
    .unwrap();
    cloud.converge(vec![network.clone()]);
    let all = namespace::processes(&network.namespace()).unwrap();
    assert_eq!(all, [dnsmasq.running().unwrap()]);
}

#[test]
fn a_network_goes_with_its_last_port_and_leaves_no_trace() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let specs = [lab::network_spec(), lab::network_spec()];
    let ports = specs.each_ref().map(|spec| lab::port(spec, 2, &[]));
    let networks = ports
        .each_ref()
        .map(|port| cloud.network(std::slice::from_ref(port)));
    cloud.converge(networks.to_vec());
    let [gone, stays] = networks
        .each_ref()
        .map(skybus_network::desired::Network::namespace);
    let guest = Guest::up(&ports[0]);
    cloud.linux.remove(&gone, &mut Changes::real()).unwrap();
    // The host's rules name the links of all networks that are left.
    cloud
        .linux
        .converge_host(&networks[1..], &BTreeSet::new(), &mut Changes::real())
        .unwrap();
    drop(guest);
    assert!(!namespace::exists(&gone) && namespace::exists(&stays));
    assert!(!traces().contains(&gone.replacen("skybus-", "sbt", 1)));
    // Again, and of one that never was.
    let mut changes = Changes::real();
    cloud.linux.remove(&gone, &mut changes).unwrap();
    cloud
        .linux
        .remove("skybus-000000000000", &mut changes)
        .unwrap();
    assert_eq!(changes.list(), Vec::<String>::new());
}

#[test]
fn teardown_leaves_the_host_as_it_was_and_other_clouds_alone_even_without_records() {
    if !lab::possible() {
        return;
    }
    let mut other = Cloud::new();
    let spec = lab::network_spec();
    other.converge(vec![other.network(&[lab::port(&spec, 2, &[])])]);
    let mut cloud = Cloud::new();
    let mine = [lab::network_spec(), lab::network_spec()];
    let networks = mine
        .each_ref()
        .map(|spec| cloud.network(&[lab::port(spec, 2, &[])]));
    cloud.converge(networks.to_vec());
    // Half of one network is already gone, as after a crash in the middle.
    namespace::delete(&networks[1].namespace()).unwrap();

    // A rehearsal changes nothing.
    let mut rehearsal = Changes::rehearsal();
    teardown(&cloud.linux, &Recorded::default(), &mut rehearsal).unwrap();
    assert!(namespace::exists(&networks[0].namespace()));
    assert!(!rehearsal.list().is_empty());

    let mut changes = Changes::real();
    teardown(
        &Linux::new(cloud.linux.cloud()),
        &Recorded::default(),
        &mut changes,
    )
    .unwrap();
    let traces = traces();
    for mine in [
        cloud.linux.cloud(),
        &networks[0].namespace()[7..],
        &networks[1].namespace()[7..],
    ] {
        assert!(!traces.contains(mine), "{mine} is still in\n{traces}");
    }
    assert!(
        other
            .linux
            .dnsmasq(&other.networks[0].namespace())
            .running()
            .is_some()
    );
    assert_eq!(other.converge(other.networks.clone()), Vec::<String>::new());
    let mut nothing = Changes::real();
    teardown(&cloud.linux, &Recorded::default(), &mut nothing).unwrap();
    assert_eq!(nothing.list(), Vec::<String>::new());
}
