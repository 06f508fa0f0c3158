//! Operations: an accepted change, remembered as a row until it has ended.
//!
//! On the happy path nobody reads the row; messages form a chain. The row is what lets any API server
//! go on when a process of that chain died.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::server::state::{UnknownWord, words};

words! {
    /// What was asked for. The word is also the action's name in the Compute API (`os-instance-actions`).
    OperationKind {
        /// Make a server.
        Boot = "create",
        /// Turn it on.
        Start = "start",
        /// Turn it off.
        Stop = "stop",
        /// Reboot it, soft or hard.
        Reboot = "reboot",
        /// Plug it into one more network.
        AttachInterface = "attach_interface",
        /// Unplug it from a network.
        DetachInterface = "detach_interface",
        /// Remove it.
        Delete = "delete",
    }
}

words! {
    /// Where an operation is.
    Step {
        /// A scheduler is asked for a host.
        Placing = "placing",
        /// The host has been told, and is expected to report.
        OnHost = "on-host",
        /// Ended as asked.
        Done = "done",
        /// Ended with a fault.
        Failed = "failed",
        /// Overtaken by a later wish (a delete).
        Overtaken = "overtaken",
    }
}

impl Step {
    /// Whether the operation has ended.
    #[must_use]
    pub const fn ended(self) -> bool {
        match self {
            Self::Placing | Self::OnHost => false,
            Self::Done | Self::Failed | Self::Overtaken => true,
        }
    }

    /// Whether an operation may go from this step to `next`. A boot whose host failed goes back to be
    /// placed again.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Placing => matches!(next, Self::OnHost | Self::Failed | Self::Overtaken),
            Self::OnHost => matches!(
                next,
                Self::Placing | Self::Done | Self::Failed | Self::Overtaken
            ),
            Self::Done | Self::Failed | Self::Overtaken => false,
        }
    }
}

impl OperationKind {
    /// How long an operation may take in all before it ends in a fault. A delete is never given up: when
    /// its deadline passes it is sent again.
    #[must_use]
    pub const fn deadline(self) -> Duration {
        match self {
            Self::Boot => Duration::from_secs(600),
            Self::Start | Self::Stop | Self::AttachInterface | Self::DetachInterface => {
                Duration::from_secs(180)
            }
            Self::Reboot => Duration::from_secs(240),
            Self::Delete => Duration::from_secs(300),
        }
    }

    /// How long one step may stay silent before an API server looks after it.
    #[must_use]
    pub const fn patience(self) -> Duration {
        Duration::from_secs(20)
    }
}

/// One thing that happened on the way, for `skybus trace` and the Compute API's action events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// When.
    pub at: crate::Timestamp,
    /// Who: `api`, `scheduler`, `compute@node-1`, `network@node-1`.
    pub who: String,
    /// What, in words: `placed`, `image ready`, `qemu started`.
    pub what: String,
    /// More, for operators.
    #[serde(default)]
    pub detail: String,
}

impl Hop {
    /// A hop that happens now.
    #[must_use]
    pub fn now(who: impl Into<String>, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            at: crate::Timestamp::now(),
            who: who.into(),
            what: what.into(),
            detail: detail.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_stays_ended_and_what_has_not_can_end() {
        for step in Step::ALL {
            let ways_on = Step::ALL
                .iter()
                .filter(|next| step.may_become(**next))
                .count();
            assert_eq!(ways_on == 0, step.ended(), "{step}");
            if !step.ended() {
                assert!(step.may_become(Step::Failed) && step.may_become(Step::Overtaken));
            }
        }
    }
}
