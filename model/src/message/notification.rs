//! State changes in the envelope that OpenStack's consumers read (oslo.messaging 2.0).
//!
//! Source: <https://docs.openstack.org/oslo.messaging/latest/reference/notifier.html>. The body is
//! `{"oslo.version": "2.0", "oslo.message": "<JSON text>"}`. At most once is the contract there.

use serde_json::{Value, json};

use crate::{Timestamp, id::MessageId};

/// One notification, before it is wrapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// `compute.node-1`, `api.skybus`.
    pub publisher_id: String,
    /// `compute.instance.create.end`.
    pub event_type: String,
    /// What it is about.
    pub payload: Value,
    /// The request that led to it.
    pub request_id: String,
    /// The project that it concerns.
    pub project_id: String,
}

impl Notification {
    /// The message body.
    #[must_use]
    pub fn body(&self, id: MessageId, at: Timestamp) -> Vec<u8> {
        let inner = json!({
            "message_id": id.to_string(),
            "publisher_id": self.publisher_id,
            "event_type": self.event_type,
            "priority": "INFO",
            "payload": self.payload,
            "timestamp": at.oslo(),
            "_unique_id": id.uuid().simple().to_string(),
            "_context_request_id": self.request_id,
            "_context_project_id": self.project_id,
        });
        json!({ "oslo.version": "2.0", "oslo.message": inner.to_string() })
            .to_string()
            .into_bytes()
    }
}
