//! The program on a stage: a real broker, the control plane's part played by the test, and an API that
//! answers metadata with what it was asked.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::{Router, extract::Request};
use skybus_bus::{Bus, Subscription, Verdict, testing::Broker};
use skybus_fault::{Armed, Point};
use skybus_model::{
    Generation, HostName,
    id::{OperationId, PortId},
    message::{
        Context, Message, Outgoing, Service,
        command::{PortEnsure, PortRemove},
        event::{NetworkInventory, PortReport},
        heartbeat::HostBeat,
    },
    network::PortSpec,
};
use skybus_network::{
    changes::Changes,
    linux::Linux,
    teardown::{Recorded, teardown},
};
use skybus_sys::socket;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::lab::{Guest, SOON};

/// How many have listened to heartbeats.
static HEARERS: AtomicU32 = AtomicU32::new(0);
/// A broker may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the worker said, in the order in which it came.
enum Heard {
    Report(PortReport),
    Inventory(NetworkInventory),
}

pub(crate) struct Stage {
    pub(crate) cloud: String,
    config: String,
    health: String,
    directory: TempDir,
    bus: Bus,
    heard: UnboundedReceiver<Heard>,
    kept: Vec<Heard>,
    token: CancellationToken,
    broker: Broker,
}

impl Stage {
    pub(crate) async fn linux() -> Self {
        Self::new("linux", 0).await
    }

    pub(crate) async fn fake(hosts: u32) -> Self {
        Self::new("fake", hosts).await
    }

    async fn new(driver: &str, fake_hosts: u32) -> Self {
        let (broker, token) = (Broker::start().await.unwrap(), CancellationToken::new());
        let agent: HostName = "node-1".parse().unwrap();
        let hosts: Vec<HostName> = match fake_hosts {
            0 => vec![agent.clone()],
            n => (1..=n)
                .map(|n| format!("node-1-{n}").parse().unwrap())
                .collect(),
        };
        let account = broker
            .join_account(Service::Network, &agent, &hosts)
            .await
            .unwrap();
        let bus = broker.bus(Service::Api, "api-1", &token).await.unwrap();
        let heard = listen(&bus);
        let api = api().await;
        let directory = tempfile::tempdir().unwrap();
        let cloud = crate::lab::cloud_name();
        let config = format!(
            "data_dir = \"{0}/network\"\nbroker = \"{account}\"\n\
             host = \"node-1\"\napi_url = \"http://{api}\"\nmetadata_secret = \"s\"\n\
             driver = \"{driver}\"\nfake_hosts = {fake_hosts}\ncloud = \"{cloud}\"\n",
            directory.path().display(),
        );
        fs::create_dir(directory.path().join("bin")).unwrap();
        let stage = Self {
            cloud,
            config,
            health: String::new(),
            directory,
            bus,
            heard,
            kept: Vec::new(),
            token,
            broker,
        };
        stage.write("network.toml", &stage.configuration("127.0.0.1:1"));
        stage
    }

    fn configuration(&self, health: &str) -> String {
        format!("{}health = \"{health}\"\n", self.config)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    pub(crate) fn linux_driver(&self) -> Linux {
        Linux::new(&self.cloud)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skybus-network"));
        let directory = self.directory.path();
        let mut path = directory.join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        command
            .arg("--config")
            .arg(directory.join("network.toml"))
            .env(skybus_fault::VARIABLE, directory)
            .env("PATH", path);
        command
    }

    /// Starts the program. Whoever takes the port of its health before it does has it end at once; then it
    /// is started again, with another.
    pub(crate) fn worker(&mut self) -> Worker {
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            self.health = free.local_addr().unwrap().to_string();
            drop(free);
            self.write("network.toml", &self.configuration(&self.health));
            let mut child = self.command().stdin(Stdio::null()).spawn().unwrap();
            let mut ended = false;
            crate::lab::eventually("the worker's health, or its end", || {
                ended = child.try_wait().unwrap().is_some();
                ended || !self.health().is_empty()
            });
            if !ended {
                return Worker(child);
            }
        }
        panic!("the worker ends each time that it is started");
    }

