//! A private RabbitMQ for tests: own directory, own ports on loopback, management on.
//!
//! It is ended with everything that it started when the [`Broker`] is dropped, and also when the test
//! process dies in any other way: a small watcher notices by the end of its input.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use skybus_model::{HostName, message::Service};
use tempfile::TempDir;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Bus, Settings, Timing,
    accounts::{Account, Management, password},
    topology,
};

const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// In the environment of everything that belongs to one broker, so that nothing else is ever ended.
const MARK: &str = "SKYBUS_TEST_BROKER";
const STARTS_WITHIN: Duration = Duration::from_secs(120);
const WATCHER: &str = r#"
cat > /dev/null
for process in /proc/[0-9]*; do
    if grep -qszxF "$0=$1" "$process/environ"; then kill -KILL "${process#/proc/}"; fi
done
rm -rf "$1"
"#;

static SHARED: OnceCell<Broker> = OnceCell::const_new();

/// A running broker with the control plane's topology declared.
#[derive(Debug)]
pub struct Broker {
    dir: TempDir,
    ports: Ports,
    secret: String,
    watcher: Child,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    amqp: u16,
    management: u16,
    epmd: u16,
    distribution: u16,
}

impl Broker {
    /// Starts one of one's own, to be killed and frozen.
    ///
    /// # Errors
    /// When RabbitMQ is not installed or does not start.
    pub async fn start() -> io::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("skybus-broker-")
            .tempdir()?;
        let ports = free_ports()?;
        let secret = password();
        write_configuration(dir.path(), ports, &secret)?;
        let watcher = Command::new("sh")
            .args(["-c", WATCHER, MARK])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .spawn()?;
        let broker = Self {
            dir,
            ports,
            secret,
            watcher,
        };
        broker.launch().await?;
        topology::declare(&broker.admin_url(), &topology::control_plane())
            .await
            .map_err(io::Error::other)?;
        Ok(broker)
    }

    /// One for all tests of a process, started by the first that asks.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn shared() -> io::Result<&'static Self> {
        SHARED.get_or_try_init(Self::start).await
    }

    /// The address of an account that may do everything.
    #[must_use]
    pub fn admin_url(&self) -> String {
        self.url("admin", &self.secret)
    }

    /// The address of the management API.
    #[must_use]
    pub fn management_url(&self) -> String {
        format!(
            "http://admin:{}@127.0.0.1:{}",
            self.secret, self.ports.management
        )
    }

    /// A client of the management API.
    ///
    /// # Errors
    /// Never in practice.
    pub fn management(&self) -> io::Result<Management> {
        Management::new(&self.management_url(), "skybus").map_err(io::Error::other)
    }

    /// Makes the account; the answer is its address.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn account(&self, account: &Account) -> io::Result<String> {
        let secret = password();
        self.management()?
            .ensure_account(account, &secret)
            .await
            .map_err(io::Error::other)?;
        Ok(self.url(&account.name, &secret))
    }

    /// A control-plane process's bus, with that role's own account.
    ///
    /// # Errors
    /// When the account cannot be made.
    pub async fn bus(
        &self,
        service: Service,
        instance: &str,
        token: &CancellationToken,
    ) -> io::Result<Bus> {
        let account = match service {
            Service::Api => Account::api(),
            Service::Scheduler => Account::scheduler(),
            Service::Compute | Service::Network => {
                return Err(io::Error::other("an agent joins with join()"));
            }
        };
        let url = self.account_once(&account).await?;
        Ok(self
            .connect(url, service, instance, Timing::default(), token)
            .await)
    }

    /// Lets an agent join: its queues, its account, its bus.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn join(
        &self,
        service: Service,
        agent: &HostName,
        hosts: &[HostName],
        token: &CancellationToken,
    ) -> io::Result<Bus> {
        let url = self.join_account(service, agent, hosts).await?;
        Ok(self
            .connect(url, service, agent.as_str(), Timing::default(), token)
            .await)
    }

    /// The same without connecting: the address of the agent's account.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn join_account(
        &self,
        service: Service,
        agent: &HostName,
        hosts: &[HostName],
    ) -> io::Result<String> {
        topology::declare(&self.admin_url(), &topology::agent(service, agent, hosts))
            .await
            .map_err(io::Error::other)?;
        self.account(&Account::agent(service, agent, hosts)).await
    }

    /// A bus that is connected.
    pub async fn connect(
        &self,
        url: String,
        service: Service,
        instance: &str,
        timing: Timing,
        token: &CancellationToken,
    ) -> Bus {
        let settings = Settings {
            url,
            service,
            instance: instance.to_owned(),
        };
        let bus = Bus::connect_with(settings, timing, token.clone());
        bus.wait_connected().await;
        bus
    }

    /// Ends the broker as a power cut would. What it stored stays.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&self) -> io::Result<()> {
        kill_process(self.pid()?, Signal::KILL)?;
        while answers(self.ports.amqp) {
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Starts it again after [`kill`](Self::kill).
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&self) -> io::Result<()> {
        self.launch().await
    }

    /// Stops it in its tracks: connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> io::Result<()> {
        Ok(kill_process(self.pid()?, Signal::STOP)?)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> io::Result<()> {
        Ok(kill_process(self.pid()?, Signal::CONT)?)
    }

    fn url(&self, user: &str, secret: &str) -> String {
        format!(
            "amqp://{user}:{secret}@127.0.0.1:{}/skybus",
            self.ports.amqp
        )
    }

    /// An account that several of a test's processes share keeps one password.
    async fn account_once(&self, account: &Account) -> io::Result<String> {
        let management = self.management()?;
        management
            .ensure_account(account, &self.secret)
            .await
            .map_err(io::Error::other)?;
        Ok(self.url(&account.name, &self.secret))
    }

    async fn launch(&self) -> io::Result<()> {
        let dir = self.dir.path();
        let log = std::fs::File::create(dir.join("output"))?;
        let mut child = Command::new(PROGRAM)
            .envs(environment(dir, self.ports))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| io::Error::other(format!("{PROGRAM}: {error}")))?;
        let until = Instant::now() + STARTS_WITHIN;
        while !(answers(self.ports.amqp) && answers(self.ports.management)) {
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

    fn pid(&self) -> io::Result<Pid> {
        let mark = format!("{MARK}={}", self.dir.path().display());
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
}

impl Drop for Broker {
    fn drop(&mut self) {
        // The watcher does the work when its input ends.
        drop(self.watcher.stdin.take());
        let _ended = self.watcher.wait();
    }
}

fn reads(process: &Path, file: &str) -> String {
    let bytes = std::fs::read(process.join(file)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn answers(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

fn free_ports() -> io::Result<Ports> {
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

fn write_configuration(dir: &Path, ports: Ports, secret: &str) -> io::Result<()> {
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
