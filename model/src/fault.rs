//! Why something failed, in words that a person can act on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stable word for a kind of failure; each has a page in `docs/errors/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultCode {
    /// No host passed the scheduler's filters.
    NoValidHost,
    /// The host that should have done the work did not answer in time.
    HostSilent,
    /// The image could not be fetched, or is not what the catalogue says it is.
    ImageUnusable,
    /// The host's disk is full.
    DiskFull,
    /// The network part did not come up on the host.
    NetworkNotReady,
    /// QEMU did not start, or ended at once.
    MachineDidNotStart,
    /// The guest ended by itself in a way that is not a clean power-off.
    MachineCrashed,
    /// The operation ran past its deadline.
    DeadlinePassed,
    /// An operator set the state by hand.
    SetByOperator,
    /// A defect in skybus itself.
    Internal,
}

impl FaultCode {
    /// Every code, in the order of `docs/errors/README.md`.
    pub const ALL: [Self; 10] = [
        Self::NoValidHost,
        Self::HostSilent,
        Self::ImageUnusable,
        Self::DiskFull,
        Self::NetworkNotReady,
        Self::MachineDidNotStart,
        Self::MachineCrashed,
        Self::DeadlinePassed,
        Self::SetByOperator,
        Self::Internal,
    ];

    /// The word itself, e.g. `no-valid-host`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoValidHost => "no-valid-host",
            Self::HostSilent => "host-silent",
            Self::ImageUnusable => "image-unusable",
            Self::DiskFull => "disk-full",
            Self::NetworkNotReady => "network-not-ready",
            Self::MachineDidNotStart => "machine-did-not-start",
            Self::MachineCrashed => "machine-crashed",
            Self::DeadlinePassed => "deadline-passed",
            Self::SetByOperator => "set-by-operator",
            Self::Internal => "internal",
        }
    }

    /// Whether another host might succeed where this one failed.
    #[must_use]
    pub const fn worth_another_host(self) -> bool {
        match self {
            Self::HostSilent
            | Self::DiskFull
            | Self::NetworkNotReady
            | Self::MachineDidNotStart
            | Self::Internal => true,
            Self::NoValidHost
            | Self::ImageUnusable
            | Self::MachineCrashed
            | Self::DeadlinePassed
            | Self::SetByOperator => false,
        }
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure as its owner sees it (`message`) and as an operator sees it (`details`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of failure.
    pub code: FaultCode,
    /// The thing, the reason and the next step; shown to the server's owner.
    pub message: String,
    /// More for operators: host names, the end of a log. Empty when there is nothing to add.
    #[serde(default)]
    pub details: String,
}

impl Fault {
    /// A fault without details.
    #[must_use]
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: String::new(),
        }
    }

    /// The same fault, with details for operators.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}
