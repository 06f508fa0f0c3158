//! A POST that is sent again with the same `Idempotency-Key` is answered again, not done again.
//!
//! A key belongs to a user within a project and is remembered for a day: an answer may hold a secret
//! that was shown to that user alone. The same key with another body is a mistake
//! of the caller's: 409. While the first is being worked on, the second is told so: 409 as well. Stored
//! answers are encrypted with the token keys, since they may hold a private key or a password.
//!
//! What if the process dies in the middle? A handler that notes its answer in its own transaction
//! ([`Once::record`]) was either done, with the answer kept, or not at all, and is run again after
//! [`PATIENCE`]. Of another handler nobody can tell; the caller is told to look.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, StatusCode, header, request::Parts};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;
use skybus_model::{
    Timestamp,
    id::{ProjectId, UserId},
};
use skybus_store::{
    Tx,
    identity::answers::{self, Claim, Slot},
};
use tracing::Instrument;

use super::{Api, Auth, Error, body, guard::Guard, json::MOST_BYTES, shape};
use crate::app::App;

/// After this long a first request that left no answer is taken for dead.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// For so long a key is remembered.
pub const MEMORY: Duration = Duration::from_secs(24 * 3600);

const KEY: &str = "idempotency-key";
const MOST_ANSWER: usize = 1024 * 1024;

/// Where the answer of this request is kept, if its caller sent a key.
#[derive(Debug, Clone, Default)]
pub struct Once(Option<(App, Slot)>);

impl<S: Send + Sync> FromRequestParts<S> for Once {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    status: u16,
    content_type: Option<String>,
    location: Option<String>,
    body: String,
}

impl Once {
    /// Notes the answer in the transaction that does the work, and gives it back as a response. Without
    /// a key it only makes the response.
    ///
    /// # Errors
    /// 409 when another process has taken the key over meanwhile; the transaction must not commit.
    pub async fn record(
        &self,
        tx: &mut Tx,
        status: StatusCode,
        location: Option<&str>,
        body: &Value,
    ) -> Result<Response, Error> {
        let kept = Kept {
            status: status.as_u16(),
            content_type: Some("application/json".to_owned()),
            location: location.map(str::to_owned),
            body: body.to_string(),
        };
        if let Some((app, slot)) = &self.0
            && !answers::record(tx, slot, &seal(app, &kept)?).await?
        {
            return Err(Error::conflict(
                "another process has taken this request over; ask again with the same key",
            ));
        }
        kept.response()
    }
}

impl Kept {
    fn response(self) -> Result<Response, Error> {
        let status = StatusCode::from_u16(self.status).map_err(Error::internal)?;
        let mut response = (status, Body::from(self.body)).into_response();
        response.headers_mut().remove(header::CONTENT_TYPE);
        let kept = [
            (header::CONTENT_TYPE, self.content_type),
            (header::LOCATION, self.location),
        ];
        for (name, text) in kept {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        Ok(response)
    }
}

fn seal(app: &App, kept: &Kept) -> Result<String, Error> {
    let text = serde_json::to_vec(kept).map_err(Error::internal)?;
    Ok(app.keys.seal(&text))
}

/// Answers a POST from memory, or runs it and remembers the answer.
pub async fn answer(guard: &Guard, auth: &Auth, request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get(KEY) else {
        return next.run(request).await;
    };
    let key = match key.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) => key.to_owned(),
        _ => {
            let text = "the Idempotency-Key must be 1 to 255 visible ASCII characters";
            return Error::bad_request(text).into_response();
        }
    };
    let (parts, body) = request.into_parts();
    let bytes = match body::read(Request::new(body), MOST_BYTES).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let scope = scope(auth.scope, auth.user);
    let fingerprint = fingerprint(&guard.app, &parts, &bytes);
    let request = Request::from_parts(parts, Body::from(bytes));
    // In a task of its own: when the caller hangs up, the work and its answer are still finished, and
    // no claim is left behind without a run.
    let work = remembered(guard.clone(), scope, key, fingerprint, request, next);
    let done = guard.app.tasks.spawn(work.in_current_span()).await;
    done.map_err(Error::internal)
        .flatten()
        .unwrap_or_else(IntoResponse::into_response)
}

