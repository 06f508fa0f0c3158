//! Finds the server that a path names, for whoever may see it. What belongs to another project does not
//! exist for the caller: 404.

use skybus_model::id::ServerId;
use skybus_store::{
    Error as StoreError, Tx,
    servers::{self, Server},
};

use crate::{
    app::App,
    http::{Auth, Error},
};

/// The server, to be read.
pub(crate) async fn visible(app: &App, auth: &Auth, id: &str) -> Result<Server, Error> {
    let found = servers::get(&app.store, parse(id)?).await;
    theirs(auth, id, found)
}

/// The server, also when it is deleted: its history outlives it.
pub(crate) async fn visible_or_gone(app: &App, auth: &Auth, id: &str) -> Result<Server, Error> {
    match servers::get(&app.store, parse(id)?).await {
        Ok(server) if auth.sees(server.project) => Ok(server),
        Ok(_) | Err(StoreError::NotFound(_)) => Err(missing(id)),
        Err(other) => Err(other.into()),
    }
}

/// The server, to be changed: its row is locked until the transaction ends.
pub(crate) async fn locked(tx: &mut Tx, auth: &Auth, id: &str) -> Result<Server, Error> {
    let found = servers::load(tx, parse(id)?).await;
    theirs(auth, id, found)
}

fn theirs(auth: &Auth, id: &str, found: Result<Server, StoreError>) -> Result<Server, Error> {
    match found {
        Ok(server) if auth.sees(server.project) && server.deleted_at.is_none() => Ok(server),
        Ok(_) | Err(StoreError::NotFound(_)) => Err(missing(id)),
        Err(other) => Err(other.into()),
    }
}

fn parse(id: &str) -> Result<ServerId, Error> {
    id.parse().map_err(|_| missing(id))
}

fn missing(id: &str) -> Error {
    let id: String = id.chars().take(80).collect();
    Error::not_found("instance", id)
}
