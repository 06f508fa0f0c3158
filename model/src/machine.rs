//! Machines: the computers that a cloud runs on, from the invitation to the removal.
//!
//! A machine is not the same as a host: a machine that runs an API server or a scheduler is no host, and one
//! that plays hosts in memory is several.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::message::Service;

/// A word that names nothing of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} {word:?}; use {known}")]
pub struct Unknown {
    kind: &'static str,
    word: String,
    known: &'static str,
}

/// What a machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything: it is where `skybus up` made the cloud.
    All,
    /// Guests and their networks.
    Compute,
    /// One more scheduler.
    Scheduler,
    /// One more API server.
    Api,
}

impl Role {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Compute => "compute",
            Self::Scheduler => "scheduler",
            Self::Api => "api",
        }
    }

    /// The processes that play it, each with an account of its own on the broker.
    #[must_use]
    pub const fn services(self) -> &'static [Service] {
        match self {
            Self::All => &[
                Service::Api,
                Service::Scheduler,
                Service::Compute,
                Service::Network,
            ],
            Self::Compute => &[Service::Compute, Service::Network],
            Self::Scheduler => &[Service::Scheduler],
            Self::Api => &[Service::Api],
        }
    }

    /// Whether its processes work with the database themselves.
    #[must_use]
    pub const fn needs_database(self) -> bool {
        !matches!(self, Self::Compute)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Unknown;
    fn from_str(word: &str) -> Result<Self, Unknown> {
        [Self::All, Self::Compute, Self::Scheduler, Self::Api]
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| Unknown {
                kind: "role",
                word: word.chars().take(80).collect(),
                known: "compute, scheduler or api",
            })
    }
}

/// Where a machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A token was made for it.
    Invited,
    /// It has used the token: its accounts are there.
    Joined,
    /// It is being taken away: its rows are gone, its accounts and queues may still be there.
    Leaving,
    /// Nothing of it is left but its name, by which it is recognised when it still speaks.
    Removed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Invited, Self::Joined, Self::Leaving, Self::Removed];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Joined => "joined",
            Self::Leaving => "leaving",
            Self::Removed => "removed",
        }
    }

    /// Whether a machine may go from here to there. Inviting again replaces the token.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Invited | Self::Removed, Self::Invited)
                | (Self::Invited, Self::Joined)
                | (Self::Invited | Self::Joined, Self::Leaving)
                | (Self::Leaving, Self::Removed)
        )
    }

    /// Whether what it still says counts for nothing.
    #[must_use]
    pub const fn is_away(self) -> bool {
        matches!(self, Self::Leaving | Self::Removed)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = Unknown;
    fn from_str(word: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| Unknown {
                kind: "state",
                word: word.chars().take(80).collect(),
                known: "invited, joined, leaving or removed",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_comes_by_invitation_and_goes_by_leaving() {
        let ways: Vec<_> = State::ALL
            .into_iter()
            .flat_map(|from| State::ALL.map(|to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .map(|(from, to)| format!("{from} {to}"))
            .collect();
        assert_eq!(
            ways,
            [
                "invited invited",
                "invited joined",
                "invited leaving",
                "joined leaving",
                "leaving removed",
                "removed invited",
            ]
        );
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        let error = "storage".parse::<Role>().unwrap_err().to_string();
        assert!(error.contains("compute, scheduler or api"), "{error}");
    }
}
