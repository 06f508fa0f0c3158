//! What a handler answers when it cannot do what was asked.
//!
//! The status is decided here and nowhere else. An error carries a text for whoever asked (the thing,
//! the reason, the next step) and, where there is more to say, one for the log. It does not know which
//! API it is answered under: [`super::shape`] puts it into that API's words.

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// An answer that is not what was asked for.
#[derive(Debug, Clone)]
pub struct Error {
    status: StatusCode,
    kind: Kind,
    message: String,
    retry_after: Option<u32>,
    challenge: bool,
}

/// What the APIs word differently although the status is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing more to say than the status.
    Plain,
    /// There is no such thing; the word is the thing's name (`server`).
    Missing(&'static str),
    /// It would go over a quota; the APIs do not agree on the status of that.
    OverQuota,
    /// A word of the Network API for it (`NetworkInUse`).
    Named(&'static str),
}

impl Error {
    /// An error of this status.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            kind: Kind::Plain,
            message: message.into(),
            retry_after: None,
            challenge: false,
        }
    }

    /// 400: the request is not well formed or a value does not fit.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401: who asks is not known; the answer names where tokens are made.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self {
            challenge: true,
            ..Self::new(StatusCode::UNAUTHORIZED, message)
        }
    }

    /// 403: who asks is known and may not.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 404: there is no such thing, or it is not for this project to see.
    #[must_use]
    pub fn not_found(noun: &'static str, id: impl fmt::Display) -> Self {
        let mut id = id.to_string();
        if let Some((cut, _)) = id.char_indices().nth(80) {
            id.truncate(cut);
        }
        let mut message = format!("{noun} {id} could not be found");
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Self {
            kind: Kind::Missing(noun),
            ..Self::new(StatusCode::NOT_FOUND, message)
        }
    }

    /// 409: it does not fit what is.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// It would go over a quota; the text names limit, use and what was asked.
    #[must_use]
    pub fn over_quota(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::OverQuota,
            ..Self::new(StatusCode::FORBIDDEN, message)
        }
    }

    /// 413: more bytes than are taken.
    #[must_use]
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// 503: not now; try again after so many seconds.
    #[must_use]
    pub fn unavailable(retry_after: u32, message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }

    /// 500: a defect or a broken part of ours. The cause goes to the log, not to the caller.
    #[must_use]
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed for a reason of ours");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the request failed for a reason on the cloud's side; its log has the reason under this \
             request's id (x-openstack-request-id)",
        )
    }

    /// The same error under the Network API's word for it.
    #[must_use]
    pub fn named(mut self, word: &'static str) -> Self {
        self.kind = Kind::Named(word);
        self
    }

    /// The same error, and when to try again.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Its status, but for quotas: see [`super::shape`].
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What it is, beyond its status.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The text for whoever asked.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the answer names where tokens are made.
    #[must_use]
    pub const fn asks_for_a_token(&self) -> bool {
        self.challenge
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl std::error::Error for Error {}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.message.clone()).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
