//! The node's own processes: configured, started, found again.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Pid;
use tokio::time::{Instant, sleep};

use super::MARK;

const CONTROL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const STARTS_WITHIN: Duration = Duration::from_secs(120);
pub(super) const WATCHER: &str = r#"
cat > /dev/null
for process in /proc/[0-9]*; do
    if grep -qszxF "$0=$1" "$process/environ"; then kill -KILL "${process#/proc/}"; fi
done
rm -rf "$1"
"#;

#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) amqp: u16,
    pub(super) management: u16,
    pub(super) epmd: u16,
    pub(super) distribution: u16,
}

pub(super) async fn launch(dir: &Path, ports: Ports) -> io::Result<()> {
    let log = std::fs::File::create(dir.join("output"))?;
    let mut child = Command::new(PROGRAM)
        .envs(environment(dir, ports))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .map_err(|error| io::Error::other(format!("{PROGRAM}: {error}")))?;
    let until = Instant::now() + STARTS_WITHIN;
    while !(answers(ports.amqp) && answers(ports.management)) {
        if let Some(status) = child.try_wait()? {
            let said = std::fs::read_to_string(dir.join("output")).unwrap_or_default();
            return Err(io::Error::other(format!(
                "RabbitMQ ended with {status}: {said}"
            )));
        }
        if Instant::now() > until {
            return Err(io::Error::other("RabbitMQ did not start in time"));
        }
        sleep(Duration::from_millis(100)).await;
    }
    // Reaps it, whenever it ends.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// Runs `rabbitmqctl` for this node.
pub(super) async fn control(dir: &Path, ports: Ports, words: &[&str]) -> io::Result<()> {
    let ended = tokio::process::Command::new(CONTROL)
        .envs(environment(dir, ports))
        .args(words)
        .output()
        .await
        .map_err(|error| io::Error::other(format!("{CONTROL}: {error}")))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stdout);
    let also = String::from_utf8_lossy(&ended.stderr);
    Err(io::Error::other(format!("{words:?}: {said}{also}")))
}

/// The node itself, told from others by its mark.
pub(super) fn pid(dir: &Path) -> io::Result<Pid> {
    let mark = format!("{MARK}={}", dir.display());
    for process in std::fs::read_dir("/proc")?.flatten() {
        let path = process.path();
        if reads(&path, "comm").trim() == "beam.smp"
            && reads(&path, "environ")
                .split('\0')
                .any(|variable| variable == mark)
            && let Some(pid) = process
                .file_name()
                .to_str()
                .and_then(|pid| pid.parse().ok())
            && let Some(pid) = Pid::from_raw(pid)
        {
            return Ok(pid);
        }
    }
    Err(io::Error::other("the broker does not run"))
}

fn reads(process: &Path, file: &str) -> String {
    let bytes = std::fs::read(process.join(file)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn answers(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

pub(super) fn free_ports() -> io::Result<Ports> {
    // All are held before any is let go, so that they differ.
    let held: Vec<_> = (0..4)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<io::Result<_>>()?;
    let port = |n: usize| held[n].local_addr().map(|address| address.port());
    Ok(Ports {
        amqp: port(0)?,
        management: port(1)?,
        epmd: port(2)?,
        distribution: port(3)?,
    })
}

pub(super) fn write_configuration(dir: &Path, ports: Ports, secret: &str) -> io::Result<()> {
    let text = format!(
        "listeners.tcp.1 = 127.0.0.1:{}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n\
         default_vhost = skybus\ndefault_user = admin\ndefault_pass = {secret}\n\
         default_user_tags.administrator = true\ndisk_free_limit.absolute = 50MB\n\
         management_agent.disable_metrics_collector = false\n",
        ports.amqp, ports.management,
    );
    std::fs::write(dir.join("rabbitmq.conf"), text)?;
    std::fs::write(dir.join("plugins"), "[rabbitmq_management].\n")
}

fn environment(dir: &Path, ports: Ports) -> Vec<(&'static str, PathBuf)> {
    let flags =
        "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none";
    vec![
        (MARK, dir.to_owned()),
        ("HOME", dir.to_owned()),
        (
            "RABBITMQ_NODENAME",
            format!("skybus-test-{}@localhost", ports.amqp).into(),
        ),
        ("RABBITMQ_MNESIA_BASE", dir.join("mnesia")),
        ("RABBITMQ_LOG_BASE", dir.join("log")),
        ("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq.conf")),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("plugins")),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
        ("ERL_EPMD_PORT", ports.epmd.to_string().into()),
        ("RABBITMQ_DIST_PORT", ports.distribution.to_string().into()),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", flags.into()),
    ]
}