/// Whose the keys of a request are.
fn scope(project: Option<ProjectId>, user: UserId) -> String {
    match project {
        Some(project) => format!("{project}:{user}"),
        None => format!("user:{user}"),
    }
}

async fn remembered(
    guard: Guard,
    scope: String,
    key: String,
    fingerprint: String,
    mut request: Request,
    next: Next,
) -> Result<Response, Error> {
    let app = &guard.app;
    let now = Timestamp::now();
    let before = |span: Duration| {
        Timestamp(
            now.0
                .saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    };
    let mut tx = app.store.begin().await?;
    answers::forget(&mut tx, before(MEMORY)).await?;
    let abandoned = guard.once.then(|| before(PATIENCE));
    let claim = answers::claim(&mut tx, &scope, &key, &fingerprint, now, abandoned).await?;
    tx.commit().await?;
    let slot = match claim {
        Claim::Mine(slot) => slot,
        Claim::Answered(sealed) => return replay(app, &sealed),
        Claim::OtherRequest => {
            return Err(Error::conflict(format!(
                "the Idempotency-Key {key:?} was used for another request; take a new key"
            )));
        }
        Claim::Running(since) if now.since(since) > PATIENCE => {
            return Err(Error::conflict(format!(
                "the first request with the Idempotency-Key {key:?} was interrupted; look whether it \
                 took effect, then take a new key"
            )));
        }
        Claim::Running(_) => {
            return Err(Error::conflict(format!(
                "the first request with the Idempotency-Key {key:?} is still being worked on"
            ))
            .retry_after(1));
        }
    };
    request
        .extensions_mut()
        .insert(Once(Some((app.clone(), slot.clone()))));
    keep(app, guard.api, &slot, next.run(request).await).await
}

/// Keeps what is a lasting answer; forgets the key when the caller should simply try again.
async fn keep(app: &App, api: Api, slot: &Slot, response: Response) -> Result<Response, Error> {
    let status = response.status();
    let passing = status.is_server_error() || matches!(status.as_u16(), 401 | 408 | 429);
    let mut tx = app.store.begin().await?;
    if passing {
        answers::release(&mut tx, slot).await?;
        tx.commit().await?;
        return Ok(response);
    }
    let refusal = response.extensions().get::<Error>().map(|error| Kept {
        status: shape::status(api, error).as_u16(),
        content_type: Some("application/json".to_owned()),
        location: None,
        body: shape::body_of(api, error).to_string(),
    });
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, MOST_ANSWER).await.map_err(Error::internal)?;
    let text = |name| {
        let value = parts
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok());
        value.map(str::to_owned)
    };
    let kept = refusal.unwrap_or_else(|| Kept {
        status: status.as_u16(),
        content_type: text(header::CONTENT_TYPE),
        location: text(header::LOCATION),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    });
    // False when the handler noted the answer itself.
    answers::record(&mut tx, slot, &seal(app, &kept)?).await?;
    tx.commit().await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn replay(app: &App, sealed: &str) -> Result<Response, Error> {
    let text = app.keys.open_sealed(sealed).ok_or_else(|| {
        Error::conflict("the answer to this Idempotency-Key can no longer be read; take a new key")
    })?;
    let kept: Kept = serde_json::from_slice(&text).map_err(Error::internal)?;
    let mut response = kept.response()?;
    response
        .headers_mut()
        .insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

/// What makes two requests the same: method, path and body. Keyed, because a body may hold a password.
fn fingerprint(app: &App, parts: &Parts, body: &[u8]) -> String {
    let path = parts.extensions.get::<axum::extract::OriginalUri>();
    let path = path.map_or_else(|| parts.uri.to_string(), |uri| uri.0.to_string());
    #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(app.config.url_secret.as_bytes()).expect("any");
    mac.update(path.as_bytes());
    mac.update(b"\n");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
