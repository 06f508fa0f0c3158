//! Talk for people, on stderr, so that data on stdout stays clean.

use std::io::{self, IsTerminal, Write};

/// Says one line. A stderr that went away is not worth failing for.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether a person is likely to be reading.
pub(crate) fn to_a_person() -> bool {
    io::stderr().is_terminal()
}
