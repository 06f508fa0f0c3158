//! Networks and ports for this crate's tests.

use skybus_model::{
    id::{PortId, ServerId, SubnetId},
    network::{Direction, NetworkSpec, PacketMatch, PortSpec, RuleSpec},
    segment::Segment,
};
use std::net::Ipv4Addr;

use crate::{
    desired::{Network, Port},
    transit::Transit,
};

/// 10.9.0.0/23 with the gateway 10.9.0.1, always the same id.
pub(crate) fn network_spec() -> NetworkSpec {
    NetworkSpec {
        id: "0c0c0c0c-0c0c-4c0c-8c0c-0c0c0c0c0c0c".parse().unwrap(),
        subnet: "0e0e0e0e-0e0e-4e0e-8e0e-0e0e0e0e0e0e"
            .parse::<SubnetId>()
            .unwrap(),
        cidr: "10.9.0.0/23".parse().unwrap(),
        gateway: Ipv4Addr::new(10, 9, 0, 1),
        dns: vec![Ipv4Addr::new(9, 9, 9, 9)],
        mtu: 1500,
        segment: Segment::Local,
        peers: Vec::new(),
        revision: 1,
    }
}

/// The port 10.9.0.N: everything out, nothing in.
pub(crate) fn port(n: u8) -> PortSpec {
    PortSpec {
        id: format!("{n:02x}0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a")
            .parse::<PortId>()
            .unwrap(),
        server: "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"
            .parse::<ServerId>()
            .unwrap(),
        network: network_spec(),
        mac: format!("fa:16:3e:00:00:{n:02x}"),
        address: Ipv4Addr::new(10, 9, 0, n),
        floating: Vec::new(),
        hostname: format!("vm-{n}"),
        rules: vec![RuleSpec {
            direction: Direction::Egress,
            matches: PacketMatch::Any,
            remotes: Vec::new(),
        }],
    }
}

/// The network with these ports.
pub(crate) fn network(ports: &[PortSpec]) -> Network {
    let spec = ports
        .first()
        .map_or_else(network_spec, |port| port.network.clone());
    let transit = Transit::choose(spec.id, &[]).unwrap();
    let ports = ports
        .iter()
        .map(|spec| (spec.id, Port::try_from(spec).unwrap()))
        .collect();
    Network {
        spec,
        transit,
        ports,
    }
}

/// Whether this process may make namespaces; says so when it may not, since the test then shows nothing.
pub(crate) fn root(what: &str) -> bool {
    let uid = std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| {
            Some(
                text.split("Uid:")
                    .nth(1)?
                    .split_whitespace()
                    .nth(1)?
                    .to_owned(),
            )
        });
    let root = uid.as_deref() == Some("0");
    if !root {
        eprintln!("passed over: {what} needs root");
    }
    root
}
