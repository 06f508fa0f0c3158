//! What operators make for everybody: networks that projects are given, and the numbers that networks are
//! carried under (administrators).

use clap::{Subcommand, ValueEnum};

use crate::{arguments::Context, failure::Failure};

mod networks;
mod segment_ranges;

/// The physical network that is meant when none is named.
const PHYSICAL: &str = "physnet1";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Networks that projects are given
    #[command(subcommand)]
    Network(networks::Command),
    /// Numbers of VLANs and VXLANs, out of which the networks that projects make get theirs
    #[command(subcommand)]
    SegmentRange(segment_ranges::Command),
}

/// Kinds of segments that have numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Numbered {
    /// IEEE 802.1Q, on a physical network.
    Vlan,
    /// Tunnels between hosts.
    Vxlan,
}

impl Numbered {
    const fn word(self) -> &'static str {
        match self {
            Self::Vlan => "vlan",
            Self::Vxlan => "vxlan",
        }
    }
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Network(command) => command.run(context),
            Self::SegmentRange(command) => command.run(context),
        }
    }
}
