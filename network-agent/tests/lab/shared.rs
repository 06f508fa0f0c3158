//! Networks that several machines share: what they are, who is on them, and how these speak.

use std::net::Ipv4Addr;

use skybus_model::{
    network::{NetworkSpec, PacketMatch, PortSpec},
    segment::{Segment, SegmentKind},
};
use skybus_network::links::GATEWAY_MAC;

use super::{
    Guest, eventually,
    frames::{Frame, mac},
    heard,
    machine::{Hub, Machine},
    network_spec, port, possible,
    talk::SSH,
};

pub(crate) const UDP_7: PacketMatch = PacketMatch::Udp(Some((7, 7)));

/// The n-th machine of a wire, with an address on it.
pub(crate) fn tunnel_end(hub: &Hub, n: u8) -> Machine {
    let mut machine = Machine::new();
    hub.plug(&machine, "eth1");
    let own = Ipv4Addr::new(192, 0, 2, n);
    machine.ip(&format!("address add {own}/24 dev eth1"));
    machine.tunnel = Some(own);
    machine
}

pub(crate) fn vxlan(vni: u32, peers: &[&Machine]) -> NetworkSpec {
    let mut spec = network_spec();
    let vni = vni.try_into().unwrap();
    spec.segment = Segment::Vxlan { vni };
    spec.peers = peers.iter().filter_map(|machine| machine.tunnel).collect();
    spec
}

pub(crate) fn with_peers(port: &PortSpec, peers: &[&Machine]) -> PortSpec {
    let mut port = port.clone();
    port.network.peers = peers.iter().filter_map(|machine| machine.tunnel).collect();
    port
}

pub(crate) fn bring(machine: &Machine, ports: &[PortSpec]) -> Vec<String> {
    let done = machine.converge(ports);
    assert_eq!(done.error, None, "{:#?}", done.changes);
    done.changes
}

/// Something is said from one guest to the other, and answered.
pub(crate) fn speak(from: &Guest, to: &Guest) {
    let (mouth, ear) = (from.udp("0.0.0.0:5000"), to.udp("0.0.0.0:7"));
    mouth.send_to(b"hello", (to.port.address, 7)).unwrap();
    assert_eq!(heard(&ear), "hello");
    ear.send_to(b"you too", (from.port.address, 5000)).unwrap();
    assert_eq!(heard(&mouth), "you too");
}

/// Two hosts on a wire that is one physical network, each with a guest of a network that is carried there.
pub(crate) struct Pair {
    pub(crate) hub: Hub,
    pub(crate) machines: [Machine; 2],
    pub(crate) spec: NetworkSpec,
    pub(crate) ports: [PortSpec; 2],
}

impl Pair {
    /// Nothing when this host cannot carry such a segment; then it says why.
    pub(crate) fn new(segment: Segment) -> Option<Self> {
        if !possible() {
            return None;
        }
        let mut machines = [Machine::new(), Machine::new()];
        let hub = Hub::new();
        for machine in &mut machines {
            hub.plug(machine, "eth1");
            machine.physical = [("lab".to_owned(), "eth1".to_owned())].into();
        }
        if let Some(why) = machines[0].carries().refusal(&segment) {
            eprintln!("passed over: {why}");
            assert_ne!(
                segment.kind(),
                SegmentKind::Flat,
                "any kernel with macvlan carries that"
            );
            return None;
        }
        let mut spec = network_spec();
        (spec.segment, spec.mtu) = (segment, 1500);
        let ports = [2, 3].map(|n| port(&spec, n, &[UDP_7, SSH]));
        for (machine, port) in machines.iter().zip(&ports) {
            bring(machine, std::slice::from_ref(port));
        }
        Some(Self {
            hub,
            machines,
            spec,
            ports,
        })
    }

    pub(crate) fn guests(&mut self) -> [Guest; 2] {
        let [one, two] = &mut self.machines;
        [
            Guest::up_in(&one.inside(&self.spec), &self.ports[0]),
            Guest::up_in(&two.inside(&self.spec), &self.ports[1]),
        ]
    }
}

pub(crate) fn flat() -> Segment {
    Segment::Flat {
        physical: "lab".parse().unwrap(),
    }
}

pub(crate) fn vlan(id: u32) -> Segment {
    vlan_on("lab", id)
}

pub(crate) fn vlan_on(physical: &str, id: u32) -> Segment {
    Segment::Vlan {
        physical: physical.parse().unwrap(),
        id: id.try_into().unwrap(),
    }
}

/// The guest asks for the gateway under both of its addresses, and is answered.
pub(crate) fn know_the_gateway(guest: &Guest) {
    guest.ip("route add 169.254.169.254/32 dev eth0");
    for address in ["10.9.0.1", "169.254.169.254"] {
        knows(guest, address, GATEWAY_MAC);
    }
}

pub(crate) fn knows(guest: &Guest, address: &str, mac: &str) {
    guest
        .udp("0.0.0.0:0")
        .send_to(b"?", format!("{address}:9"))
        .unwrap();
    eventually("an answer to ARP", || {
        let known = guest.neighbours();
        let line = known
            .lines()
            .find(|line| line.starts_with(&format!("{address} ")));
        line.is_some_and(|line| line.contains(mac))
    });
}

/// What is the gateway's, or asks for it, or is DHCP's.
pub(crate) fn of_gateway(frame: &Frame) -> bool {
    let special = [
        Ipv4Addr::new(10, 9, 0, 1),
        Ipv4Addr::new(169, 254, 169, 254),
    ];
    let its = mac(GATEWAY_MAC);
    frame.from() == its
        || frame.to() == its
        || frame
            .arp()
            .is_some_and(|all| all.iter().any(|ip| special.contains(ip)))
        || frame.udp_to().is_some_and(|port| [67, 68].contains(&port))
}
