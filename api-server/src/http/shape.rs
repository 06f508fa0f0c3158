//! Errors in the words of the API that was asked.
//!
//! The four APIs agree on statuses (nearly) and not at all on bodies. Whatever a handler, an extractor
//! or the framework itself refuses passes through [`dress`] on its way out, so that a client library
//! always finds the shape that it looks for.

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::error::{Error, Kind};

/// Whose words are spoken below a path prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// Keystone's.
    Identity,
    /// Nova's.
    Compute,
    /// Glance's.
    Image,
    /// Neutron's.
    Network,
    /// The metadata service's: plain text.
    Metadata,
    /// Our own: the operator's API, signed internal paths and what is outside of every API.
    Operator,
}

impl Api {
    /// The path prefix below which it is served.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Identity => "/identity/v3",
            Self::Compute => "/compute/v2.1",
            Self::Image => "/image/v2",
            Self::Network => "/network/v2.0",
            Self::Metadata => "/metadata",
            Self::Operator => "",
        }
    }

    /// A short word for metrics and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Compute => "compute",
            Self::Image => "image",
            Self::Network => "network",
            Self::Metadata => "metadata",
            Self::Operator => "operator",
        }
    }
}

/// What [`dress`] needs to know.
#[derive(Debug, Clone)]
pub struct Dress {
    /// The API that is answered under.
    pub api: Api,
    /// `Keystone uri="…"`, for answers that ask for a token.
    pub challenge: HeaderValue,
}

/// Marks an answer that has its API's shape, for the layers further out.
#[derive(Debug, Clone, Copy)]
struct Dressed;

/// Puts every refusal into the API's own shape.
pub async fn dress(State(dress): State<Dress>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    if !refused || response.extensions().get::<Dressed>().is_some() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let error = match parts.extensions.remove::<Error>() {
        Some(error) => error,
        // A handler that chose its own body keeps it; the framework's refusals are plain text.
        None if !is_plain(&parts.headers) => return Response::from_parts(parts, body),
        None => {
            let text = to_bytes(body, 4096).await.unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let reason = parts.status.canonical_reason().unwrap_or("refused");
            Error::new(parts.status, if text.is_empty() { reason } else { &text })
        }
    };
    if error.asks_for_a_token() {
        parts
            .headers
            .insert(header::WWW_AUTHENTICATE, dress.challenge);
    }
    parts.status = status(dress.api, &error);
    parts.headers.remove(header::CONTENT_LENGTH);
    let (kind, text) = match dress.api {
        Api::Metadata => (
            "text/plain; charset=utf-8",
            format!("{}\n", error.message()),
        ),
        api => ("application/json", body_of(api, &error).to_string()),
    };
    parts
        .headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    parts.extensions.insert(Dressed);
    Response::from_parts(parts, Body::from(text))
}

fn is_plain(headers: &http::HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

/// The status of this error under this API: they do not agree on what a quota's is.
pub(super) fn status(api: Api, error: &Error) -> StatusCode {
    match (error.kind(), api) {
        (Kind::OverQuota, Api::Network) => StatusCode::CONFLICT,
        (Kind::OverQuota, Api::Image) => StatusCode::PAYLOAD_TOO_LARGE,
        _ => error.status(),
    }
}

/// The body of this error under this API.
#[must_use]
pub fn body_of(api: Api, error: &Error) -> Value {
    let status = status(api, error);
    let (code, title) = (
        status.as_u16(),
        status.canonical_reason().unwrap_or("Error"),
    );
    let message = error.message();
    // An unknown caller is refused in Keystone's words everywhere.
    let api = if status == StatusCode::UNAUTHORIZED {
        Api::Identity
    } else {
        api
    };
    match api {
        Api::Compute => json!({ compute_word(status): { "code": code, "message": message } }),
        Api::Network => json!({ "NeutronError": {
            "type": network_word(status, error.kind()), "message": message, "detail": "",
        }}),
        Api::Image => json!({
            "code": format!("{code} {title}"), "title": title, "message": message,
        }),
        Api::Identity | Api::Metadata | Api::Operator => {
            json!({ "error": { "code": code, "title": title, "message": message } })
        }
    }
}

fn compute_word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "badRequest",
        403 => "forbidden",
        404 => "itemNotFound",
        405 => "badMethod",
        406 => "notAcceptable",
        409 => "conflictingRequest",
        413 | 429 => "overLimit",
        415 => "badMediaType",
        501 => "notImplemented",
        503 => "serviceUnavailable",
        _ => "computeFault",
    }
}

fn network_word(status: StatusCode, kind: &Kind) -> String {
    match kind {
        Kind::Named(word) => (*word).to_owned(),
        Kind::OverQuota => "OverQuota".to_owned(),
        Kind::Missing(noun) => {
            let mut word: String = noun
                .split([' ', '_', '-'])
                .flat_map(|part| {
                    let mut letters = part.chars();
                    letters
                        .next()
                        .map(|c| c.to_ascii_uppercase())
                        .into_iter()
                        .chain(letters)
                })
                .collect();
            word.push_str("NotFound");
            word
        }
        Kind::Plain => match status.as_u16() {
            400 => "HTTPBadRequest",
            403 => "PolicyNotAuthorized",
            404 => "HTTPNotFound",
            405 => "HTTPMethodNotAllowed",
            409 => "Conflict",
            413 => "HTTPRequestEntityTooLarge",
            415 => "HTTPUnsupportedMediaType",
            501 => "HTTPNotImplemented",
            503 => "HTTPServiceUnavailable",
            _ => "HTTPInternalServerError",
        }
        .to_owned(),
    }
}
