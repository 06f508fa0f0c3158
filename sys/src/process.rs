//! Ending a process that is not our child, and knowing when it has ended, without looking again and
//! again: through a pidfd, which means this very process even when its number is given to another.

use std::{io, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

/// Asks the process to end, waits for that up to `patience`, then kills it. It is no error that there is
/// no such process (any more).
///
/// # Errors
/// When it may not be signalled, or survives even that.
pub fn end(pid: i32, patience: Duration) -> io::Result<()> {
    let Some(process) = open(pid)? else {
        return Ok(());
    };
    for (signal, patience) in [
        (Signal::TERM, patience),
        (Signal::KILL, Duration::from_secs(5)),
    ] {
        match pidfd_send_signal(&process, signal) {
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            other => other?,
        }
        let limit = Timespec::try_from(patience).map_err(io::Error::other)?;
        if poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit))? > 0 {
            return Ok(());
        }
    }
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        format!("process {pid} does not end"),
    ))
}

/// Asks the process to read its files anew (SIGHUP).
///
/// # Errors
/// When there is no such process.
pub fn reread(pid: i32) -> io::Result<()> {
    let process = open(pid)?.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no process {pid}"),
        )
    })?;
    Ok(pidfd_send_signal(process, Signal::HUP)?)
}

fn open(pid: i32) -> io::Result<Option<std::os::fd::OwnedFd>> {
    // Zero and negative numbers mean groups of processes, never one.
    let Some(pid) = (pid > 0).then(|| Pid::from_raw(pid)).flatten() else {
        return Ok(None);
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => Ok(Some(process)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_ended_and_one_that_is_gone_is_no_error() {
        let mut child = Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        end(pid, Duration::from_secs(5)).unwrap();
        assert!(!child.wait().unwrap().success());
        end(pid, Duration::from_secs(5)).unwrap();
        assert!(reread(pid).is_err());
        end(0, Duration::ZERO).unwrap();
        end(-1, Duration::ZERO).unwrap();
    }

    #[test]
    fn one_that_does_not_listen_is_killed() {
        let mut child = Command::new("sh")
            .args(["-c", "trap '' TERM; echo ready; read line"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        end(
            i32::try_from(child.id()).unwrap(),
            Duration::from_millis(50),
        )
        .unwrap();
        child.wait().unwrap();
    }
}
