//! What can go wrong here, in words for the person at the terminal.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a command of the all-in-one could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory could not be used.
    #[error("{doing} {path} failed")]
    File {
        /// What was tried, e.g. `writing`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file holds something else than it should.
    #[error("{path} is not as skybus wrote it: {why}; put it right or remove the data directory")]
    Garbled {
        /// The file.
        path: PathBuf,
        /// Where and how.
        why: String,
    },
    /// The host is not fit; each line names what is missing and its remedy.
    #[error("this host is not ready for the cloud; nothing was started:\n{0}")]
    Unfit(String),
    /// The options contradict each other, or what the cloud already is.
    #[error("{0}")]
    Options(String),
    /// A program could not be started.
    #[error("{program} could not be started")]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A process of the cloud did not come up.
    #[error("{name} did not come up: {why}")]
    DidNotComeUp {
        /// Which one.
        name: String,
        /// Its own last words, and where its log is.
        why: String,
    },
    /// The broker refused or did not answer.
    #[error("the broker could not be prepared: {0}")]
    Broker(String),
    /// This machine could not join a cloud.
    #[error("{0}")]
    Join(String),
    /// There is no cloud in this data directory.
    #[error(
        "{0} holds no skybus cloud; start one with `skybus up`, or name another with --data-dir"
    )]
    NoCloud(PathBuf),
    /// The directory is not one that may be removed.
    #[error(
        "{0} was not made by skybus (it has neither cloud.toml nor host.toml); it is left alone"
    )]
    NotOurs(PathBuf),
    /// The system refused.
    #[error("{doing} failed")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: what was being done to which file.
    pub fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }

    /// For `map_err`: what was being done.
    pub fn system<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System {
            doing,
            source: source.into(),
        }
    }
}
