//! The states of a server, in Nova's words.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word as it is kept and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(UnknownWord { word: word.to_owned() }),
                }
            }
        }
    };
}

pub(crate) use words;

/// A word that names no value of the type it was read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a value that is known here")]
pub struct UnknownWord {
    /// What was read.
    pub word: String,
}

words! {
    /// What a server is (`OS-EXT-STS:vm_state`).
    VmState {
        /// Accepted, not yet running for the first time.
        Building = "building",
        /// It should run and, as far as is known, does.
        Active = "active",
        /// It is off, by its owner's wish or by its own.
        Stopped = "stopped",
        /// The hypervisor holds it, for instance because the host's disk is full.
        Paused = "paused",
        /// It failed; its fault says why.
        Error = "error",
        /// It is gone; the row is kept for accounting.
        Deleted = "deleted",
    }
}

words! {
    /// What is being done to a server (`OS-EXT-STS:task_state`).
    Task {
        /// A host is being chosen.
        Scheduling = "scheduling",
        /// The chosen host is building it.
        Spawning = "spawning",
        /// Being stopped.
        PoweringOff = "powering-off",
        /// Being started.
        PoweringOn = "powering-on",
        /// Being rebooted by asking the guest.
        Rebooting = "rebooting",
        /// Being rebooted by resetting the machine.
        RebootingHard = "rebooting_hard",
        /// Being plugged into one more network.
        AttachingInterface = "attaching_interface",
        /// Being unplugged from a network.
        DetachingInterface = "detaching_interface",
        /// Being removed.
        Deleting = "deleting",
    }
}

words! {
    /// What the hypervisor says of the machine.
    Power {
        /// Not known yet.
        Unknown = "unknown",
        /// Its CPUs run.
        Running = "running",
        /// The hypervisor holds it.
        Paused = "paused",
        /// It is off.
        Shutdown = "shutdown",
        /// Its process ended without a power-off.
        Crashed = "crashed",
        /// There is no such machine on the host.
        Absent = "absent",
    }
}

impl Power {
    /// Nova's number for it (`OS-EXT-STS:power_state`).
    #[must_use]
    pub const fn nova_number(self) -> u8 {
        match self {
            Self::Unknown | Self::Absent => 0,
            Self::Running => 1,
            Self::Paused => 3,
            Self::Shutdown => 4,
            Self::Crashed => 6,
        }
    }
}

/// What a server is and what is being done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerState {
    /// What it is.
    pub vm: VmState,
    /// What is being done to it, if anything.
    pub task: Option<Task>,
}

impl ServerState {
    /// A server that was just accepted.
    pub const ACCEPTED: Self = Self {
        vm: VmState::Building,
        task: Some(Task::Scheduling),
    };

    /// The state in which nothing is being done.
    #[must_use]
    pub const fn settled(vm: VmState) -> Self {
        Self { vm, task: None }
    }

    /// The one word that clients show (`status` of the Compute API).
    #[must_use]
    pub const fn status(self) -> &'static str {
        match (self.vm, self.task) {
            (VmState::Active, Some(Task::Rebooting)) => "REBOOT",
            (VmState::Active, Some(Task::RebootingHard)) => "HARD_REBOOT",
            (VmState::Building, _) => "BUILD",
            (VmState::Active, _) => "ACTIVE",
            (VmState::Stopped, _) => "SHUTOFF",
            (VmState::Paused, _) => "PAUSED",
            (VmState::Error, _) => "ERROR",
            (VmState::Deleted, _) => "DELETED",
        }
    }
}
