//! Several hosts on this one: each a machine with a network namespace of its own and, because a network's
//! namespace has the same name on every host, with a place of its own for names of namespaces. What a worker
//! would do on it is done by this test program, started once more in there: a worker without any memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde::{Deserialize, Serialize};
use skybus_model::{
    network::{NetworkSpec, PortSpec},
    segment::{Carries, Segment},
    server::spec,
};
use skybus_network::{
    carries::Wiring,
    changes::Changes,
    failure::Error,
    linux::Linux,
    teardown::{Recorded, teardown},
    wire::WIRE,
};
use skybus_sys::{namespace, tap};

use super::{Cloud, cloud_name, ip, unique};

/// Where the test program that is started in a machine finds what it is to do.
const ORDER: &str = "SKYBUS_TEST_ORDER";

/// What is to be done on a machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Order {
    /// Bring it to where these ports are.
    Converge(Vec<PortSpec>),
    /// Say what that would change.
    Rehearse(Vec<PortSpec>),
    /// Say what it can carry.
    Look,
    /// Take all away.
    TearDown,
}

#[derive(Debug, Serialize, Deserialize)]
struct Job {
    cloud: String,
    physical: BTreeMap<String, String>,
    tunnel: Option<Ipv4Addr>,
    order: Order,
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) changes: Vec<String>,
    pub(crate) carries: Carries,
    pub(crate) error: Option<String>,
}

pub(crate) struct Machine {
    /// Its network namespace.
    pub(crate) name: String,
    pub(crate) cloud: String,
    pub(crate) physical: BTreeMap<String, String>,
    pub(crate) tunnel: Option<Ipv4Addr>,
    holder: Child,
    attached: Vec<String>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        fs::create_dir_all(namespace::DIRECTORY).unwrap();
        let script =
            "mount -t tmpfs none /run/netns && ip link set lo up && echo ready && exec cat";
        // It ends with the test, whatever becomes of that.
        let mut holder = Command::new("unshare")
            .args([
                "--net",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                script,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        let said = BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut ready);
        assert!(said.is_ok() && ready == "ready\n", "{said:?} {ready}");
        let name = format!("machine-{}", unique());
        let id = holder.id().to_string();
        run("ip", &["netns", "attach", &name, &id]);
        Self {
            name,
            cloud: cloud_name(),
            physical: BTreeMap::new(),
            tunnel: None,
            holder,
            attached: Vec::new(),
        }
    }

    /// What a worker would do that is started there now, and has these ports in its records.
    pub(crate) fn converge(&self, ports: &[PortSpec]) -> Done {
        self.run(Order::Converge(ports.to_vec()))
    }

    pub(crate) fn rehearse(&self, ports: &[PortSpec]) -> Vec<String> {
        self.run(Order::Rehearse(ports.to_vec())).changes
    }

    pub(crate) fn carries(&self) -> Carries {
        self.run(Order::Look).carries
    }

    pub(crate) fn tear_down(&self) -> Done {
        self.run(Order::TearDown)
    }

    fn run(&self, order: Order) -> Done {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("order");
        let job = Job {
            cloud: self.cloud.clone(),
            physical: self.physical.clone(),
            tunnel: self.tunnel,
            order,
        };
        fs::write(&path, serde_json::to_string(&job).unwrap()).unwrap();
        let out = Command::new("nsenter")
            .args([
                "--target",
                &self.holder.id().to_string(),
                "--net",
                "--mount",
                "--",
            ])
            .arg(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "a_machine_does_what_it_is_ordered",
                "--nocapture",
            ])
            .env(ORDER, &path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{said}");
        let done =
            fs::read_to_string(path.with_extension("done")).unwrap_or_else(|_| panic!("{said}"));
        serde_json::from_str(&done).unwrap()
    }

    /// A name under which the network's namespace there is found here.
    pub(crate) fn inside(&mut self, network: &NetworkSpec) -> String {
        let there = spec::namespace(network.id);
        let place = format!(
            "/proc/{}/root{}/{there}",
            self.holder.id(),
            namespace::DIRECTORY
        );
        let name = format!("in-{}", unique());
        let here = Path::new(namespace::DIRECTORY).join(&name);
        fs::File::create(&here).unwrap();
        run("mount", &["--bind", &place, here.to_str().unwrap()]);
        self.attached.push(name.clone());
        if network.segment != Segment::Local {
            super::forwards(&name, WIRE);
        }
        name
    }

