//! What travels with every message so that it can be followed: the request's id and the W3C trace.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a message comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// `req-` and a UUID, as OpenStack writes request ids.
    pub request_id: String,
    /// W3C Trace Context, `00-<trace id>-<span id>-01` (<https://www.w3.org/TR/trace-context/>).
    pub traceparent: String,
}

impl Context {
    /// The beginning of a new trace.
    #[must_use]
    pub fn begin() -> Self {
        let trace = Uuid::new_v4();
        Self {
            request_id: format!("req-{}", Uuid::new_v4()),
            traceparent: format!("00-{}-{:016x}-01", trace.simple(), rand::random::<u64>()),
        }
    }

    /// The next hop of the same trace: same request, same trace id, a new span.
    #[must_use]
    pub fn hop(&self) -> Self {
        let trace = self.traceparent.split('-').nth(1).unwrap_or_default();
        Self {
            request_id: self.request_id.clone(),
            traceparent: format!("00-{trace}-{:016x}-01", rand::random::<u64>()),
        }
    }
}
