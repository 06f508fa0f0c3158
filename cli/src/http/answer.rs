//! An answer, and the message in it when it is an error: each OpenStack API wraps it differently.

use serde_json::Value;
use ureq::{Body, http::Response};

use crate::failure::Failure;

/// No JSON answer is longer.
const LONGEST: u64 = 64 * 1024 * 1024;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The request's id, for the operator.
    pub(crate) request_id: Option<String>,
    /// The token of an authentication.
    pub(crate) subject_token: Option<String>,
    /// When to try again, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// The body; null when there is none, text when it is not JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// Reads the body.
    pub(super) fn read(mut response: Response<Body>) -> Result<Self, ureq::Error> {
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned)
        };
        let request_id =
            header("x-openstack-request-id").or_else(|| header("x-compute-request-id"));
        let subject_token = header("x-subject-token");
        let retry_after = header("retry-after").and_then(|v| v.parse().ok());
        let status = response.status().as_u16();
        let bytes = response
            .body_mut()
            .with_config()
            .limit(LONGEST)
            .read_to_vec()?;
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())),
        };
        Ok(Self {
            status,
            request_id,
            subject_token,
            retry_after,
            body,
        })
    }

    /// The body of a success, or the error that the API answered.
    pub(crate) fn success(self) -> Result<Value, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        Err(Failure::Refused {
            status: self.status,
            message: message(&self.body, self.status),
            request_id: self.request_id,
            retry_after: self.retry_after,
        })
    }
}

/// The error message of a body: `{"itemNotFound": {"message"}}` (compute), `{"error": {"message"}}`
/// (identity), `{"NeutronError": {"message"}}` (network), `{"message"}` (image), or bare text.
fn message(body: &Value, status: u16) -> String {
    let flat = body["message"].as_str();
    let nested = || {
        body.as_object()
            .and_then(|map| map.values().find_map(|v| v["message"].as_str()))
    };
    let bare = || {
        body.as_str()
            .map(str::trim)
            .filter(|s| !s.is_empty() && !s.starts_with('<'))
    };
    match flat.or_else(nested).or_else(bare) {
        Some(text) => text.trim_end_matches('.').to_owned(),
        None => format!("the cloud answered HTTP status {status} without a message"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_apis_error_is_read() {
        for body in [
            json!({"itemNotFound": {"code": 404, "message": "no such server"}}),
            json!({"error": {"code": 404, "title": "Not Found", "message": "no such server"}}),
            json!({"NeutronError": {"type": "X", "message": "no such server", "detail": ""}}),
            json!({"code": 404, "title": "Not Found", "message": "no such server."}),
            json!("no such server\n"),
        ] {
            assert_eq!(message(&body, 404), "no such server", "{body}");
        }
    }

    #[test]
    fn a_proxys_html_page_is_not_shown() {
        assert_eq!(
            message(&json!("<html>Bad Gateway</html>"), 502),
            "the cloud answered HTTP status 502 without a message"
        );
    }
}