    pub(crate) fn ip(&self, line: &str) {
        ip(&self.name, line);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let done = self.tear_down();
            assert_eq!(done.error, None);
        } else if let Err(broken) =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.tear_down()))
        {
            eprintln!("a machine could not be taken down: {broken:?}");
        }
        for name in self.attached.iter().chain([&self.name]) {
            let _ = namespace::delete(name);
        }
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A wire that machines are plugged into, on which everything is heard at every plug.
pub(crate) struct Hub {
    pub(crate) name: String,
}

impl Hub {
    pub(crate) fn new() -> Self {
        let name = format!("hub-{}", unique());
        namespace::make(&name).unwrap();
        silence_ipv6(&name);
        // It remembers nobody, so it sends everything everywhere.
        ip(
            &name,
            "link add hub type bridge ageing_time 0 mcast_snooping 0",
        );
        ip(&name, "link set hub up");
        Self { name }
    }

    /// Gives the machine an interface on the wire.
    pub(crate) fn plug(&self, machine: &Machine, interface: &str) {
        silence_ipv6(&machine.name);
        let plug = format!("p{}", unique());
        ip(
            &self.name,
            &format!(
                "link add {plug} type veth peer name {interface} netns {}",
                machine.name
            ),
        );
        ip(&self.name, &format!("link set {plug} master hub up"));
        machine.ip(&format!("link set {interface} up"));
    }

    /// Somebody on the wire who hears all and says what he likes.
    pub(crate) fn station(&self) -> super::frames::Station {
        let name = format!("s{}", unique());
        tap::make(&self.name, &name, None).unwrap();
        ip(&self.name, &format!("link set {name} master hub up"));
        super::frames::Station::at(&self.name, &name)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = namespace::delete(&self.name);
    }
}

fn silence_ipv6(name: &str) {
    // A kernel without IPv6 says nothing of it anyway.
    let _ = namespace::inside(name, || {
        fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
    });
}

pub(crate) fn run(program: &str, words: &[&str]) -> String {
    let out = Command::new(program).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{program} {words:?}: {said}");
    String::from_utf8(out.stdout).unwrap()
}

/// Does what this program was started for in a machine, if it was.
pub(crate) fn obey() {
    let Some(path) = std::env::var_os(ORDER) else {
        return;
    };
    let job: Job = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let physical = job.physical.into_iter();
    let wiring = Wiring {
        physical: physical
            .map(|(name, link)| (name.parse().unwrap(), link))
            .collect(),
        tunnel: job.tunnel,
    };
    let linux = Linux::new(&job.cloud).with_wiring(wiring);
    let (mut real, mut rehearsal) = (Changes::real(), Changes::rehearsal());
    let mut done = Done::default();
    let outcome = match job.order {
        Order::Converge(ports) => bring(&linux, &ports, &mut real),
        Order::Rehearse(ports) => bring(&linux, &ports, &mut rehearsal),
        Order::Look => linux
            .carrier()
            .look()
            .map_err(Error::from)
            .map(|carries| done.carries = carries),
        Order::TearDown => teardown(&linux, &Recorded::default(), &mut real),
    };
    done.error = outcome.err().map(|error| error.to_string());
    done.changes = [real.list(), rehearsal.list()].concat();
    let path = Path::new(&path).with_extension("done");
    fs::write(path, serde_json::to_string(&done).unwrap()).unwrap();
}

/// In the order in which a worker does it.
fn bring(linux: &Linux, ports: &[PortSpec], changes: &mut Changes) -> Result<(), Error> {
    let mut by_network = BTreeMap::new();
    for port in ports {
        by_network
            .entry(port.network.id)
            .or_insert_with(Vec::new)
            .push(port.clone());
    }
    let mut networks = Vec::new();
    for ports in by_network.into_values() {
        networks.push(Cloud::network_on(linux, &ports));
    }
    for network in &networks {
        linux.converge(network, &BTreeSet::new(), changes)?;
    }
    linux.converge_host(&networks, &BTreeSet::new(), changes)?;
    for network in &networks {
        linux.plug(network, changes)?;
    }
    Ok(())
}
