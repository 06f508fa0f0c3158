//! How a command ends when it cannot do what was asked: what went wrong, the request id, and the next
//! step. The exit codes are part of the interface; `skybus --help` lists them.

use std::{io, process::ExitCode};

use crate::output::talk;

/// What `--help` says last: the programs beside this one, and the exit codes.
pub(crate) const EXIT_CODES: &str = "\
A cloud on this machine (programs of their own, where they are installed):
  up, join, down, status, env

Exit codes:
  0    done
  1    the cloud refused the request, or it failed
  2    the command line makes no sense
  3    not signed in: no credentials, or they were refused
  4    what was named does not exist, or the name fits several
  5    the cloud cannot be reached
  6    it was accepted, and then failed (--poll)
  130  interrupted";

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The words make no sense together.
    #[error("{problem}")]
    Usage { problem: String, next: String },
    /// There are no credentials, or they were refused.
    #[error("{problem}")]
    NotSignedIn { problem: String, next: String },
    /// The API answered with an error.
    #[error("{message} (HTTP {status})")]
    Refused {
        status: u16,
        message: String,
        request_id: Option<String>,
        retry_after: Option<u64>,
    },
    /// Nothing has that name or id.
    #[error("no {kind} has the name or id {wanted:?}{near}")]
    NotFound {
        kind: &'static str,
        wanted: String,
        near: String,
        list: &'static str,
    },
    /// Several things have that name.
    #[error("{} {kind}s are called {wanted:?}: {}", ids.len(), ids.join(", "))]
    Ambiguous {
        kind: &'static str,
        wanted: String,
        ids: Vec<String>,
    },
    /// No answer.
    #[error("the cloud does not answer at {url}: {why}")]
    Unreachable { url: String, why: String },
    /// It was accepted and then failed.
    #[error("{problem}")]
    Unfulfilled { problem: String, next: String },
    /// Something on this machine.
    #[error("{what}: {source}")]
    Local { what: String, source: io::Error },
    /// The answer is not what the API's documentation says.
    #[error("the cloud's answer makes no sense: {0}")]
    Nonsense(String),
    /// One or more of several things failed; each has been reported already.
    #[error("{failed} of {all} failed")]
    Several { failed: usize, all: usize, code: u8 },
}

impl Failure {
    /// Something on this machine failed while doing `what`.
    pub(crate) fn local(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Local { what, source }
    }

    /// A wrong command line.
    pub(crate) fn usage(problem: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Usage {
            problem: problem.into(),
            next: next.into(),
        }
    }

    /// Whether the API said that there is no such thing.
    pub(crate) const fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// The exit code.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Usage { .. } => 2,
            Self::NotSignedIn { .. } | Self::Refused { status: 401, .. } => 3,
            Self::NotFound { .. } | Self::Ambiguous { .. } | Self::Refused { status: 404, .. } => 4,
            Self::Unreachable { .. } => 5,
            Self::Unfulfilled { .. } => 6,
            Self::Several { code, .. } => *code,
            Self::Refused { .. } | Self::Local { .. } | Self::Nonsense(_) => 1,
        }
    }

    /// What to do about it, when there is something to say beyond the message.
    fn next(&self) -> Option<String> {
        match self {
            Self::Usage { next, .. }
            | Self::NotSignedIn { next, .. }
            | Self::Unfulfilled { next, .. } => Some(next.clone()),
            Self::NotFound { list, .. } => Some(format!("`skybus {list}` shows what there is")),
            Self::Ambiguous { .. } => Some("say which one by its id".to_owned()),
            Self::Unreachable { .. } => Some(
                "`skybus status` shows what runs on this machine, `skybus up` starts a cloud here; \
                 for another cloud check OS_AUTH_URL or --os-cloud"
                    .to_owned(),
            ),
            Self::Refused { status, message, retry_after, .. } => {
                next_for(*status, message, *retry_after)
            }
            Self::Local { .. } | Self::Nonsense(_) | Self::Several { .. } => None,
        }
    }

    /// The lines that are shown on stderr.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("error: {self}")];
        if let Self::Refused {
            request_id: Some(id),
            ..
        } = self
        {
            lines.push(format!("  request id: {id}"));
        }
        if let Some(next) = self.next() {
            lines.push(format!("  next: {next}"));
        }
        lines
    }

    /// Shows it and gives the exit code. A reader that went away (`skybus list | head -1`) is no error.
    pub(crate) fn report(&self) -> ExitCode {
        if let Self::Local { source, .. } = self
            && source.kind() == io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        self.say();
        ExitCode::from(self.code())
    }

    /// Shows it on stderr.
    pub(crate) fn say(&self) {
        for line in self.lines() {
            talk::say(&line);
        }
    }
}

fn next_for(status: u16, message: &str, retry_after: Option<u64>) -> Option<String> {
    let text = match status {
        401 => "sign in again: check OS_USERNAME and OS_PASSWORD, or the token in OS_TOKEN",
        403 | 413 if message.to_lowercase().contains("quota") => {
            "`skybus quota-show` shows what is used and allowed; delete something, or ask an \
             administrator for `skybus quota-update`"
        }
        403 => {
            "this needs another role or another project; OS_CLOUD and OS_PROJECT_NAME choose them"
        }
        409 if message.contains("already exists") => {
            "choose another name, or delete the one that is there first"
        }
        409 if message.contains("task_state") => {
            "`skybus show` shows what it is doing; wait until that is done and try again"
        }
        503 => {
            return Some(format!(
                "the cloud is busy; try again in {} s",
                retry_after.unwrap_or(5)
            ));
        }
        500.. => "this is a defect of the cloud: give its operator the request id",
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, message: &str) -> Failure {
        Failure::Refused {
            status,
            message: message.to_owned(),
            request_id: Some("req-1".to_owned()),
            retry_after: None,
        }
    }

    #[test]
    fn an_api_error_shows_message_request_and_next_step() {
        let lines = refused(
            403,
            "Quota exceeded for cores: Requested 8, but already used 19 of 20 cores",
        )
        .lines();
        assert_eq!(
            lines[0],
            "error: Quota exceeded for cores: Requested 8, but already used 19 of 20 cores (HTTP 403)"
        );
        assert_eq!(lines[1], "  request id: req-1");
        assert!(lines[2].contains("skybus quota-show"), "{}", lines[2]);
    }

    #[test]
    fn a_conflict_names_the_step_that_fits_it() {
        let next = |message| refused(409, message).lines().get(2).cloned();
        let taken = next("Key pair 'key1' already exists").unwrap_or_default();
        assert!(taken.contains("another name"), "{taken}");
        let busy =
            next("it is being changed already (task_state powering-off)").unwrap_or_default();
        assert!(busy.contains("skybus show"), "{busy}");
        assert_eq!(next("Port x is used by server y"), None);
    }

    #[test]
    fn each_kind_has_its_exit_code() {
        assert_eq!(refused(400, "x").code(), 1);
        assert_eq!(refused(401, "x").code(), 3);
        assert_eq!(refused(404, "x").code(), 4);
        assert_eq!(refused(500, "x").code(), 1);
        assert_eq!(Failure::usage("a", "b").code(), 2);
    }

    #[test]
    fn a_busy_cloud_says_when_to_come_back() {
        let busy = Failure::Refused {
            status: 503,
            message: "too many requests wait".to_owned(),
            request_id: None,
            retry_after: Some(17),
        };
        assert_eq!(
            busy.lines()[1],
            "  next: the cloud is busy; try again in 17 s"
        );
    }
}
