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

use super::{Action, Api, Rule, auth, idempotency};
use crate::app::App;

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
        Err(error) => return error.into_response(),
    };
    if let Err(error) = guard.action.check(&auth) {
        return error.into_response();
    }
    request.extensions_mut().insert(auth.clone());
    if request.method() == http::Method::POST {
        idempotency::answer(&guard, &auth, request, next).await
    } else {
        next.run(request).await
    }
}
