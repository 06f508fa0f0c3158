//! A broker, a control plane that is played by the test, and the worker's own binary.

use std::{
    collections::HashMap, fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf,
    process::Stdio, time::Duration,
};

use sha2::{Digest, Sha512};
use skybus_bus::{Bus, Delivery, Subscription, Verdict, testing::Broker};
use skybus_compute::qemu::{
    files::Files,
    process::{self, Process},
};
use skybus_model::{
    Generation, HostName, Order, Timestamp,
    host::Resources,
    id::{ImageId, OperationId, ProjectId, ServerId, UserId},
    image::DiskFormat,
    message::{
        Command as _, Context, Outgoing, Service,
        command::{ServerEnsure, ServerRemove},
        event::ServerReport,
    },
    server::{Desired, ImageSource, Power, ServerSpec},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const BINARY: &str = env!("CARGO_BIN_EXE_skybus-compute");
/// Machines are emulated, and other tests run at the same time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    pub(crate) broker: Broker,
    pub(crate) api: Bus,
    pub(crate) token: CancellationToken,
    events: UnboundedReceiver<Delivery>,
    /// The newest report of each server. As in the control plane, what is not newer is a repetition: a
    /// worker that is killed between a confirm and noting it sends its report again.
    newest: HashMap<ServerId, Order>,
    dir: TempDir,
}

pub(crate) struct Worker(Child);

impl Worker {
    /// As a power cut or the kernel's memory killer would.
    pub(crate) async fn kill(mut self) {
        self.0.kill().await.unwrap();
    }
}

pub(crate) fn name() -> HostName {
    "node".parse().unwrap()
}

impl Bench {
    /// A broker that the worker `node`, standing for `hosts`, may join, and the worker's configuration.
    pub(crate) async fn new(hosts: &[HostName], more: &str, api_url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let broker = Broker::start().await.unwrap();
        let url = broker
            .join_account(Service::Compute, &name(), hosts)
            .await
            .unwrap();
        let token = CancellationToken::new();
        let api = broker.bus(Service::Api, "api-1", &token).await.unwrap();
        let (heard, events) = unbounded_channel();
        let listener = api.clone();
        tokio::spawn(async move {
            let handler = |delivery: Delivery| {
                let _ = heard.send(delivery);
                async { Verdict::Ack }
            };
            listener.consume(Subscription::events(), handler).await
        });
        let config = format!(
            "data_dir = '{}'\nhealth = '127.0.0.1:0'\nbroker = '{url}'\nhost = 'node'\n\
             api_url = '{api_url}'\n{more}\n",
            dir.path().join("data").display()
        );
        fs::write(dir.path().join("compute.toml"), config).unwrap();
        Self {
            broker,
            api,
            token,
            events,
            newest: HashMap::new(),
            dir,
        }
    }

    /// Has the broker cut off whoever keeps a message for longer than this without acknowledging it; half an
    /// hour is what it allows otherwise.
    pub(crate) async fn cut_off_after(&self, limit: Duration) {
        let limit = limit.as_millis();
        let settings = format!(
            "application:set_env(rabbit, consumer_timeout, {limit}), \
             application:set_env(rabbit, channel_tick_interval, 200)."
        );
        self.broker.control(&["eval", &settings]).await.unwrap();
    }

    /// How often the worker began to consume its queue.
    pub(crate) fn sessions(&self) -> usize {
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap();
        log.matches("consuming").count()
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("compute.toml")
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn start(&self) -> Worker {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"))
            .unwrap();
        let child = Command::new(BINARY)
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        Worker(child.unwrap())
    }

    pub(crate) async fn teardown(&self) {
        let ended = Command::new(BINARY)
            .arg("teardown")
            .arg("--config")
            .arg(self.config())
            .output()
            .await;
        let ended = ended.unwrap();
        assert!(
            ended.status.success(),
            "{}",
            String::from_utf8_lossy(&ended.stderr)
        );
    }

    pub(crate) async fn send(&self, message: Outgoing) {
        let sent = self.api.send(&[message]).await;
        sent.into_iter().for_each(|result| result.unwrap());
    }

    pub(crate) async fn ensure(&self, host: &HostName, ensure: &ServerEnsure) {
        assert_eq!(ServerEnsure::TO, Service::Compute);
        self.send(Outgoing::to_host(host, ensure, &Context::begin()))
            .await;
    }

    pub(crate) async fn remove(&self, host: &HostName, server: ServerId, generation: i64) {
        let generation = Generation(generation);
        let remove = ServerRemove {
            operation: Some(OperationId::random()),
            server,
            generation,
        };
        self.send(Outgoing::to_host(host, &remove, &Context::begin()))
            .await;
    }

    /// The next event of this name.
    pub(crate) async fn event(&mut self, name: &str) -> Delivery {
        let log = self.dir.path().join("log");
        let wait = async {
            loop {
                let delivery = self.events.recv().await.unwrap();
                if delivery.name() == name {
                    return delivery;
                }
            }
        };
        let event = timeout(PATIENCE, wait).await;
        event.unwrap_or_else(|_| {
            panic!(
                "no {name}; the worker's log:\n{}",
                fs::read_to_string(log).unwrap()
            )
        })
    }

    /// The next report that says something new, which has to be this.
    pub(crate) async fn report(&mut self, power: Power) -> ServerReport {
        loop {
            let report: ServerReport = self.event("server.report").await.decode().unwrap();
            let newest = self.newest.entry(report.server).or_default();
            if report.order > *newest {
                *newest = report.order;
                assert_eq!(report.power, power, "{report:?}");
                return report;
            }
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A test that failed half-way leaves no guest behind.
        let data_dir = self.data_dir();
        for server in process::servers(&data_dir) {
            if let Ok(Some(guest)) = Process::find(server, &Files::of(&data_dir, server)) {
                guest.kill();
            }
        }
    }
}

/// A wish for a server whose disk is `image`.
pub(crate) fn wish(name: &str, image: &[u8]) -> ServerEnsure {
    ServerEnsure {
        operation: Some(OperationId::random()),
        generation: Generation(1),
        desired: Desired::Running,
        restart: None,
        spec: ServerSpec {
            id: ServerId::random(),
            project: ProjectId::random(),
            user: UserId::random(),
            name: name.to_owned(),
            flavor: "tiny".to_owned(),
            resources: Resources {
                vcpus: 1,
                ram_mib: 32,
                disk_gib: 1,
            },
            image: ImageSource {
                id: ImageId::random(),
                format: DiskFormat::Raw,
                size: i64::try_from(image.len()).unwrap(),
                sha512: hex::encode(Sha512::digest(image)),
                path: "/internal/images/x".to_owned(),
            },
            nics: Vec::new(),
            config_drive: None,
        },
        deadline: Timestamp::now().after(PATIENCE),
    }
}

/// Plays the API's internal paths: an image at every path but the config drive's.
pub(crate) async fn serve(image: Vec<u8>) -> String {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut lines = BufReader::new(&mut socket).lines();
            let request = lines.next_line().await.unwrap().unwrap_or_default();
            while lines
                .next_line()
                .await
                .unwrap()
                .is_some_and(|line| !line.is_empty())
            {}
            let tree = br#"{"openstack/latest/meta_data.json": "{}"}"#;
            let body = if request.contains("config-drive") {
                &tree[..]
            } else {
                &image
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = socket.write_all(head.as_bytes()).await;
            let _ = socket.write_all(body).await;
        }
    });
    url
}
