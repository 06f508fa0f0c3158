//! Words to the person at the terminal: results on standard output, talk on standard error.

use std::io::Write as _;

/// Talk: progress, hints, errors.
pub fn say(text: impl AsRef<str>) {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
}

/// A result, which may be piped on.
pub fn print(text: impl AsRef<str>) {
    let _ = std::io::stdout().write_all(text.as_ref().as_bytes());
}

/// An error with all that led to it, a line each.
pub fn complain(command: &str, error: &dyn std::error::Error) {
    let mut text = format!("{command}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    say(text);
}
