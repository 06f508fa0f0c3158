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

    /// Whether `text` is a trace as W3C's `traceparent` has it, version 00. What a stranger sends may be
    /// anything, and a trace is written into logs, rows and further messages.
    #[must_use]
    pub fn is_trace(text: &str) -> bool {
        let clean = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-');
        text.starts_with("00-")
            && text.bytes().all(clean)
            && text.split('-').map(str::len).eq([2, 32, 16, 2])
    }

    /// Whether `text` may be a request's id: up to 64 visible characters.
    #[must_use]
    pub fn is_request_id(text: &str) -> bool {
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_here_is_a_trace_and_stays_one() {
        let begun = Context::begin();
        for context in [begun.hop(), begun] {
            assert!(Context::is_trace(&context.traceparent));
            assert!(Context::is_request_id(&context.request_id));
        }
    }

    #[test]
    fn what_a_stranger_makes_up_is_none() {
        let digits = |n| "a".repeat(n);
        for bad in [
            String::new(),
            "00-x".to_owned(),
            format!("01-{}-{}-01", digits(32), digits(16)),
            format!("00-{}-{}-01", digits(32), digits(17)),
            format!("00-{}-{}-01-", digits(32), digits(16)),
            format!("00-{}\0-{}-01", digits(31), digits(16)),
            format!("00-{}-{}-01", "A".repeat(32), digits(16)),
        ] {
            assert!(!Context::is_trace(&bad), "{bad:?}");
        }
        for bad in ["", "a b", "a\0", "ä", &digits(65)] {
            assert!(!Context::is_request_id(bad), "{bad:?}");
        }
    }
}
