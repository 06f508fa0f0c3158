//! A door for the targets in `fuzz/`: a message as the broker hands it over, its properties still bytes.

use lapin::protocol::basic::parse_properties;

use crate::{Delivery, properties};

/// Reads a message whose properties are `bytes` of an AMQP content header. `None` when the library does
/// not take them for properties; else what they are to us, or why they are not ours.
#[must_use]
pub fn delivery(
    bytes: &[u8],
    routing_key: &str,
    body: &[u8],
) -> Option<Result<Delivery, &'static str>> {
    let (_, found) = parse_properties(bytes).ok()?;
    Some(properties::read(&found, routing_key, false, body.to_vec()))
}

/// A text as it is cut to fit into a short string of AMQP.
#[must_use]
pub fn short(text: &str) -> String {
    properties::short(text).to_string()
}
