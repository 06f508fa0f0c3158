//! Starting a process that will outlive the supervisor.

use std::{
    fs::{self, OpenOptions},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    os::unix::{
        fs::{MetadataExt as _, OpenOptionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::Error;

/// A log that is larger than this is put aside when its process is started by a new supervisor.
const LOG_LIMIT: u64 = 10 * 1024 * 1024;

/// How a process is started, and how it is ended.
#[derive(Debug, Clone)]
pub struct Spec {
    /// What it is called in the state file and for people.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments. Never a secret: everybody on the host may read them.
    pub arguments: Vec<String>,
    /// Variables besides the few that are passed on.
    pub environment: Vec<(String, String)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Where its output goes.
    pub log: PathBuf,
    /// Files whose change means that a running one is out of date.
    pub depends_on: Vec<PathBuf>,
    /// How long it has to end by itself after SIGTERM.
    pub grace: Duration,
}

impl Spec {
    /// Starts it. It is in a process group of its own, and holds nothing of the starter's but its log.
    ///
    /// # Errors
    /// When the program cannot be run or the log not be opened.
    pub fn start(&self) -> Result<Child, Error> {
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.log)
            .map_err(Error::file("opening", &self.log))?;
        let errors = log.try_clone().map_err(Error::file("opening", &self.log))?;
        Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(passed_on())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Start {
                program: self.program.clone(),
                source,
            })
    }

    /// What a running one was started from; differs once the program or one of its files is another.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = DefaultHasher::new();
        (&self.program, &self.arguments, &self.environment).hash(&mut hash);
        if let Ok(program) = fs::metadata(&self.program) {
            (
                program.ino(),
                program.len(),
                program.mtime(),
                program.mtime_nsec(),
            )
                .hash(&mut hash);
        }
        for path in &self.depends_on {
            fs::read(path).unwrap_or_default().hash(&mut hash);
        }
        format!("{:016x}", hash.finish())
    }

    /// Puts a log that has grown large aside, keeping one.
    pub fn rotate_log(&self) {
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > LOG_LIMIT) {
            // A log that cannot be moved is no reason not to start.
            let _ = fs::rename(&self.log, self.log.with_extension("log.1"));
        }
    }
}

/// The variables that processes of the cloud inherit: where programs are, the logs' filter, what a
/// back trace needs, and in debug builds where fault points are armed. Everything else could change how
/// they work from one start to the next.
fn passed_on() -> impl Iterator<Item = (String, String)> {
    let faults = skybus_fault::COMPILED_IN.then_some(skybus_fault::VARIABLE);
    ["PATH", "TZ", "SKYBUS_LOG", "RUST_BACKTRACE"]
        .into_iter()
        .chain(faults)
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
}

/// A program of skybus, found beside the one that runs now, else on `PATH`.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    // A test program lies one directory below the programs.
    let beside = own.ancestors().skip(1).take(2).map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<_> = std::env::split_paths(&path).collect();
    beside
        .chain(path)
        .map(|directory| directory.join(name))
        .find(|file| is_program(file))
}

/// A program of the system, looked for on `PATH` and where only root's programs are.
#[must_use]
pub fn system_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0)
}
