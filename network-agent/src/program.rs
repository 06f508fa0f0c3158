//! The programs that do the work on the host: `ip` and `nft`, fed through their standard input, so that
//! one change of many lines costs one process and nothing of it shows in a process list.

use std::{
    io::{self, Write},
    process::{Command, Stdio},
};

use skybus_sys::namespace;

/// A program could not do what it was given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or the namespace is not.
    #[error("{program} could not be started (Debian package {package}): {reason}")]
    Start {
        /// Which.
        program: &'static str,
        /// The package that has it.
        package: &'static str,
        /// What the system said.
        reason: io::Error,
    },
    /// It refused.
    #[error("{program} refused: {said}")]
    Refused {
        /// Which.
        program: &'static str,
        /// Its own words.
        said: String,
    },
    /// What it printed is not what this reads.
    #[error("{program} printed what cannot be read: {reason}")]
    Answer {
        /// Which.
        program: &'static str,
        /// What the decoder says.
        reason: serde_json::Error,
    },
}

/// Where a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// On the host.
    Host,
    /// In a named namespace.
    Namespace(&'a str),
}

impl Place<'_> {
    /// How it is called when people are told of it.
    #[must_use]
    pub const fn name(&self) -> &str {
        match self {
            Self::Host => "host",
            Self::Namespace(name) => name,
        }
    }

    /// Runs `work` there.
    ///
    /// # Errors
    /// What `work` failed with, or that there is no such namespace.
    pub fn run<T: Send>(self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        match self {
            Self::Host => work(),
            Self::Namespace(name) => namespace::inside(name, work),
        }
    }
}

/// Runs the lines as one batch of `ip`.
///
/// # Errors
/// When a line fails; those before it hold.
pub fn ip(place: Place<'_>, lines: &str) -> Result<(), Error> {
    run("ip", "iproute2", &["-batch", "-"], place, lines).map(|_| ())
}

/// What `ip` shows, as JSON.
///
/// # Errors
/// When it cannot be asked, or its answer cannot be read.
pub fn ip_show<T: serde::de::DeserializeOwned>(
    place: Place<'_>,
    what: &[&str],
) -> Result<T, Error> {
    let mut arguments = vec!["-json", "-details"];
    arguments.extend_from_slice(what);
    let printed = run("ip", "iproute2", &arguments, place, "")?;
    // With nothing to show, some versions print nothing at all.
    let json = if printed.trim().is_empty() {
        "[]"
    } else {
        &printed
    };
    serde_json::from_str(json).map_err(|reason| Error::Answer {
        program: "ip",
        reason,
    })
}

/// Which machine a link believes behind which host.
///
/// # Errors
/// When it cannot be asked, or its answer cannot be read.
pub fn fdb(place: Place<'_>, link: &str) -> Result<Vec<crate::wire::Entry>, Error> {
    let arguments = ["-json", "fdb", "show", "dev", link];
    let printed = run("bridge", "iproute2", &arguments, place, "")?;
    let json = if printed.trim().is_empty() {
        "[]"
    } else {
        &printed
    };
    serde_json::from_str(json).map_err(|reason| Error::Answer {
        program: "bridge",
        reason,
    })
}

/// Loads rules, all or none.
///
/// # Errors
/// When nft refuses them; then nothing has changed.
pub fn nft(place: Place<'_>, rules: &str) -> Result<(), Error> {
    run("nft", "nftables", &["-f", "-"], place, rules).map(|_| ())
}

/// A table as nft lists it, without counters; nothing when it is not there.
///
/// # Errors
/// When nft cannot be asked.
pub fn nft_table(place: Place<'_>, family: &str, table: &str) -> Result<Option<String>, Error> {
    match run(
        "nft",
        "nftables",
        &["--stateless", "list", "table", family, table],
        place,
        "",
    ) {
        Err(Error::Refused { said, .. }) if said.contains("No such file or directory") => Ok(None),
        other => other.map(Some),
    }
}

/// Runs a program to its end and gives back what it printed.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run(
    program: &'static str,
    package: &'static str,
    arguments: &[&str],
    place: Place<'_>,
    input: &str,
) -> Result<String, Error> {
    let output = place
        .run(|| {
            let mut child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                // A program that ends before it has read everything says why by itself.
                let _ = stdin.write_all(input.as_bytes());
            }
            child.wait_with_output()
        })
        .map_err(|reason| Error::Start {
            program,
            package,
            reason,
        })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr)
            .trim()
            .replace('\n', "; ");
        Err(Error::Refused {
            program,
            said: said.chars().take(600).collect(),
        })
    }
}
