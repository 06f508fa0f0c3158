//! Both subscribers print the change of a server's state that a host reports.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should say where"
)]

use std::{path::Path, process::Stdio, time::Duration};

use skybus_bus::{
    accounts::{Subscriber, subscriber},
    testing::Broker,
};
use skybus_model::{
    Generation, HostName, Order,
    id::ServerId,
    message::{Context, Outgoing, Service, event::ServerReport},
    server::Power,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Debian's own, because `python3-pika` is installed for that one.
const PYTHON: &str = "/usr/bin/python3";

struct Watcher {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Watcher {
    fn start(program: &str, arguments: &[&Path], to: &Subscriber) -> Self {
        let mut process = Command::new(program)
            .args(arguments)
            .env("SKYBUS_URL", &to.url)
            .env("SKYBUS_QUEUE", &to.queue)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            lines,
            _process: process,
        }
    }

    async fn prints(&mut self) -> String {
        let line = timeout(Duration::from_secs(60), self.lines.next_line()).await;
        line.expect("nothing was printed")
            .unwrap()
            .expect("it ended")
    }
}

fn report(host: &HostName, server: ServerId, power: Power, seq: i64) -> Outgoing {
    let report = ServerReport {
        server,
        operation: None,
        generation: Generation(1),
        order: Order { epoch: 1, seq },
        host: host.clone(),
        power,
        fault: None,
        hops: vec![],
    };
    Outgoing::event(host, &report, &Context::begin())
}

#[tokio::test]
async fn both_subscribers_print_what_a_host_reports() {
    let broker = Broker::shared().await.unwrap();
    let management = broker.management().unwrap();
    let add = async |name: &str| {
        let name: HostName = name.parse().unwrap();
        subscriber::add(&management, &broker.admin_url(), &name, &["#".to_owned()])
            .await
            .unwrap()
    };
    let (rust, python) = (add("rust").await, add("python").await);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("watch_servers.py");
    let mut rust = Watcher::start(env!("CARGO_BIN_EXE_watch-servers"), &[], &rust);
    let mut python = Watcher::start(PYTHON, &[&script], &python);

    let token = CancellationToken::new();
    let host: HostName = "node-1".parse().unwrap();
    let hosts = std::slice::from_ref(&host);
    let agent = broker
        .join(Service::Compute, &host, hosts, &token)
        .await
        .unwrap();
    let server = ServerId::random();
    let changes = [(Power::Running, "running"), (Power::Shutdown, "shutdown")];
    for (seq, (power, word)) in (1..).zip(changes) {
        agent
            .send(&[report(&host, server, power, seq)])
            .await
            .pop()
            .unwrap()
            .unwrap();
        assert_eq!(
            rust.prints().await,
            format!("\"{server}\" on \"node-1\": \"{word}\"")
        );
        assert_eq!(python.prints().await, format!("{server} on node-1: {word}"));
    }
    token.cancel();
}
