//! `PUT /skybus/v1/hosts/{name}`: invites a machine. The answer holds its token, once.

use std::time::Duration;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use skybus_bus::accounts;
use skybus_model::{
    HostName, Timestamp,
    join::{self, Token},
    machine::Role,
};
use skybus_store::machines;

use super::{account_key::AccountKey, broker};
use crate::{
    app::App,
    config::Reach,
    http::{Auth, Error, Json, Path},
    operator::bus::management,
};

/// For so long a token is good.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default = "compute")]
    role: Role,
}

const fn compute() -> Role {
    Role::Compute
}

/// Invites a machine, or invites it anew: then only the new token is good.
pub(super) async fn add(
    State(app): State<App>,
    auth: Auth,
    Path(name): Path<String>,
    Json(asked): Json<Asked>,
) -> Result<Response, Error> {
    let name: HostName = name
        .parse()
        .map_err(|error: skybus_model::host::NotAHostName| Error::bad_request(error.to_string()))?;
    let reach = reach(&app)?;
    fits(&app, asked.role, &reach)?;
    management(&app)?;
    AccountKey::of(app.config.account_key.as_deref())?;
    let (secret, expires) = (accounts::password(), Timestamp::now().after(GOOD_FOR));
    let mut tx = app.store.begin().await?;
    let hashed = join::hash(&secret);
    let former = machines::invite(&mut tx, &name, asked.role, (&hashed, expires)).await?;
    app.push(tx.commit().await?);
    if former.is_some_and(|former| former.joiner.is_some()) {
        // Whoever had begun to join with the former token has accounts already, perhaps.
        broker::settle(&app, &name).await?;
    }
    tracing::info!(host = %name, role = %asked.role, operator = %auth.user, "invited");
    let token = Token {
        api: reach.api,
        name: name.clone(),
        role: asked.role,
        secret,
    };
    let shown = json!({ "host": {
        "name": name,
        "role": asked.role,
        "state": "invited",
        "token": token.written(),
        "expires_at": expires.iso_micros_z(),
    }});
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// Where other machines reach this cloud.
///
/// # Errors
/// When they cannot.
pub(super) fn reach(app: &App) -> Result<Reach, Error> {
    app.config.reach.clone().ok_or_else(|| {
        Error::conflict(
            "no other machine can reach this cloud: its APIs and its broker are on loopback. Start it again with \
             `skybus down` and `skybus up --public-address ADDRESS`, an address of this machine that the others \
             can reach",
        )
    })
}

/// Schedulers and API servers work with the database themselves.
fn fits(app: &App, role: Role, reach: &Reach) -> Result<(), Error> {
    if role == Role::All {
        return Err(Error::bad_request(
            "invalid value for role: use compute, scheduler or api",
        ));
    }
    if !role.needs_database() {
        return Ok(());
    }
    let database = &app.config.database;
    if database.starts_with("sqlite:") {
        return Err(Error::conflict(format!(
            "the database of this cloud is a file on its first machine (SQLite), which no {role} on another machine \
             can use; a cloud that was made with `skybus up --database postgres://…` can have more of them"
        )));
    }
    if on_loopback(database) && !on_loopback(&reach.api) {
        return Err(Error::conflict(format!(
            "the address of the database leads to loopback, where no {role} on another machine reaches it; name \
             PostgreSQL in the configuration by an address that all machines reach"
        )));
    }
    Ok(())
}

/// Whether an address means the machine that reads it.
fn on_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.split(['/', '?']).next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    // An empty one is a socket of this machine.
    place.is_empty()
        || place.starts_with("localhost")
        || place.starts_with("127.")
        || place.starts_with("[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_its_names() {
        for here in [
            "postgres://a:b@localhost/x",
            "postgres://a@127.0.0.1:5432/x",
            "postgres:///x?host=/run",
            "http://127.0.0.2:1",
        ] {
            assert!(on_loopback(here), "{here}");
        }
        assert!(!on_loopback("postgres://a:p@127@db.example/x?y=127."));
    }
}
