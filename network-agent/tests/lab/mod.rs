//! A small laboratory for tests with real packets: guests whose kernel is a network namespace, wired to
//! their port's tap as QEMU would be, so that a frame passes bridge and filter as a real guest's does.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod dhcp;
pub(crate) mod frames;
pub(crate) mod machine;
pub(crate) mod shared;
pub(crate) mod talk;
pub(crate) mod wire;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, UdpSocket},
    os::fd::OwnedFd,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use skybus_model::{
    id::{NetworkId, PortId, ServerId, SubnetId},
    network::{Direction, NetworkSpec, PacketMatch, PortSpec, RuleSpec},
    segment::Segment,
    server::spec,
};
use skybus_network::{
    changes::Changes,
    desired::{Network, Port},
    linux::Linux,
    teardown::{Recorded, teardown},
};
use skybus_sys::{namespace, tap};

/// How long something that should happen may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

static COUNT: AtomicU32 = AtomicU32::new(0);
/// How many machines beyond there have been.
static BEYOND: AtomicU32 = AtomicU32::new(0);

fn unique() -> String {
    format!(
        "{:x}{:x}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A word for a cloud that nothing else on the host has.
pub(crate) fn cloud_name() -> String {
    format!("t{}", unique())
}

/// Whether the tests can be run here; says why, if not.
pub(crate) fn possible() -> bool {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout == b"0\n");
    if !root {
        eprintln!("passed over: making network namespaces needs root");
    }
    root
}

/// A cloud of its own on this host, taken away with the test.
pub(crate) struct Cloud {
    pub(crate) linux: Linux,
    pub(crate) networks: Vec<Network>,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        Self {
            linux: Linux::new(&cloud_name()),
            networks: Vec::new(),
        }
    }

    /// One that answers for floating IPs on the wire.
    pub(crate) fn on(wire: &wire::Wire) -> Self {
        Self {
            linux: Linux::new(&cloud_name()).with_public(Some(&wire.link)),
            networks: Vec::new(),
        }
    }

    /// Brings the host to where `networks` are.
    pub(crate) fn converge(&mut self, networks: Vec<Network>) -> Vec<String> {
        let mut changes = Changes::real();
        for network in &networks {
            self.linux
                .converge(network, &BTreeSet::new(), &mut changes)
                .unwrap();
        }
        self.linux
            .converge_host(&networks, &BTreeSet::new(), &mut changes)
            .unwrap();
        for network in &networks {
            self.linux.plug(network, &mut changes).unwrap();
        }
        self.networks = networks;
        changes.list().to_vec()
    }

    pub(crate) fn network(&self, ports: &[PortSpec]) -> Network {
        Self::network_on(&self.linux, ports)
    }

    fn network_on(linux: &Linux, ports: &[PortSpec]) -> Network {
        let spec = ports[0].network.clone();
        let transit = linux.transit(spec.id, &[]).unwrap();
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
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let mut changes = Changes::real();
        let left = teardown(&self.linux, &Recorded::default(), &mut changes);
        if let Err(error) = left {
            eprintln!("the test's cloud could not be taken away: {error}");
        }
    }
}

pub(crate) fn network_spec() -> NetworkSpec {
    NetworkSpec {
        id: NetworkId::random(),
        subnet: SubnetId::random(),
        cidr: "10.9.0.0/24".parse().unwrap(),
        gateway: Ipv4Addr::new(10, 9, 0, 1),
        dns: vec![Ipv4Addr::new(9, 9, 9, 9)],
        mtu: 1450,
        segment: Segment::Local,
        peers: Vec::new(),
        revision: 1,
    }
}

pub(crate) fn allow(direction: Direction, matches: PacketMatch) -> RuleSpec {
    RuleSpec {
        direction,
        matches,
        remotes: Vec::new(),
    }
}

/// The port .N of the network; everything out, and in what `ingress` says.
pub(crate) fn port(network: &NetworkSpec, n: u8, ingress: &[PacketMatch]) -> PortSpec {
    let [a, b, c, _] = network.gateway.octets();
    let mut rules = vec![allow(Direction::Egress, PacketMatch::Any)];
    rules.extend(ingress.iter().map(|m| allow(Direction::Ingress, m.clone())));
    PortSpec {
        id: PortId::random(),
        server: ServerId::random(),
        network: network.clone(),
        mac: format!("fa:16:3e:00:00:{n:02x}"),
        address: Ipv4Addr::new(a, b, c, n),
        floating: Vec::new(),
        hostname: format!("vm-{n}"),
        rules,
    }
}

/// A guest: a kernel in a namespace, wired to the port's tap.
pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) port: PortSpec,
}

impl Guest {
    /// Plugged in, but without an address: DHCP has not been asked. A tap takes one guest only, once.
    pub(crate) fn plugged(port: &PortSpec) -> Self {
        Self::plugged_into(&spec::namespace(port.network.id), port)
    }

    /// The same, where the network's namespace has another name.
    pub(crate) fn plugged_into(network: &str, port: &PortSpec) -> Self {
        let guest = Self {
            name: format!("guest-{}", unique()),
            port: port.clone(),
        };
        namespace::make(&guest.name).unwrap();
        tap::make(&guest.name, "eth0", None).unwrap();
        guest.ip(&format!(
            "link set eth0 address {} mtu {}",
            port.mac, port.network.mtu
        ));
        guest.ip("link set lo up");
        let far = hold(network, &spec::tap(port.id));
        let near = hold(&guest.name, "eth0");
        wire(File::from(near), File::from(far));
        guest.ip("link set eth0 up");
        forwards(network, &spec::tap(port.id));
        guest
    }

