//! A private RabbitMQ for tests: own directory, own ports on loopback, management on.
//!
//! It is ended with everything that it started when the [`Broker`] is dropped, and also when the test
//! process dies in any other way: a small watcher notices by the end of its input.

mod node;

use std::{
    io,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};
use skybus_model::{HostName, message::Service};
use tempfile::TempDir;
use tokio::{sync::OnceCell, time::sleep};
use tokio_util::sync::CancellationToken;

use self::node::{Ports, WATCHER, answers};
use crate::{
    Bus, Settings, Timing,
    accounts::{Account, Management, password},
    topology,
};

/// For so long a broker that says neither yes nor no is asked again.
const UNDECIDED: Duration = Duration::from_secs(60);

/// Whether a broker lets somebody in with this address. Only its own refusal counts as a no.
///
/// # Errors
/// When it says neither for long.
pub async fn is_let_in(address: &str) -> io::Result<bool> {
    let end = Instant::now() + UNDECIDED;
    loop {
        let properties = lapin::ConnectionProperties::default();
        let error = match lapin::Connection::connect(address, properties).await {
            Ok(connection) => {
                let _closed = connection.close(200, "done".into()).await;
                return Ok(true);
            }
            Err(error) => error,
        };
        if is_refusal(&error) {
            return Ok(false);
        }
        if Instant::now() > end {
            return Err(io::Error::other(error));
        }
        sleep(Duration::from_millis(200)).await;
    }
}

fn is_refusal(error: &lapin::Error) -> bool {
    use lapin::{
        ErrorKind,
        protocol::{AMQPErrorKind, AMQPSoftError},
    };
    let ErrorKind::ProtocolError(said) = error.kind() else {
        return false;
    };
    matches!(
        said.kind(),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
    )
}

/// In the environment of everything that belongs to one broker, so that nothing else is ever ended.
const MARK: &str = "SKYBUS_TEST_BROKER";

static SHARED: OnceCell<Broker> = OnceCell::const_new();

/// A running broker with the control plane's topology declared.
#[derive(Debug)]
pub struct Broker {
    dir: TempDir,
    ports: Ports,
    secret: String,
    watcher: Child,
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
        let ports = node::free_ports()?;
        let secret = password();
        node::write_configuration(dir.path(), ports, &secret)?;
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
        node::launch(broker.dir.path(), ports).await?;
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

    /// A bus that is connected, and, where that is measured, known to be well.
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
        match service {
            Service::Api | Service::Scheduler => bus.wait_well().await,
            Service::Compute | Service::Network => bus.wait_connected().await,
        }
        bus
    }

    /// Ends the broker as a power cut would. What it stored stays.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&self) -> io::Result<()> {
        kill_process(node::pid(self.dir.path())?, Signal::KILL)?;
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
        node::launch(self.dir.path(), self.ports).await
    }

    /// Stops it in its tracks: connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> io::Result<()> {
        Ok(kill_process(node::pid(self.dir.path())?, Signal::STOP)?)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> io::Result<()> {
        Ok(kill_process(node::pid(self.dir.path())?, Signal::CONT)?)
    }

    /// Has `rabbitmqctl` tell the node something.
    ///
    /// # Errors
    /// When it refuses, with what it said.
    pub async fn control(&self, words: &[&str]) -> io::Result<()> {
        node::control(self.dir.path(), self.ports, words).await
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
}

impl Drop for Broker {
    fn drop(&mut self) {
        // The watcher does the work when its input ends.
        drop(self.watcher.stdin.take());
        let _ended = self.watcher.wait();
    }
}
