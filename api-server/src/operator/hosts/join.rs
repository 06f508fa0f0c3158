//! `POST /skybus/v1/join`: a machine exchanges its token for what it needs. It has no user's token: the secret
//! is what lets it in, and only the one that used it first.
//!
//! The same machine may ask again as often as it likes, and is told the same: whatever died on the way, asking
//! again ends in a machine that has joined.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use serde_json::json;
use skybus_model::{
    Timestamp,
    join::{Asked, Grant, hash},
    machine::{self, Role},
};
use skybus_store::machines::{self, Machine};

use super::{add::reach, broker};
use crate::{
    app::App,
    http::{Error, Json},
};

/// A hash in hexadecimal.
const HASH: usize = 64;

/// The address that a request comes from.
pub(super) struct From(IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(
            peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip()),
        ))
    }
}

/// A machine joins.
pub(super) async fn join(
    State(app): State<App>,
    from: From,
    Json(asked): Json<Asked>,
) -> Result<Response, Error> {
    recognised(&app, &from, &asked, Use::Join).await?;
    let (settled, addresses) = broker::settle(&app, &asked.name).await?;
    let mut tx = app.store.begin().await?;
    let machine = machines::lock(&mut tx, &asked.name).await?;
    let machine = machine.ok_or_else(no_good)?;
    // Meanwhile it may have been removed, or invited anew; then the broker is as that says.
    let still = settled.is_some_and(|settled| {
        settled.secret == machine.secret && settled.joiner == machine.joiner
    });
    judge(&asked, &machine, Use::Join)?;
    if !still || machine.joiner.as_deref() != Some(&hash(&asked.key)) {
        return Err(Error::unavailable(
            1,
            "the host is being changed; ask again",
        ));
    }
    if machine.state == machine::State::Invited {
        machines::advance(&mut tx, &machine, machine::State::Joined).await?;
        tracing::info!(host = %machine.name, role = %machine.role, from = %from.0, "joined");
    }
    let grant = grant(&app, &machine, addresses)?;
    app.push(tx.commit().await?);
    Ok(Json(grant).into_response())
}

/// A machine that has joined asks whether it still belongs here.
pub(super) async fn standing(
    State(app): State<App>,
    from: From,
    Json(asked): Json<Asked>,
) -> Result<Response, Error> {
    let machine = recognised(&app, &from, &asked, Use::Look).await?;
    Ok(Json(json!({ "state": machine.state })).into_response())
}

/// What the secret is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Join,
    Look,
}

/// The machine that asks; the token is its own from now on. Only who has the secret is worth a transaction.
async fn recognised(
    app: &App,
    from: &From,
    asked: &Asked,
    for_what: Use,
) -> Result<Machine, Error> {
    if asked.key.len() != HASH || !asked.key.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::bad_request(
            "invalid value for key: 64 hexadecimal digits are expected",
        ));
    }
    let wait = app.attempts.begin(from.0);
    let machine = machines::find(&app.store, &asked.name).await?;
    let Some(machine) = machine.filter(|machine| has_secret(asked, machine)) else {
        if let Some(wait) = wait {
            let text = "too many attempts to join from this address failed; wait a minute";
            return Err(Error::new(StatusCode::TOO_MANY_REQUESTS, text)
                .retry_after(u32::try_from(wait.as_secs()).unwrap_or(60) + 1));
        }
        tracing::warn!(host = %asked.name, from = %from.0, "was not let in: its token is not good");
        return Err(no_good());
    };
    app.attempts.succeeded(from.0);
    let judged = judge(asked, &machine, for_what);
    let found = match (judged, for_what) {
        (Ok(()), Use::Join) => bound(app, asked).await,
        (Ok(()), Use::Look) => Ok(machine),
        (Err(error), _) => Err(error),
    };
    if let Err(error) = &found
        && error.status().is_client_error()
    {
        tracing::warn!(host = %asked.name, from = %from.0, "was not let in: {error}");
    }
    found
}

/// Gives the token to the machine, unless it is another's by now.
async fn bound(app: &App, asked: &Asked) -> Result<Machine, Error> {
    let mut tx = app.store.begin().await?;
    let machine = machines::lock(&mut tx, &asked.name).await?;
    let machine = machine.ok_or_else(no_good)?;
    judge(asked, &machine, Use::Join)?;
    if machine.joiner.is_none() {
        machines::bind(&mut tx, &machine.name, &hash(&asked.key)).await?;
    }
    app.push(tx.commit().await?);
    Ok(machine)
}

fn has_secret(asked: &Asked, machine: &Machine) -> bool {
    let secret = machine.secret.as_deref().unwrap_or_default();
    is_equal(secret, &hash(&asked.secret))
}

/// Whether the machine may go on with this token.
fn judge(asked: &Asked, machine: &Machine, for_what: Use) -> Result<(), Error> {
    if !has_secret(asked, machine) {
        return Err(no_good());
    }
    let own = machine.joiner.as_deref();
    let is_its = own.is_some_and(|own| is_equal(own, &hash(&asked.key)));
    if own.is_some() && !is_its {
        return Err(Error::conflict(format!(
            "another machine has used this token already; if that was not meant, remove it (`skybus host remove {0}`) \
             and make a new one: `skybus host add {0}`",
            machine.name
        )));
    }
    if machine.state.is_away() {
        return Err(Error::new(
            StatusCode::GONE,
            format!("host {} was removed from this cloud", machine.name),
        ));
    }
    let over = machine.expires_at.is_none_or(|end| end < Timestamp::now());
    if !is_its && (over || for_what == Use::Look) {
        return Err(Error::forbidden(format!(
            "this token is too old; make a new one: `skybus host add {}`",
            machine.name
        )));
    }
    Ok(())
}

/// Who does not have the secret is not told what there is.
fn no_good() -> Error {
    Error::forbidden(
        "this token is not good: it was replaced by a newer one, or made by another cloud. `skybus host add NAME` \
         makes one",
    )
}

/// In the same time, wherever they differ.
fn is_equal(one: &str, other: &str) -> bool {
    let differs = one
        .bytes()
        .zip(other.bytes())
        .fold(0, |differs, (a, b)| differs | (a ^ b));
    one.len() == other.len() && !one.is_empty() && differs == 0
}

fn grant(
    app: &App,
    machine: &Machine,
    broker: std::collections::BTreeMap<String, String>,
) -> Result<Grant, Error> {
    let config = &app.config;
    let reach = reach(app)?;
    let role = machine.role;
    let only = |wanted: bool, value: &String| wanted.then(|| value.clone());
    Ok(Grant {
        role,
        broker,
        api_url: reach.api,
        metadata_secret: only(role != Role::Scheduler, &config.metadata_secret),
        url_secret: only(role.needs_database(), &config.url_secret),
        database: only(role.needs_database(), &config.database),
        public_url: only(role == Role::Api, &config.public_url),
        region: only(role == Role::Api, &config.region),
    })
}
