//! What the supervisor tells whoever started it, a line of JSON each, on its standard output.
//!
//! The reader may go away at any time; nothing depends on it.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// A step of the start is done.
    Step(String),
    /// The cloud answers.
    Ready,
    /// Something happened later on that a person may want to know.
    Note(String),
    /// The start failed, and why.
    Failed(String),
    /// Another supervisor runs this cloud.
    Already,
}

impl Progress {
    /// Tells it.
    pub fn tell(&self) {
        if let Ok(line) = serde_json::to_string(self) {
            // Nobody listens any more after `up --detach` has returned.
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }
}
