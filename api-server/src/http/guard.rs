//! The one place where a request is let through to its handler.
//!
//! Every route names its action; the guard finds out who asks and looks the action up in
//! [`super::policy`]. A handler therefore never runs for someone who may not, and needs no check of its
//! own but for whose thing it is.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Action, Api, Error, Rule, auth, body, idempotency};
use crate::app::App;

/// So much of a body that nobody will look at is read all the same.
const PASSED_OVER: usize = 64 * 1024;

/// What the guard of one route knows.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Everything else.
    pub app: App,
    /// The API whose route it is.
    pub api: Api,
    /// What the route does.
    pub action: Action,
    /// Whether the handler notes its answer in the transaction that does the work ([`super::Once`]).
    pub once: bool,
}

/// Lets the request through, or answers why not.
pub async fn check(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    if guard.action.rule() == Rule::Anyone {
        return next.run(request).await;
    }
    let auth = match auth::of(&guard.app, request.headers()).await {
        Ok(auth) => auth,
        Err(error) => return refused(error, request).await,
    };
    if let Err(error) = guard.action.check(&auth) {
        return refused(error, request).await;
    }
    request.extensions_mut().insert(auth.clone());
    if request.method() == http::Method::POST {
        idempotency::answer(&guard, &auth, request, next).await
    } else {
        next.run(request).await
    }
}

/// A connection that is closed while its client still sends is reset, and the client may never see why it was
/// refused; so a small body is read first. A client that waits for leave to send it gets its answer at once.
async fn refused(error: Error, request: Request) -> Response {
    if !request.headers().contains_key(http::header::EXPECT) {
        let _ = body::read(request, PASSED_OVER).await;
    }
    error.into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use axum::body::Body;
    use futures::{StreamExt, stream};

    use super::*;
    use crate::testing::TestApp;

    /// A stranger's request, and whether its body was read to the end.
    async fn is_read(test: &TestApp, expect: Option<&str>) -> bool {
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        let chunk = |_| Ok::<_, std::io::Error>("x".repeat(1024));
        let chunks = stream::iter(0..8).map(chunk).chain(
            stream::once(async move { end.store(true, Ordering::Relaxed) })
                .map(|()| Ok(String::new())),
        );
        let mut request = Request::post("/compute/v2.1/servers");
        if let Some(expect) = expect {
            request = request.header("expect", expect);
        }
        let request = request.body(Body::from_stream(chunks)).unwrap();
        assert_eq!(test.send(request).await.status, 401);
        ended.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn who_is_refused_has_been_heard_out() {
        let test = TestApp::sqlite().await;
        assert!(is_read(&test, None).await);
        assert!(!is_read(&test, Some("100-continue")).await);
    }
}
