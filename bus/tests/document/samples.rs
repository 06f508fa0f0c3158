//! One of each message, with everything filled in.

use serde_json::{Value, to_value};
use skybus_model::{
    Fault, FaultCode, Generation, HostName, Order, Timestamp,
    host::Resources,
    id::{ImageId, NetworkId, OperationId, PortId, ProjectId, ServerId, SubnetId, UserId},
    image::DiskFormat,
    message::{
        Call, Command, Event, Message,
        call::{ConsoleTail, NetworkPlan},
        command::{PortEnsure, PortRemove, ServerEnsure, ServerPlace, ServerRemove},
        event::{
            ComputeInventory, NetworkInventory, PortFact, PortReport, PortState, ServerFact,
            ServerReport,
        },
        heartbeat::HostBeat,
        type_of,
    },
    network::{Direction, NetworkSpec, PacketMatch, PortSpec, RuleSpec},
    operation::Hop,
    segment::{Carries, Segment},
    server::{Desired, ImageSource, Nic, Power, Restart, ServerSpec},
};

pub(crate) struct Sample {
    pub(crate) type_name: &'static str,
    /// `server.ensure/1`.
    pub(crate) kind: String,
    pub(crate) exchange: &'static str,
    pub(crate) key: String,
    pub(crate) json: Value,
}

pub(crate) fn all() -> Vec<Sample> {
    let mut samples = commands();
    samples.extend(events());
    samples.push(Sample::new(
        "skybus.beat",
        "compute.HOST",
        beat(),
        "HostBeat",
    ));
    let tail = ConsoleTail {
        server: ServerId::random(),
        lines: Some(50),
    };
    samples.push(Sample::new(
        "skybus.call",
        &host_key(ConsoleTail::TO),
        tail,
        "ConsoleTail",
    ));
    samples.push(Sample::new(
        "skybus.call",
        &host_key(NetworkPlan::TO),
        NetworkPlan {},
        "NetworkPlan",
    ));
    samples
}

impl Sample {
    fn new<M: Message>(exchange: &'static str, to: &str, message: M, name: &'static str) -> Self {
        Self {
            type_name: name,
            kind: type_of::<M>(),
            exchange,
            key: format!("{to}.{}", M::NAME),
            json: to_value(&message).unwrap(),
        }
    }

    fn command<C: Command>(message: C, name: &'static str) -> Self {
        Self::new("skybus.cmd", &host_key(C::TO), message, name)
    }

    fn event<E: Event>(message: E, name: &'static str) -> Self {
        Self::new("skybus.evt", &host_key(E::FROM), message, name)
    }
}

fn host_key(service: skybus_model::message::Service) -> String {
    match service {
        skybus_model::message::Service::Scheduler => "scheduler.any".to_owned(),
        other => format!("{other}.HOST"),
    }
}

fn commands() -> Vec<Sample> {
    let (operation, generation) = (Some(OperationId::random()), Generation(1));
    let (server, port) = (ServerId::random(), PortId::random());
    vec![
        Sample::command(
            ServerPlace {
                operation: OperationId::random(),
                server,
            },
            "ServerPlace",
        ),
        Sample::command(
            ServerEnsure {
                operation,
                generation,
                desired: Desired::Running,
                restart: Some(Restart::Soft),
                spec: server_spec(),
                deadline: Timestamp::now(),
            },
            "ServerEnsure",
        ),
        Sample::command(
            ServerRemove {
                operation,
                server,
                generation,
            },
            "ServerRemove",
        ),
        Sample::command(
            PortEnsure {
                operation,
                generation,
                spec: port_spec(),
            },
            "PortEnsure",
        ),
        Sample::command(
            PortRemove {
                operation,
                port,
                network: NetworkId::random(),
                generation,
            },
            "PortRemove",
        ),
    ]
}

fn events() -> Vec<Sample> {
    let (operation, generation, order) = (None, Generation(1), Order { epoch: 1, seq: 1 });
    let (server, port) = (ServerId::random(), PortId::random());
    let fault = Some(Fault::new(FaultCode::DiskFull, "the disk is full"));
    let hops = vec![Hop::now("compute@a", "image ready", "")];
    let host = host();
    vec![
        Sample::event(
            ServerReport {
                server,
                operation,
                generation,
                order,
                host: host.clone(),
                power: Power::Running,
                fault: fault.clone(),
                hops: hops.clone(),
            },
            "ServerReport",
        ),
        Sample::event(
            PortReport {
                port,
                operation,
                generation,
                order,
                host: host.clone(),
                state: PortState::Up,
                fault,
                hops,
            },
            "PortReport",
        ),
        Sample::event(
            ComputeInventory {
                host: host.clone(),
                order,
                servers: vec![ServerFact {
                    server,
                    generation,
                    power: Power::Running,
                    busy: false,
                }],
            },
            "ComputeInventory",
        ),
        Sample::event(
            NetworkInventory {
                host,
                order,
                ports: vec![PortFact {
                    port,
                    network: NetworkId::from_uuid(port.uuid()),
                    generation,
                }],
            },
            "NetworkInventory",
        ),
    ]
}

fn host() -> HostName {
    "node-1".parse().unwrap()
}

fn beat() -> HostBeat {
    HostBeat {
        host: host(),
        service: "compute".to_owned(),
        zone: "nova".to_owned(),
        order: Order { epoch: 1, seq: 1 },
        at: Timestamp::now(),
        capacity: Resources::default(),
        free: Resources::default(),
        hypervisor: "kvm".to_owned(),
        version: "0.1.0".to_owned(),
        carries: Carries::default(),
    }
}

fn server_spec() -> ServerSpec {
    ServerSpec {
        id: ServerId::random(),
        project: ProjectId::random(),
        user: UserId::random(),
        name: "hello".to_owned(),
        flavor: "m1.tiny".to_owned(),
        resources: Resources::default(),
        image: ImageSource {
            id: ImageId::random(),
            format: DiskFormat::Qcow2,
            size: 1,
            sha512: String::new(),
            path: String::new(),
        },
        nics: vec![Nic {
            port: PortId::random(),
            network: NetworkId::random(),
            mac: String::new(),
            address: "10.1.0.3".parse().unwrap(),
            place: Some(0),
        }],
        config_drive: None,
    }
}

fn port_spec() -> PortSpec {
    PortSpec {
        id: PortId::random(),
        server: ServerId::random(),
        network: NetworkSpec {
            id: NetworkId::random(),
            subnet: SubnetId::random(),
            cidr: "10.1.0.0/23".parse().unwrap(),
            gateway: "10.1.0.1".parse().unwrap(),
            dns: vec![],
            mtu: 1500,
            segment: Segment::Local,
            peers: Vec::new(),
            revision: 1,
        },
        mac: String::new(),
        address: "10.1.0.3".parse().unwrap(),
        floating: vec!["172.17.1.7".parse().unwrap()],
        hostname: "hello".to_owned(),
        rules: vec![RuleSpec {
            direction: Direction::Ingress,
            matches: PacketMatch::Tcp(Some((22, 22))),
            remotes: vec![],
        }],
    }
}