    /// Puts a script in the place of a program that the worker runs.
    pub(crate) fn instead_of(&self, program: &str, script: &str) {
        let name = format!("bin/{program}");
        self.write(&name, &format!("#!/bin/sh\n{script}\n"));
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.directory.path().join(name), mode).unwrap();
    }

    /// Where the scripts may keep what they count.
    pub(crate) fn notes(&self) -> PathBuf {
        self.directory.path().join("notes")
    }

    /// Has the worker killed when it comes to this point next.
    pub(crate) fn arm(&self, point: Point) {
        self.write("skybus-network.arm", &Armed::at(point, "-").to_string());
    }

    /// Runs it with these words to its end; what it printed.
    pub(crate) fn run(&self, words: &[&str]) -> String {
        let out = self.command().args(words).output().unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    }

    /// Adds a line to its configuration.
    pub(crate) fn configure(&mut self, line: &str) {
        self.config.push_str(&format!("{line}\n"));
    }

    /// What it says of its health.
    pub(crate) fn health(&self) -> String {
        let Ok(mut connection) = std::net::TcpStream::connect(&self.health) else {
            return String::new();
        };
        let mut answer = String::new();
        let asked = write!(
            connection,
            "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let _ = asked.and_then(|()| connection.read_to_string(&mut answer));
        answer
    }

    pub(crate) fn lose_journal(&self) {
        fs::remove_dir_all(self.directory.path().join("network")).unwrap();
    }

    pub(crate) async fn ensure(&self, host: &str, port: &PortSpec, generation: i64) {
        let operation = Some(OperationId::random());
        let generation = Generation(generation);
        self.send(
            host,
            &PortEnsure {
                operation,
                generation,
                spec: port.clone(),
            },
        )
        .await;
    }

    pub(crate) async fn remove(&self, host: &str, port: &PortSpec, generation: i64) {
        let (operation, generation) = (None, Generation(generation));
        let (port, network) = (port.id, port.network.id);
        self.send(
            host,
            &PortRemove {
                operation,
                port,
                network,
                generation,
            },
        )
        .await;
    }

    async fn send<C: skybus_model::message::Command>(&self, host: &str, command: &C) {
        let message = Outgoing::to_host(&host.parse().unwrap(), command, &Context::begin());
        for result in self.bus.send(&[message]).await {
            result.unwrap();
        }
    }

    /// The next report about the port.
    pub(crate) async fn report(&mut self, port: PortId) -> PortReport {
        let found = |heard: &Heard| matches!(heard, Heard::Report(report) if report.port == port);
        match self.next("a report", found).await {
            Heard::Report(report) => report,
            Heard::Inventory(_) => unreachable!("a report was asked for"),
        }
    }

    /// The next inventory of the host with so many ports.
    pub(crate) async fn inventory(&mut self, host: &str, ports: usize) -> NetworkInventory {
        let found = |heard: &Heard| matches!(heard, Heard::Inventory(all) if all.host.as_str() == host && all.ports.len() == ports);
        match self.next("an inventory", found).await {
            Heard::Inventory(inventory) => inventory,
            Heard::Report(_) => unreachable!("an inventory was asked for"),
        }
    }

    async fn next(&mut self, what: &str, found: impl Fn(&Heard) -> bool) -> Heard {
        if let Some(index) = self.kept.iter().position(&found) {
            return self.kept.remove(index);
        }
        loop {
            let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
            let heard = heard
                .unwrap_or_else(|_| panic!("{what} did not come"))
                .unwrap();
            if found(&heard) {
                return heard;
            }
            self.kept.push(heard);
        }
    }

    /// The next heartbeat of the host that `is` what is waited for.
    pub(crate) async fn beat(&self, host: &str, is: impl Fn(&HostBeat) -> bool) -> HostBeat {
        let process = HEARERS.fetch_add(1, Ordering::Relaxed);
        let process = format!("scheduler-{process}");
        let token = self.token.child_token();
        let hearer = self.broker.bus(Service::Scheduler, &process, &token);
        let hearer = hearer.await.unwrap();
        let (tell, mut heard) = unbounded_channel();
        let handler = |delivery: skybus_bus::Delivery| {
            // After the end nobody listens.
            let _ = tell.send(delivery.decode::<HostBeat>().unwrap());
            async { Verdict::Ack }
        };
        let wanted = async {
            loop {
                let beat = heard.recv().await.unwrap();
                if beat.host.as_str() == host && is(&beat) {
                    return beat;
                }
            }
        };
        let beat = tokio::select! {
            ended = hearer.consume(Subscription::beats(&process), handler) => panic!("{ended:?}"),
            beat = tokio::time::timeout(PATIENCE, wanted) => beat.expect("the heartbeat"),
        };
        token.cancel();
        beat
    }

    /// What a guest gets when it asks 169.254.169.254.
    pub(crate) fn metadata(&self, guest: &Guest, path: &str) -> String {
        let to = SocketAddr::from(([169, 254, 169, 254], 80));
        let Ok(mut connection) = socket::connect(&guest.name, to, SOON) else {
            return String::new();
        };
        connection.set_read_timeout(Some(SOON)).unwrap();
        write!(
            connection,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        // A worker that is being killed may cut it short.
        let _ = connection.read_to_string(&mut answer);
        answer
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.token.cancel();
        if let Err(error) = teardown(
            &self.linux_driver(),
            &Recorded::default(),
            &mut Changes::real(),
        ) {
            eprintln!("the test's cloud could not be taken away: {error}");
        }
    }
}

/// The program; ended with the test.
pub(crate) struct Worker(Child);

impl Worker {
    /// As a power cut would.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for the end that was prepared for it.
    pub(crate) fn dies(&mut self) {
        crate::lab::eventually("the worker's death", || {
            self.0.try_wait().unwrap().is_some()
        });
    }

    /// As a supervisor would.
    pub(crate) fn terminate(&mut self) {
        let pid = i32::try_from(self.0.id()).unwrap();
        let waited = std::thread::spawn(move || skybus_sys::process::end(pid, PATIENCE));
        assert!(self.0.wait().unwrap().success());
        waited.join().unwrap().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn listen(bus: &Bus) -> UnboundedReceiver<Heard> {
    let (tell, heard) = unbounded_channel();
    let bus = bus.clone();
    tokio::spawn(async move {
        let handler = |delivery: skybus_bus::Delivery| {
            let tell = tell.clone();
            async move {
                let heard = match delivery.name() {
                    PortReport::NAME => delivery.decode().map(Heard::Report),
                    _ => delivery.decode().map(Heard::Inventory),
                };
                // After the end of the test nobody listens.
                let _ = tell.send(heard.unwrap());
                Verdict::Ack
            }
        };
        let _ = bus.consume(Subscription::events(), handler).await;
    });
    heard
}

/// An API that answers every question with the question, and with who is said to ask.
async fn api() -> SocketAddr {
    let pages = Router::new().fallback(|request: Request| async move {
        let header = |name| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-skybus-signature").len(), 64);
        format!(
            "{} {} {}",
            request.uri(),
            header("x-skybus-network"),
            header("x-skybus-address")
        )
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, pages).await.unwrap() });
    address
}
