//! A cloud of a test's own: started with `skybus-up` in a directory of its own, and taken down with
//! everything that it made when the test ends, whichever way it ends.

use std::{
    fs::{self, Permissions},
    iter,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    disk::Disk,
    faults::Faults,
    programs,
    ran::{self, Ran},
};

/// A cold start on a busy machine: broker, database, four roles.
const UP: Duration = Duration::from_secs(180);
const DOWN: Duration = Duration::from_secs(120);
/// A command that waits for a guest.
const COMMAND: Duration = Duration::from_secs(400);

/// A running cloud.
#[derive(Debug)]
pub struct Cloud {
    /// Dropped before the directory that it is in.
    disk: Option<Disk>,
    directory: TempDir,
    port: u16,
    person: &'static str,
    keep: bool,
    faults: bool,
}

impl Cloud {
    /// Starts a cloud without real guests: `hosts` hosts in memory.
    ///
    /// # Errors
    /// When it does not come up, with the ends of its logs.
    pub fn with_fake_hosts(hosts: u32) -> Result<Self> {
        Self::start(&["--virt-type", "fake", "--fake-hosts", &hosts.to_string()])
    }

    /// Starts a cloud with real guests.
    ///
    /// # Errors
    /// When it does not come up, with the ends of its logs.
    pub fn with_real_guests() -> Result<Self> {
        Self::start(&[])
    }

    /// Starts a cloud with these options of `skybus-up`.
    ///
    /// # Errors
    /// When it does not come up, with the ends of its logs.
    pub fn start(options: &[&str]) -> Result<Self> {
        let cloud = Self::prepare(false)?;
        cloud.up(options)?;
        Ok(cloud)
    }

    /// Starts a cloud whose data lie on a disk of so many MiB.
    ///
    /// # Errors
    /// When there is no such disk to be had, or it does not come up, with the ends of its logs.
    pub fn on_a_disk_of(mib: u32, options: &[&str]) -> Result<Self> {
        let mut cloud = Self::prepare(false)?;
        cloud.disk = Some(Disk::at(&cloud.data_dir(), mib)?);
        cloud.up(options)?;
        Ok(cloud)
    }

    /// The disk that its data lie on, if that is a disk of its own.
    #[must_use]
    pub const fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// Starts a cloud in whose processes fault points can be armed.
    ///
    /// # Errors
    /// When it does not come up, with the ends of its logs.
    pub fn with_fault_points(options: &[&str]) -> Result<(Self, Faults)> {
        ensure!(
            skybus_fault::COMPILED_IN,
            "a release build has no fault points; build without --release"
        );
        let cloud = Self::prepare(true)?;
        let faults = Faults::at(&cloud.faults_dir())?;
        cloud.up(options)?;
        Ok((cloud, faults))
    }

    fn faults_dir(&self) -> PathBuf {
        self.directory.path().join("faults")
    }

    fn prepare(faults: bool) -> Result<Self> {
        // Guests run as a user of their own and must be able to pass through.
        let directory = tempfile::Builder::new()
            .prefix("skybus-test-")
            .permissions(Permissions::from_mode(0o711))
            .tempdir()
            .context("making a directory for the cloud")?;
        let port = free_port()?;
        Ok(Self {
            disk: None,
            directory,
            port,
            person: "skybus",
            keep: false,
            faults,
        })
    }

    /// Starts it again after [`Self::down`].
    ///
    /// # Errors
    /// When it does not come up, with the ends of its logs.
    pub fn up(&self, options: &[&str]) -> Result<()> {
        let mut up = self.program("skybus-up")?;
        up.args(["--detach", "--listen", &format!("127.0.0.1:{}", self.port)])
            .args(options);
        up.arg("--data-dir").arg(self.data_dir());
        if self.faults {
            up.env(skybus_fault::VARIABLE, self.faults_dir());
        }
        // Of a program that cannot start, the last lines are shown: they should say why.
        up.env("RUST_BACKTRACE", "0");
        let ran = ran::run(&mut up, UP).and_then(|ran| ran.ok().map(drop));
        ran.with_context(|| format!("the cloud did not come up\n{}", self.logs()))
    }

    /// Stops it, with its guests; its data stays.
    ///
    /// # Errors
    /// When `skybus-down` fails.
    pub fn down(&self, options: &[&str]) -> Result<()> {
        let mut down = self.program("skybus-down")?;
        down.arg("--data-dir").arg(self.data_dir()).args(options);
        ran::run(&mut down, DOWN)?.ok().map(drop)
    }

