//! `skybus up`: look at the host, write down what the cloud is, start the supervisor, follow its start.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::unix::pipe::Receiver,
    select,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

use crate::{
    DataDir, Error,
    cloud::Cloud,
    credentials,
    options::{Options, Up},
    preflight,
    process::{ProcessId, Spec, Watched, spawn},
    progress::Progress,
    state::{Phase, State},
    terminal::say,
};

const SUPERVISOR: &str = "supervisor";
/// A killed process that still waits for the disk after this has other troubles.
const LONGEST_DEATH: Duration = Duration::from_secs(10);
/// Nobody tells when a lock is let go.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The command.
///
/// # Errors
/// When the cloud could not be started; nothing of it runs then that did not run before.
pub async fn run(arguments: Up) -> Result<ExitCode, Error> {
    let data = DataDir::at(&arguments.data_dir)?;
    if data.has_host() && !data.has_cloud() {
        return Err(Error::Options(format!(
            "{} is the directory of a machine that has joined another cloud; `skybus join` starts it again, \
             `skybus down --purge` removes it",
            data.path().display()
        )));
    }
    if is_supervised(&data).await {
        return Ok(runs_already(&data));
    }
    let former = if data.has_cloud() {
        Some(Cloud::load(&data)?)
    } else {
        None
    };
    // Machines that have joined were told this port.
    let told = former
        .as_ref()
        .filter(|cloud| cloud.options.public_address.is_some())
        .map(|cloud| cloud.ports.amqp);
    let options = Options::chosen(&arguments, former.as_ref().map(|cloud| &cloud.options))?;
    let left_running = State::load(&data).alive().next().is_some();
    preflight::check(&data, &options, left_running).await?;

    data.create()?;
    let mut cloud = match former {
        Some(mut cloud) => {
            cloud.options = options;
            cloud.secrets.complete();
            cloud
        }
        None => Cloud::new(options)?,
    };
    if !left_running {
        cloud.ports.replace_taken_but(told)?;
    }
    cloud.save(&data)?;
    credentials::write(&data, &cloud)?;
    say(format!(
        "skybus: starting a cloud in {}",
        data.path().display()
    ));
    let mut supervisor = Supervisor::start(&data)?;
    if !supervisor.follow_start(&data).await? {
        return Ok(runs_already(&data));
    }
    tell_where(&data, &cloud);
    if arguments.detach {
        return Ok(ExitCode::SUCCESS);
    }
    supervisor.follow(&data).await
}

/// Whether a supervisor runs this cloud. One that was killed keeps its lock until the last of its threads
/// has ended, which takes a moment when that one waits for the disk; it must not be taken for one that runs.
pub(crate) async fn is_supervised(data: &DataDir) -> bool {
    let end = Instant::now() + LONGEST_DEATH;
    while data.is_supervised() {
        let named = State::load(data).supervisor;
        let dying = named.is_some_and(|supervisor| !supervisor.is_alive());
        if !dying || Instant::now() > end {
            return true;
        }
        sleep(LOOK_EVERY).await;
    }
    false
}

fn runs_already(data: &DataDir) -> ExitCode {
    match (Cloud::load(data), State::load(data).phase) {
        (Ok(cloud), Phase::Running) => {
            say("skybus: this cloud runs already; new options take effect after `skybus down`");
            tell_where(data, &cloud);
        }
        (_, Phase::Stopping) => say("skybus: this cloud is being stopped; try again when it is"),
        _ => say("skybus: this cloud is being started already; see `skybus status`"),
    }
    ExitCode::SUCCESS
}

fn tell_where(data: &DataDir, cloud: &Cloud) {
    let place = data.path().display();
    let option = if data.path() == std::path::Path::new(crate::data_dir::DEFAULT) {
        String::new()
    } else {
        format!(" --data-dir {place}")
    };
    say(format!("skybus: the cloud answers at {}", cloud.url()));
    say(format!(
        "  for clients     {place}/clouds.yaml (clouds skybus and skybus-demo), {place}/openrc"
    ));
    say(format!("  in this shell   eval \"$(skybus env{option})\""));
    say(format!(
        "  what runs       skybus status{option}     logs: {place}/log"
    ));
    say(format!("  to end it       skybus down{option}"));
}

/// The supervisor that this command has started.
pub(crate) struct Supervisor {
    watched: Option<Watched>,
    told: Lines<BufReader<Receiver>>,
}

