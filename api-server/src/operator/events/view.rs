//! An event as it is shown, in the list and in the stream alike.

use serde_json::{Value, json};
use skybus_store::events::Event;

/// One event. Owners learn what happened; on which host, is for operators.
pub(super) fn event(event: &Event, operator: bool) -> Value {
    let mut payload = event.payload.clone();
    if !operator && let Some(host) = payload.get_mut("host") {
        *host = Value::Null;
    }
    json!({
        "seq": event.seq,
        "at": event.at.iso_micros_z(),
        "at_us": event.at.micros(),
        "kind": event.kind,
        "project": event.project,
        "server": event.server,
        "request_id": event.request_id,
        "payload": payload,
    })
}
