//! Refusing in time: when more requests run than this process can serve well, the next is told to come
//! back, instead of making all of them slow.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use super::Error;

/// How many requests run at a time.
pub const MOST_REQUESTS: usize = 512;

/// The places of the requests that run.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

impl Places {
    /// So many places.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }
}

/// Runs the request if there is a place for it.
pub async fn shed(State(places): State<Places>, request: Request, next: Next) -> Response {
    match places.0.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => {
            metrics::counter!("skybus_http_shed_total").increment(1);
            Error::unavailable(
                1,
                "too many requests run at this moment; try again in a second",
            )
            .into_response()
        }
    }
}
