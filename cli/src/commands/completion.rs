//! Completion scripts for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{
    arguments::{Arguments, Context},
    failure::Failure,
};

/// The options.
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// Which shell
    shell: Shell,
}

impl Completion {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "skybus", &mut script);
        context.output.text(&String::from_utf8_lossy(&script))
    }
}
