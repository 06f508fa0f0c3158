//! The Compute API's version, settled per request.
//!
//! A client may say it in two ways, `OpenStack-API-Version: compute 2.53` and the older
//! `X-OpenStack-Nova-API-Version: 2.53`; the first wins. Both are answered. Who says nothing gets 2.1.

use std::{fmt, str::FromStr};

use axum::{
    extract::{FromRequestParts, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};

use super::Error;

/// The oldest version that is spoken.
pub const MIN: Microversion = Microversion(1);
/// The newest version that is spoken.
pub const MAX: Microversion = Microversion(96);

const NEW: &str = "openstack-api-version";
const OLD: &str = "x-openstack-nova-api-version";

/// A version of the Compute API, `2.N`; this is the N.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Microversion(pub u16);

impl Microversion {
    /// Whether it is 2.`minor` or newer.
    #[must_use]
    pub const fn since(self, minor: u16) -> bool {
        self.0 >= minor
    }
}

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "2.{}", self.0)
    }
}

impl FromStr for Microversion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "latest" {
            return Ok(MAX);
        }
        let malformed = || {
            Error::bad_request(format!(
                "API version {text:?} is malformed; write it as 2.1, or latest"
            ))
        };
        let (major, minor) = text.split_once('.').ok_or_else(malformed)?;
        let digits = |part: &str| {
            !part.is_empty()
                && part.len() <= 4
                && part.bytes().all(|b| b.is_ascii_digit())
                && (part == "0" || !part.starts_with('0'))
        };
        if !digits(major) || !digits(minor) {
            return Err(malformed());
        }
        let version = Self(minor.parse().map_err(|_| malformed())?);
        if major != "2" || !(MIN..=MAX).contains(&version) {
            return Err(Error::new(
                StatusCode::NOT_ACCEPTABLE,
                format!("version {text} is not spoken here; the range is {MIN} to {MAX}"),
            ));
        }
        Ok(version)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Microversion {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(MIN))
    }
}

/// Settles the version before the handler runs and says in the answer which it was.
pub async fn negotiate(mut request: Request, next: Next) -> Response {
    match asked(request.headers()) {
        Ok(version) => {
            request.extensions_mut().insert(version);
            let mut response = next.run(request).await;
            announce(response.headers_mut(), version);
            response
        }
        Err(error) => {
            let mut response = error.into_response();
            announce(response.headers_mut(), MIN);
            response
        }
    }
}

pub(crate) fn asked(headers: &HeaderMap) -> Result<Microversion, Error> {
    for value in headers.get_all(NEW) {
        for one in value.to_str().unwrap_or("compute ?").split(',') {
            let mut words = one.split_whitespace();
            if let (Some("compute"), version) = (words.next(), words.next()) {
                return version.unwrap_or_default().parse();
            }
        }
    }
    match headers.get(OLD) {
        Some(value) => value.to_str().unwrap_or("?").trim().parse(),
        None => Ok(MIN),
    }
}

fn announce(headers: &mut HeaderMap, version: Microversion) {
    let texts = [
        (NEW, format!("compute {version}")),
        (OLD, version.to_string()),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
        headers.append(header::VARY, HeaderValue::from_static(name));
    }
}
