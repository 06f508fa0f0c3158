//! A request's path and query as typed values.

use std::{fmt, str::FromStr};

use axum::extract::{FromRequestParts, path::ErrorKind, rejection::PathRejection};
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;
use skybus_model::text;

use super::Error;

/// The parts of the path that the route names. What cannot be such a part names nothing: 404.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let nothing = || Error::new(StatusCode::NOT_FOUND, "the resource could not be found");
        if text::address_has_nul(parts.uri.path()) {
            return Err(nothing());
        }
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(failure))
                if !matches!(failure.kind(), ErrorKind::WrongNumberOfParameters { .. }) =>
            {
                Err(nothing())
            }
            Err(other) => Err(Error::internal(other)),
        }
    }
}

/// The query as one typed value, for queries in which no key is repeated.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        if parts.uri.query().is_some_and(text::address_has_nul) {
            return Err(Error::bad_request(format!("invalid query: {}", text::NUL)));
        }
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|error| Error::bad_request(error.body_text()))
    }
}

/// The query as it came: pairs in order, keys may repeat (`id=a&id=b`).
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// These pairs.
    #[must_use]
    pub const fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The first value of this key.
    #[must_use]
    pub fn one(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// Every value of this key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// Whether the key is there at all.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.one(key).is_some()
    }

    /// Every pair.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// The first value of this key, read as a `T`.
    ///
    /// # Errors
    /// 400 that names the key, the value and why it does not fit.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&self, key: &str) -> Result<Option<T>, Error> {
        self.one(key)
            .map(|text| {
                text.parse().map_err(|why| {
                    Error::bad_request(format!("invalid value {text:?} for {key}: {why}"))
                })
            })
            .transpose()
    }

    /// A yes or no, in the ways that clients write it; a key without value means yes.
    ///
    /// # Errors
    /// 400 when it is neither.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        self.one(key)
            .map(|text| match text.to_ascii_lowercase().as_str() {
                "" | "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
                "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
                _ => Err(Error::bad_request(format!(
                    "invalid value {text:?} for {key}: use true or false"
                ))),
            })
            .transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        Query::from_request_parts(parts, state)
            .await
            .map(|Query(pairs)| Self(pairs))
    }
}
