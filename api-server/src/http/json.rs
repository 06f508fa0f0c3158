//! A request's body as a typed value, or an answer that names the field that is wrong.

use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use skybus_model::text;

use super::{Error, body};

/// The largest JSON body that is taken; user data, the largest field, may be 64 KiB.
pub const MOST_BYTES: usize = 512 * 1024;

/// A JSON body, in or out.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|k| k.to_str().ok());
        if kind.is_some_and(|kind| !kind.to_ascii_lowercase().contains("json")) {
            return Err(Error::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must be JSON; send it with Content-Type: application/json",
            ));
        }
        let bytes = body::read(request, MOST_BYTES).await?;
        read(&bytes).map(Self)
    }
}

/// Reads a value from JSON text.
///
/// # Errors
/// 400 with a text that names the field and what is wrong with it.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.is_empty() {
        return Err(Error::bad_request(
            "the request has no body; a JSON object is expected",
        ));
    }
    if text::json_has_nul(bytes) {
        return Err(Error::bad_request(format!("invalid body: {}", text::NUL)));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, error.inner())
    })?;
    reader.end().map_err(|error| explain(".", &error))?;
    Ok(value)
}

fn explain(path: &str, error: &serde_json::Error) -> Error {
    if error.is_syntax() || error.is_eof() {
        return Error::bad_request(format!("the body is not valid JSON: {error}"));
    }
    let reason = error.to_string();
    // The position in the text says less than the field's name.
    let reason = reason
        .rsplit_once(" at line ")
        .map_or(reason.as_str(), |(what, _)| what);
    Error::bad_request(match path {
        "." => format!("invalid body: {reason}"),
        path => format!("invalid value for {path}: {reason}"),
    })
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
            Err(error) => Error::internal(error).into_response(),
        }
    }
}
