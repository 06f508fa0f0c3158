//! QEMU as a process that outlives the worker: started in a session of its own, found again by its
//! arguments, watched and ended through a process descriptor (so never mistaken for a later process
//! with the same number).

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Command, Stdio},
};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use skybus_model::{Generation, id::ServerId};
use tokio::io::{Interest, unix::AsyncFd};

use super::{
    acceleration::QEMU,
    command_line,
    files::Files,
    user::{GuestUser, may_be_a_guest},
};

/// The first descriptor that is handed to QEMU; the monitor's socket, then the taps.
pub const FIRST_FD: i32 = 10;

/// A QEMU that runs, whoever started it.
#[derive(Debug)]
pub struct Process {
    descriptor: AsyncFd<OwnedFd>,
    generation: Generation,
}

impl Process {
    /// The QEMU of `server`, if it runs.
    ///
    /// # Errors
    /// When the kernel does not let it be watched.
    pub fn find(server: ServerId, files: &Files) -> io::Result<Option<Self>> {
        let Some((pid, _)) = guests()
            .into_iter()
            .find_map(|(pid, words)| Some((pid, recognise(&words, server, files)?)))
        else {
            return Ok(None);
        };
        let descriptor = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(descriptor) => descriptor,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Only now that it is held is it sure that the number still means the same process.
        let still = arguments(pid).and_then(|words| recognise(&words, server, files));
        let Some(generation) = still else {
            return Ok(None);
        };
        let descriptor = watch(descriptor)?;
        Ok(Some(Self {
            descriptor,
            generation,
        }))
    }

    /// The generation that it was started for.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        // An error could only mean that the runtime itself is going down.
        let _ = self.descriptor.readable().await;
    }

    /// Ends it at once, without asking.
    pub fn kill(&self) {
        if let Err(error) = pidfd_send_signal(self.descriptor.as_fd(), Signal::KILL)
            && error != rustix::io::Errno::SRCH
        {
            tracing::error!(%error, "a guest's QEMU cannot be ended");
        }
    }
}

/// Starts QEMU for `generation`. `inherited` become its descriptors from [`FIRST_FD`] on. It ends when the guest does,
/// whatever becomes of the worker.
///
/// # Errors
/// When it cannot be started at all.
pub fn start(
    arguments: &[String],
    generation: Generation,
    user: GuestUser,
    inherited: Vec<OwnedFd>,
    log: File,
) -> io::Result<Process> {
    // `setsid` replaces itself by QEMU, so the process is QEMU's own and the leader of its session.
    let mut command = Command::new("setsid");
    command
        .arg(QEMU)
        .args(arguments)
        .current_dir("/")
        .env_clear();
    command
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C");
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    if user.switch {
        // Becoming another user drops root's supplementary groups, too.
        command.uid(user.uid).gid(user.gid);
    }
    let mappings = inherited
        .into_iter()
        .zip(FIRST_FD..)
        .map(|(parent_fd, child_fd)| FdMapping {
            parent_fd,
            child_fd,
        })
        .collect();
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    // The runtime reaps it if it ends while the worker lives; nothing ends it when the worker does.
    let child = tokio::process::Command::from(command).spawn()?;
    let number = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    let pid = number.ok_or_else(|| io::Error::other("the process has no number"))?;
    // It is still ours to reap here, so the number means it, even if it has ended already.
    let descriptor = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
    let descriptor = watch(descriptor)?;
    Ok(Process {
        descriptor,
        generation,
    })
}

#[allow(
    deprecated,
    reason = "its successor is unsafe because a descriptor might be closed under it; an OwnedFd is not"
)]
fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}

/// Every process that may be a guest's QEMU, with its arguments.
fn guests() -> Vec<(Pid, Vec<String>)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|pid| user(*pid).is_some_and(may_be_a_guest))
        .filter_map(|pid| Some((pid, arguments(pid)?)))
        .collect()
}

/// The servers below `data_dir` whose QEMU runs, whether anything else is known of them or not.
#[must_use]
pub fn servers(data_dir: &std::path::Path) -> Vec<ServerId> {
    guests()
        .into_iter()
        .filter_map(|(_, words)| {
            let label = words.iter().find_map(|word| word.strip_prefix("skybus:"))?;
            let server: ServerId = label.split(':').next()?.parse().ok()?;
            recognise(&words, server, &Files::of(data_dir, server)).map(|_| server)
        })
        .collect()
}

fn recognise(words: &[String], server: ServerId, files: &Files) -> Option<Generation> {
    // For a moment it is still `setsid` with QEMU's name as its first argument.
    if !words.iter().take(2).any(|word| word.ends_with(QEMU)) {
        return None;
    }
    command_line::recognise(words, &server.to_string(), files)
}

fn user(pid: Pid) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn arguments(pid: Pid) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some(text.split_terminator('\0').map(str::to_owned).collect())
}
