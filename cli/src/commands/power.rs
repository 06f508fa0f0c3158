//! Turning servers on, off, and on again.

use clap::Subcommand;
use serde_json::json;

use super::servers::act;
use crate::{
    arguments::Context,
    failure::Failure,
    resolve::{self, SERVER},
    wait::{self, Goal},
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Turn servers on
    Start {
        /// Their names or ids
        #[arg(required = true)]
        servers: Vec<String>,
        /// Wait until they run
        #[arg(long)]
        poll: bool,
    },
    /// Turn servers off
    Stop {
        /// Their names or ids
        #[arg(required = true)]
        servers: Vec<String>,
        /// Wait until they are off
        #[arg(long)]
        poll: bool,
    },
    /// Reboot servers
    Reboot {
        /// Their names or ids
        #[arg(required = true)]
        servers: Vec<String>,
        /// Reset the machine instead of asking the guest
        #[arg(long)]
        hard: bool,
        /// Wait until they run again
        #[arg(long)]
        poll: bool,
    },
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let (servers, action, goal, poll) = match self {
            Self::Start { servers, poll } => {
                (servers, json!({"os-start": null}), Goal::Active, poll)
            }
            Self::Stop { servers, poll } => (servers, json!({"os-stop": null}), Goal::Off, poll),
            Self::Reboot {
                servers,
                hard,
                poll,
            } => {
                let kind = if hard { "HARD" } else { "SOFT" };
                (
                    servers,
                    json!({"reboot": {"type": kind}}),
                    Goal::Active,
                    poll,
                )
            }
        };
        let session = context.session()?;
        super::each(&servers, |server| {
            let id = resolve::id(&session, SERVER, server)?;
            act(&session, &id, &action)?;
            if poll {
                wait::until(&session, &id, goal)?;
            }
            Ok(())
        })
    }
}
