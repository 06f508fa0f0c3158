//! Why a network could not be made or taken away.

use std::io;

use crate::{program, transit::Exhausted};

/// Why a network could not be made or taken away on this host.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program that does the work is missing or refused.
    #[error(transparent)]
    Program(#[from] program::Error),
    /// A file, namespace or process could not be changed.
    #[error(transparent)]
    System(#[from] io::Error),
    /// No transit addresses are left.
    #[error(transparent)]
    Transit(#[from] Exhausted),
    /// The kernel does not show bridged frames to the filter, so guests could not be guarded.
    #[error(
        "this kernel has no br_netfilter, without which guests on a bridge cannot be guarded from each \
         other; load it with `modprobe br_netfilter` (and name it in /etc/modules-load.d)"
    )]
    NoBridgeFilter,
    /// Nothing carries the network's frames between this host and others.
    #[error("{0}")]
    Segment(String),
    /// The work on the host ended without a result.
    #[error("the work on the host was cut off: {0}")]
    CutOff(String),
}
