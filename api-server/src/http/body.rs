//! A request's body, read whole: not more of it than is wanted, and not for longer than a client needs
//! that means to send it.
//!
//! A request holds one of the places of [`super::shed`] while its body is read. Without a deadline, as
//! many idle connections as there are places would stop every API.

use std::{error::Error as _, time::Duration};

use axum::{body::to_bytes, extract::Request};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::LengthLimitError;

use super::Error;

/// So long a body may take to arrive.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The whole body.
///
/// # Errors
/// 413 when it has more than `most` bytes, 408 when it has not arrived within [`PATIENCE`], 400 when it
/// breaks off.
pub async fn read(request: Request, most: usize) -> Result<Bytes, Error> {
    let whole = to_bytes(request.into_body(), most);
    let Ok(read) = tokio::time::timeout(PATIENCE, whole).await else {
        let text = format!(
            "the body did not arrive within {} seconds",
            PATIENCE.as_secs()
        );
        return Err(Error::new(StatusCode::REQUEST_TIMEOUT, text));
    };
    read.map_err(|error| {
        if error.source().is_some_and(|e| e.is::<LengthLimitError>()) {
            Error::too_large(format!("the body is larger than {most} bytes"))
        } else {
            Error::bad_request("the body broke off")
        }
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::{StreamExt, stream};
    use http::{Method, Request};

    use super::*;
    use crate::testing::TestApp;

    #[tokio::test]
    async fn a_body_is_read_whole_or_it_is_said_what_is_wrong() {
        let of = |body: Body| Request::new(body);
        let read_whole = read(of(Body::from("12345")), 5).await.unwrap();
        assert_eq!(&read_whole[..], b"12345");
        let long = read(of(Body::from("123456")), 5).await.unwrap_err();
        assert_eq!(long.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let broken = stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]);
        let broken = read(of(Body::from_stream(broken)), 5).await.unwrap_err();
        assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
    }

    /// A body that begins and never ends.
    fn stalled() -> Body {
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
        Body::from_stream(first.chain(stream::pending()))
    }

    #[tokio::test]
    async fn whoever_reads_a_body_stops_when_it_does_not_come() {
        let test = TestApp::sqlite().await;
        let token = test.admin().await;
        let json = "application/json";
        let patch = "application/openstack-images-v2.1-json-patch";
        let image = "/image/v2/images/4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";
        let asked = [
            (Method::POST, "/identity/v3/auth/tokens", json, "", ""),
            (Method::POST, "/identity/v3/projects", json, &token, "key"),
            (Method::PATCH, image, patch, &token, ""),
        ];
        let answers = asked.map(|(method, path, kind, token, key)| {
            let mut request = Request::builder()
                .method(method)
                .uri(path)
                .header("content-type", kind);
            for (name, value) in [("x-auth-token", token), ("idempotency-key", key)] {
                if !value.is_empty() {
                    request = request.header(name, value);
                }
            }
            test.send(request.body(stalled()).unwrap())
        });
        for answer in futures::future::join_all(answers).await {
            assert_eq!(
                answer.status,
                StatusCode::REQUEST_TIMEOUT,
                "{:?}",
                answer.body
            );
        }
    }
}
