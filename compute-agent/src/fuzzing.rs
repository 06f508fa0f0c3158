//! Doors for the targets in `fuzz/`: a monitor's lines and image headers.

use serde_json::Value;

use crate::{
    image::content,
    qemu::qmp::{self, Event, Line},
};

/// What a line of QEMU's monitor is.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Its greeting.
    Greeting,
    /// Something that it told by itself.
    Event(Event),
    /// The answer to the command with this id.
    Answer(u64, Result<Value, String>),
    /// Something that is passed over.
    Other,
}

/// Reads a line of the monitor.
#[must_use]
pub fn said(line: &[u8]) -> Said {
    match qmp::parse(line) {
        Line::Greeting => Said::Greeting,
        Line::Event(event) => Said::Event(event),
        Line::Answer { id, result } => Said::Answer(id, result),
        Line::Other => Said::Other,
    }
}

/// The size of the disk in a QCOW2 image with this head; `None` when it cannot be used.
#[must_use]
pub fn qcow2_size(head: &[u8]) -> Option<u64> {
    content::qcow2_size(head).ok()
}
