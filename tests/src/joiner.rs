//! Another machine, played on this one by a directory of its own and another name: it joins a cloud, and is
//! taken down with everything that it runs when the test ends.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    faults::Faults,
    programs,
    ran::{self, Ran},
};

/// A cold start on a busy machine.
const JOIN: Duration = Duration::from_secs(180);
const DOWN: Duration = Duration::from_secs(120);

/// A machine that joins.
#[derive(Debug)]
pub struct Joiner {
    directory: TempDir,
}

impl Joiner {
    /// A machine that has nothing yet.
    ///
    /// # Errors
    /// When there is no directory to be had.
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("skybus-join-")
            .tempdir()
            .context("making a directory for another machine")?;
        Ok(Self { directory })
    }

    /// Where everything of it lies.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Runs `skybus-join` with these words.
    ///
    /// # Errors
    /// When it cannot be run or hangs.
    pub fn join(&self, words: &[&str]) -> Result<Ran> {
        ran::run(&mut self.command(words)?, JOIN)
    }

    /// The same in a process in which fault points can be armed.
    ///
    /// # Errors
    /// When it cannot be run or hangs.
    pub fn join_with(&self, faults: &Faults, words: &[&str]) -> Result<Ran> {
        let mut command = self.command(words)?;
        command.env(skybus_fault::VARIABLE, faults.directory());
        ran::run(&mut command, JOIN)
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(programs::program("skybus-join")?);
        command
            .args(words)
            .arg("--data-dir")
            .arg(self.data_dir())
            .env_remove("SKYBUS_DATA_DIR");
        Ok(command)
    }

    /// Runs `skybus-down` or `skybus-status` for it.
    ///
    /// # Errors
    /// When it cannot be run or hangs.
    pub fn run(&self, program: &str, words: &[&str]) -> Result<Ran> {
        let mut command = Command::new(programs::program(program)?);
        command.arg("--data-dir").arg(self.data_dir()).args(words);
        ran::run(&mut command, DOWN)
    }
}

impl Drop for Joiner {
    fn drop(&mut self) {
        // Nobody could do anything about a failure here; the test of `down` is a test of its own.
        let _ = self.run("skybus-down", &["--purge"]);
    }
}