    /// Gives it the address and the way out that DHCP would have given.
    pub(crate) fn settle(&self) {
        let (address, network) = (self.port.address, &self.port.network);
        self.ip(&format!(
            "address add {address}/{} dev eth0",
            network.cidr.prefix_len()
        ));
        self.ip(&format!("route add default via {}", network.gateway));
    }

    /// Plugged into a network whose namespace has this name, and settled.
    pub(crate) fn up_in(network: &str, port: &PortSpec) -> Self {
        let guest = Self::plugged_into(network, port);
        guest.settle();
        guest
    }

    /// What it knows of its neighbours: its ARP table.
    pub(crate) fn neighbours(&self) -> String {
        namespace::inside(&self.name, || {
            std::fs::read_to_string("/proc/thread-self/net/arp")
        })
        .unwrap()
    }

    /// Plugged in and settled.
    pub(crate) fn up(port: &PortSpec) -> Self {
        let guest = Self::plugged(port);
        guest.settle();
        guest
    }

    pub(crate) fn ip(&self, line: &str) {
        ip(&self.name, line);
    }

    pub(crate) fn udp(&self, address: &str) -> UdpSocket {
        let socket = namespace::inside(&self.name, || UdpSocket::bind(address)).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // With its tap gone the wire's threads end, and with them the last hold on the namespace.
        let _ = Command::new("ip")
            .args(["-n", &self.name, "link", "delete", "eth0"])
            .status();
        let _ = namespace::delete(&self.name);
    }
}

fn wire(near: File, far: File) {
    let (near2, far2) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    for (mut from, mut to) in [(near, far2), (far, near2)] {
        thread::spawn(move || {
            let mut frame = [0; 70_000];
            while let Ok(length) = from.read(&mut frame) {
                // A tap that is down, or gone, takes nothing.
                let _ = to.write(&frame[..length]);
            }
        });
    }
}

pub(crate) fn ip(namespace: &str, line: &str) {
    let out = Command::new("ip")
        .args(["-n", namespace])
        .args(line.split(' '))
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "ip {line}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// The other end of a tap. Whoever made it has let go of it, but a process that was started in that moment by
/// another test holds it until it has become its program.
pub(crate) fn hold(namespace: &str, name: &str) -> OwnedFd {
    let mut held = None;
    eventually("the tap's end", || match tap::open(namespace, name) {
        Ok(end) => {
            held = Some(end);
            true
        }
        Err(error) if error.kind() == ErrorKind::ResourceBusy => false,
        Err(error) => panic!("{error}"),
    });
    held.unwrap()
}

/// Waits until a bridge passes frames of this link on, which is a moment after somebody holds its other end.
pub(crate) fn forwards(namespace: &str, link: &str) {
    eventually("the bridge's passing on", || {
        let shown = machine::run("ip", &["-n", namespace, "-d", "link", "show", link]);
        shown.contains("state forwarding")
    });
}

/// Waits until `holds`, looking again a few times a second.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < SOON,
            "{what} did not come about in {SOON:?}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// A machine beyond the host, which knows no way to any network of a cloud.
pub(crate) struct Beyond {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) host: Ipv4Addr,
    link: String,
}

impl Beyond {
    pub(crate) fn new() -> Self {
        let (name, link) = (format!("beyond-{}", unique()), format!("by{}", unique()));
        // TEST-NET-2, cut small, so that tests side by side do not meet.
        let start = u8::try_from(BEYOND.fetch_add(1, Ordering::Relaxed) % 60 * 4).unwrap();
        let [host, address] = [1, 2].map(|n| Ipv4Addr::new(198, 51, 100, start + n));
        namespace::make(&name).unwrap();
        let lines = format!(
            "link add {link} type veth peer name eth0 netns {name}\n\
             address add {host}/30 dev {link}\nlink set {link} up\n"
        );
        skybus_network::program::ip(skybus_network::program::Place::Host, &lines).unwrap();
        ip(&name, &format!("address add {address}/30 dev eth0"));
        ip(&name, "link set eth0 up");
        Self {
            name,
            address,
            host,
            link,
        }
    }
}

impl Drop for Beyond {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["link", "delete", &self.link])
            .status();
        let _ = namespace::delete(&self.name);
    }
}

/// The next datagram that arrives at `to`, as text.
pub(crate) fn heard(to: &UdpSocket) -> String {
    let mut buffer = [0; 64];
    loop {
        match to.recv_from(&mut buffer) {
            Ok((length, _)) => return String::from_utf8_lossy(&buffer[..length]).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => panic!("nothing arrived: {error}"),
        }
    }
}

/// Everything on the host that a network worker could have left: namespaces, links, rules, processes,
/// files.
pub(crate) fn traces() -> String {
    let commands: [&[&str]; 5] = [
        &["ip", "netns"],
        &["ip", "-details", "address"],
        &["nft", "list", "ruleset"],
        &["ps", "-C", "dnsmasq", "-o", "args"],
        &["ls", "/run"],
    ];
    let all = commands.map(|words| {
        let out = Command::new(words[0]).args(&words[1..]).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    });
    all.join("\n")
}
