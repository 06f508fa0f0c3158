//! Watching and ending one process, whoever started it.

use std::{os::fd::OwnedFd, time::Duration};

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::{io::unix::AsyncFd, time::timeout};

use super::ProcessId;
use crate::Error;

/// A running process, held by a descriptor that means it and no other.
#[derive(Debug)]
pub struct Watched {
    id: ProcessId,
    descriptor: AsyncFd<OwnedFd>,
}

impl Watched {
    /// Takes hold of a process; `None` when it has ended.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn hold(id: ProcessId) -> Result<Option<Self>, Error> {
        let failed = Error::system("watching a process");
        let Some(pid) = id.pid() else { return Ok(None) };
        let descriptor = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(descriptor) => descriptor,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(failed(std::io::Error::from(error))),
        };
        // Asked after the descriptor is open: now the number cannot be used again unnoticed.
        if !id.is_alive() {
            return Ok(None);
        }
        #[allow(
            deprecated,
            reason = "an OwnedFd stays open and the same, which is all that its unsafe successor asks"
        )]
        let descriptor = AsyncFd::new(descriptor).map_err(failed)?;
        Ok(Some(Self { id, descriptor }))
    }

    /// Which process it is.
    #[must_use]
    pub const fn id(&self) -> ProcessId {
        self.id
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        // The descriptor becomes readable once, at the end. An error means that it cannot be watched
        // any more, which only happens while the runtime shuts down.
        let _ = self.descriptor.readable().await;
    }

    /// Asks it to end, and kills it when it has not done so within `grace`. Returns whether it went by
    /// itself.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.signal(Signal::TERM);
        if timeout(grace, self.ended()).await.is_ok() {
            return true;
        }
        self.signal(Signal::KILL);
        self.ended().await;
        false
    }

    /// Sends a signal. One to a process that has ended goes nowhere.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(self.descriptor.get_ref(), signal);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::Pid;

    use super::*;

    #[tokio::test]
    async fn one_that_does_not_listen_is_killed() {
        let mut child = Command::new("sh")
            .args(["-c", "trap '' TERM; echo ready; while :; do read x; done"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        let id = ProcessId::of(Pid::from_child(&child)).unwrap();
        let watched = Watched::hold(id).unwrap().unwrap();
        assert!(!watched.stop(Duration::from_millis(100)).await);
        child.wait().unwrap();
        assert!(Watched::hold(id).unwrap().is_none());
    }
}