impl Supervisor {
    pub(crate) fn start(data: &DataDir) -> Result<Self, Error> {
        let name = "skybus-supervisor";
        let program = spawn::program(name).ok_or_else(|| Error::Start {
            program: name.into(),
            source: std::io::ErrorKind::NotFound.into(),
        })?;
        let path = data.log(SUPERVISOR);
        let log = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(Error::file("opening", &path))?;
        let mut child = Command::new(&program)
            .arg("--data-dir")
            .arg(data.path())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C at the terminal is this command's to handle.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Start { program, source })?;
        let watched = match ProcessId::of(Pid::from_child(&child)) {
            Some(id) => Watched::hold(id)?,
            None => None,
        };
        let failed = "listening to the supervisor";
        let out = child
            .stdout
            .take()
            .ok_or(std::io::ErrorKind::BrokenPipe)
            .map_err(Error::system(failed))?;
        let out = Receiver::from_owned_fd(out.into()).map_err(Error::system(failed))?;
        Ok(Self {
            watched,
            told: BufReader::new(out).lines(),
        })
    }

    /// Follows until the cloud answers. `false`: another supervisor was faster.
    pub(crate) async fn follow_start(&mut self, data: &DataDir) -> Result<bool, Error> {
        let mut interrupt =
            signal(SignalKind::interrupt()).map_err(Error::system("listening for Ctrl-C"))?;
        loop {
            let progress = select! {
                progress = self.next() => progress,
                _ = interrupt.recv() => {
                    say("skybus: stopping");
                    self.end().await;
                    None
                }
            };
            match progress {
                Some(Progress::Step(text) | Progress::Note(text)) => say(format!("  {text}")),
                Some(Progress::Ready) => return Ok(true),
                Some(Progress::Already) => return Ok(false),
                Some(Progress::Failed(why)) => {
                    self.gone().await;
                    return Err(Error::Options(format!(
                        "the cloud could not be started; what had been started is stopped again\n{why}"
                    )));
                }
                None => {
                    return Err(Error::DidNotComeUp {
                        name: SUPERVISOR.to_owned(),
                        why: format!("it ended; see {}", data.log(SUPERVISOR).display()),
                    });
                }
            }
        }
    }

    /// Stays with a running cloud until Ctrl-C.
    pub(crate) async fn follow(mut self, data: &DataDir) -> Result<ExitCode, Error> {
        let failed = "listening for Ctrl-C";
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::system(failed))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::system(failed))?;
        say("skybus: Ctrl-C stops the cloud; its guests go on running");
        loop {
            select! {
                progress = self.next() => match progress {
                    Some(Progress::Step(text) | Progress::Note(text)) => say(format!("  {text}")),
                    Some(_) => {}
                    None => {
                        say(format!("skybus: the supervisor has ended; see {}", data.log(SUPERVISOR).display()));
                        return Ok(ExitCode::FAILURE);
                    }
                },
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
            }
        }
        say("skybus: stopping roles and broker");
        self.end().await;
        say(
            "skybus: stopped; guests go on running. `skybus up` takes them over again, `skybus down` ends them",
        );
        Ok(ExitCode::SUCCESS)
    }

    async fn next(&mut self) -> Option<Progress> {
        loop {
            let line = self.told.next_line().await.ok()??;
            // What is not for us is some library's chatter.
            if let Ok(progress) = serde_json::from_str(&line) {
                return Some(progress);
            }
        }
    }

    async fn end(&self) {
        if let Some(watched) = &self.watched {
            watched.signal(Signal::TERM);
        }
        self.gone().await;
    }

    async fn gone(&self) {
        if let Some(watched) = &self.watched {
            watched.ended().await;
        }
    }
}

/// How an ended process's work on the host is taken back; used by `down`.
pub(crate) fn teardown(data: &DataDir, role: &str) -> Option<Spec> {
    let program = spawn::program(&crate::roles::program_name(role))?;
    let config = data.role_config(role);
    config.exists().then(|| Spec {
        name: format!("{role}-teardown"),
        program,
        arguments: ["teardown", "--config", &config.display().to_string()]
            .map(str::to_owned)
            .into(),
        environment: Vec::new(),
        directory: data.path().to_owned(),
        log: data.log(role),
        depends_on: Vec::new(),
        grace: Duration::from_secs(60),
    })
}

#[cfg(test)]
#[path = "up_tests.rs"]
mod tests;
