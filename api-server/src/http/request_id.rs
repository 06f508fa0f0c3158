//! A name for every request: in its answer, in every log line about it and in every message that it
//! causes.

use axum::{
    extract::{FromRequestParts, Request},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, header::HeaderName, request::Parts};
use skybus_model::{Timestamp, message::Context};
use tracing::Instrument;

use super::Error;

const OPENSTACK: HeaderName = HeaderName::from_static("x-openstack-request-id");
const COMPUTE: HeaderName = HeaderName::from_static("x-compute-request-id");

/// The request's id and trace, to be given to whatever the request causes.
#[derive(Debug, Clone)]
pub struct RequestContext(pub Context);

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        // Always there behind the router; a handler that is tried alone begins a trace of its own.
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self(Context::begin())))
    }
}

/// Names the request, runs it inside a span of that name and logs how it ended.
pub async fn name(mut request: Request, next: Next) -> Response {
    let mut context = Context::begin();
    if let Some(trace) = caller_trace(&request) {
        context.traceparent = trace;
        context = context.hop();
    }
    let span = tracing::info_span!(
        "request",
        id = %context.request_id,
        caller = caller_id(&request).unwrap_or_default(),
        method = %request.method(),
        path = request.uri().path(),
    );
    let id = HeaderValue::from_str(&context.request_id).ok();
    request.extensions_mut().insert(RequestContext(context));
    let began = Timestamp::now();
    async move {
        let mut response = next.run(request).await;
        let took = Timestamp::now().since(began);
        tracing::info!(
            status = response.status().as_u16(),
            ms = took.as_millis(),
            "answered"
        );
        if let Some(id) = id {
            response.headers_mut().insert(OPENSTACK, id.clone());
            response.headers_mut().insert(COMPUTE, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// The id that a calling service gave its own request: `req-` and a UUID, else it is ignored.
fn caller_id(request: &Request) -> Option<String> {
    let text = request.headers().get(OPENSTACK)?.to_str().ok()?;
    let uuid = text.strip_prefix("req-")?;
    (uuid.len() == 36 && uuid::Uuid::parse_str(uuid).is_ok()).then(|| text.to_owned())
}

/// The caller's W3C trace, when it is well formed.
fn caller_trace(request: &Request) -> Option<String> {
    let text = request.headers().get("traceparent")?.to_str().ok()?;
    Context::is_trace(text).then(|| text.to_owned())
}