    /// Where everything of it lies.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The address of its APIs.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// One of the programs, told to use this cloud and nothing else of this machine.
    ///
    /// # Errors
    /// When it has not been built.
    pub fn program(&self, name: &str) -> Result<Command> {
        let mut command = Command::new(programs::program(name)?);
        self.point_to(&mut command);
        Ok(command)
    }

    /// Tells any client to use this cloud.
    pub fn point_to(&self, command: &mut Command) {
        let old = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OS_"));
        for (name, _) in old {
            command.env_remove(name);
        }
        command
            .env("OS_CLIENT_CONFIG_FILE", self.data_dir().join("clouds.yaml"))
            .env("OS_CLOUD", self.person)
            .env("XDG_CACHE_HOME", self.directory.path().join("cache"));
    }

    /// The `OS_*` variables that `skybus-env` prints.
    ///
    /// # Errors
    /// When it fails.
    pub fn variables(&self) -> Result<Vec<(String, String)>> {
        let mut env = Command::new(programs::program("skybus-env")?);
        env.arg("--data-dir").arg(self.data_dir());
        let ran = ran::run(&mut env, DOWN)?;
        let exports = ran
            .ok()?
            .lines()
            .filter_map(|line| line.strip_prefix("export "));
        let pairs = exports.filter_map(|line| line.split_once('='));
        Ok(pairs
            .map(|(k, v)| (k.to_owned(), v.trim_matches('\'').to_owned()))
            .collect())
    }

    /// Runs `skybus` as the administrator.
    ///
    /// # Errors
    /// When it cannot be run or hangs.
    pub fn skybus(&self, words: &[&str]) -> Result<Ran> {
        ran::run(self.program("skybus")?.args(words), COMMAND)
    }

    /// Runs `skybus` as an ordinary user.
    ///
    /// # Errors
    /// When it cannot be run or hangs.
    pub fn skybus_as_demo(&self, words: &[&str]) -> Result<Ran> {
        let mut command = self.program("skybus")?;
        command.env("OS_CLOUD", "skybus-demo").args(words);
        ran::run(&mut command, COMMAND)
    }

    /// An image of no use to a real guest, called `small`.
    ///
    /// # Errors
    /// When it is refused.
    pub fn add_small_image(&self) -> Result<()> {
        let file = self.directory.path().join("small.raw");
        fs::write(&file, vec![0x55; 1024 * 1024])?;
        let file = file.display().to_string();
        self.skybus(&["image-create", "small", "--file", &file, "--public"])?
            .ok()
            .map(drop)
    }

    /// The names of its hosts.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn hosts(&self) -> Result<Vec<String>> {
        let all = self.skybus(&["-f", "json", "hypervisor-list"])?.json()?;
        let names = all.as_array().into_iter().flatten();
        Ok(names
            .filter_map(|h| h["hypervisor_hostname"].as_str())
            .map(str::to_owned)
            .collect())
    }

    /// The password of `admin` or `demo`.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub fn password(&self, person: &str) -> Result<String> {
        let mut env = Command::new(programs::program("skybus-env")?);
        env.arg("--data-dir")
            .arg(self.data_dir())
            .args(["--user", person]);
        let ran = ran::run(&mut env, DOWN)?;
        let line = ran
            .ok()?
            .lines()
            .find_map(|line| line.strip_prefix("export OS_PASSWORD="));
        Ok(line
            .context("skybus-env prints no password")?
            .trim_matches('\'')
            .to_owned())
    }

    /// The ends of its logs.
    #[must_use]
    pub fn logs(&self) -> String {
        let files = fs::read_dir(self.data_dir().join("log"))
            .into_iter()
            .flatten()
            .flatten();
        files.map(|file| tail(&file.path())).collect()
    }

    /// Leaves the cloud running when the test ends, for looking at it.
    pub fn keep(&mut self) {
        self.keep = true;
        self.directory.disable_cleanup(true);
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if std::thread::panicking() {
            let _ = fs::write(
                std::env::temp_dir().join("skybus-test-last-failure.log"),
                self.logs(),
            );
        }
        // Nobody could do anything about a failure here; the test of `down` is a test of its own.
        let _ = self.down(&["--purge"]);
    }
}

fn tail(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(40)..].join("\n");
    format!("==> {} <==\n{end}\n", file.display())
}

/// A port below those that the system gives to outgoing connections. Each is given out once: clouds of
/// tests that run side by side listen on theirs only later.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 5000).unwrap_or_default();
    iter::repeat_with(|| 12_000 + (start + GIVEN.fetch_add(1, Ordering::Relaxed) % 5000) % 5000)
        .take(5000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("finding a free port")
}
