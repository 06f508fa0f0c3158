//! Five hundred ports come and go on a network while two others speak with each other, and nothing of that
//! is lost. It needs root.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use skybus_model::network::{PacketMatch, PortSpec};

#[cfg(test)]
mod lab;
use lab::{
    Cloud, Guest,
    talk::{converse, filter_lines},
};

/// How many ports come or go with one batch of commands.
const BATCH: usize = 100;

/// A port with an address of its own in the network's wide range.
fn passer(network: &skybus_model::network::NetworkSpec, n: u16) -> PortSpec {
    let [a, b] = n.to_be_bytes();
    let mut port = lab::port(
        network,
        2,
        &[PacketMatch::Tcp(None), PacketMatch::Udp(None)],
    );
    port.mac = format!("fa:16:3e:01:{a:02x}:{b:02x}");
    port.address = (u32::from(network.gateway) + 100 + u32::from(n)).into();
    port
}

#[test]
fn five_hundred_ports_come_and_go_and_no_datagram_between_two_others_is_lost() {
    if !lab::possible() {
        return;
    }
    let mut cloud = Cloud::new();
    let mut spec = lab::network_spec();
    spec.cidr = "10.9.0.0/16".parse().unwrap();
    let two = [2, 3].map(|n| lab::port(&spec, n, &[PacketMatch::Udp(Some((7, 7)))]));
    cloud.converge(vec![cloud.network(&two)]);
    let [asks, answers] = two.each_ref().map(Guest::up);
    let (mouth, ear) = (asks.udp("0.0.0.0:7"), answers.udp("0.0.0.0:7"));
    let over = AtomicBool::new(false);
    let exchanged = thread::scope(|scope| {
        let talk = scope.spawn(|| converse(&mouth, &ear, &over));
        let passers: Vec<PortSpec> = (0..500).map(|n| passer(&spec, n)).collect();
        let mut there: Vec<PortSpec> = two.to_vec();
        // The filter's change is that of a batch, however many ports there are.
        for batch in passers.chunks(BATCH) {
            there.extend_from_slice(batch);
            let changes = cloud.converge(vec![cloud.network(&there)]);
            assert!(filter_lines(&changes) <= BATCH * 30);
        }
        for _ in passers.chunks(BATCH) {
            let gone = there.split_off(there.len() - BATCH);
            let network = cloud.network(&there);
            let doomed = gone
                .iter()
                .map(|port| skybus_model::server::spec::tap(port.id))
                .collect();
            let mut changes = skybus_network::changes::Changes::real();
            cloud
                .linux
                .converge(&network, &doomed, &mut changes)
                .unwrap();
            assert!(filter_lines(changes.list()) <= BATCH * 30);
        }
        over.store(true, Ordering::Relaxed);
        talk.join().unwrap()
    });
    assert!(exchanged > 20, "only {exchanged} datagrams went meanwhile");
    // All of it came to the same as if nothing had ever been there.
    let network = cloud.network(&two);
    cloud.linux = skybus_network::linux::Linux::new(cloud.linux.cloud());
    assert_eq!(cloud.converge(vec![network]), Vec::<String>::new());
}
