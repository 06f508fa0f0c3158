//! Which process is meant: its number, and when it started.

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// A process of this boot of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: i32,
    /// When it started, in the kernel's ticks since boot.
    pub started: u64,
}

impl ProcessId {
    /// The process that has this number now, unless it has ended.
    #[must_use]
    pub fn of(pid: Pid) -> Option<Self> {
        let pid = pid.as_raw_nonzero().get();
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in brackets, which may hold spaces and brackets itself.
        let fields: Vec<_> = text.rsplit_once(") ")?.1.split(' ').collect();
        let (state, started) = (fields.first()?, fields.get(19)?);
        // A zombie has ended; only nobody has asked yet.
        (!matches!(*state, "Z" | "X")).then_some(Self {
            pid,
            started: started.parse().ok()?,
        })
    }

    /// This very process.
    #[must_use]
    pub fn own() -> Option<Self> {
        Self::of(rustix::process::getpid())
    }

    /// Its number, for system calls.
    #[must_use]
    pub fn pid(self) -> Option<Pid> {
        Pid::from_raw(self.pid)
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(self) -> bool {
        self.pid().and_then(Self::of) == Some(self)
    }
}

/// Names this boot of the host: a process that was noted before it is gone, whatever has its number now.
#[must_use]
pub fn boot() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn another_process_with_the_same_number_is_not_the_same() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert!(
            !ProcessId {
                started: own.started + 1,
                ..own
            }
            .is_alive()
        );
    }

    #[tokio::test]
    async fn a_zombie_has_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of(Pid::from_child(&child)).unwrap();
        let watched = crate::process::Watched::hold(id).unwrap().unwrap();
        child.kill().unwrap();
        watched.ended().await;
        assert!(!id.is_alive());
        child.wait().unwrap();
    }
}
