//! `/servers/{id}/metadata`: the owner's keys and values.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use skybus_model::{Timestamp, message::Context};
use skybus_store::{
    announce,
    servers::{self, Server},
};

use super::{create, find, request};
use crate::{
    app::App,
    compute::fields::{Fields, Invalid},
    http::{Auth, Error, Json, Path, RequestContext},
};

/// All of them.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let server = find::visible(&app, &auth, &id).await?;
    Ok(all(&server))
}

/// One of them.
pub(crate) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response, Error> {
    let server = find::visible(&app, &auth, &id).await?;
    let value = server.metadata.get(&key).ok_or_else(|| missing(&key))?;
    Ok(Json(json!({ "meta": { key: value } })).into_response())
}

/// Adds some, keeps the others.
pub(crate) async fn merge(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let items = request::metadata(&read(&body)?)?;
    let server = change(&app, &auth, &context, &id, |server| {
        server.metadata.extend(items);
        Ok(())
    });
    Ok(all(&server.await?))
}

/// Replaces all of them.
pub(crate) async fn replace(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let items = request::metadata(&read(&body)?)?;
    let server = change(&app, &auth, &context, &id, |server| {
        server.metadata = items;
        Ok(())
    });
    Ok(all(&server.await?))
}

/// Sets one.
pub(crate) async fn set(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let items = request::metadata(&Fields::of(&body, "meta")?)?;
    let value = match (items.len(), items.get(&key)) {
        (1, Some(value)) => value.clone(),
        _ => {
            let why = format!("it must have exactly one key, the one of the address ({key:?})");
            return Err(Invalid::new("meta", why).into());
        }
    };
    let item = (key.clone(), value.clone());
    change(&app, &auth, &context, &id, |server| {
        server.metadata.extend([item]);
        Ok(())
    })
    .await?;
    Ok(Json(json!({ "meta": { key: value } })).into_response())
}

/// Removes one.
pub(crate) async fn delete(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path((id, key)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    change(&app, &auth, &context, &id, |server| {
        server
            .metadata
            .remove(&key)
            .map(drop)
            .ok_or_else(|| missing(&key))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(body: &Value) -> Result<Fields<'_>, Invalid> {
    Fields::of(body, "metadata")
}

fn missing(key: &str) -> Error {
    Error::not_found("metadata item", key)
}

fn all(server: &Server) -> Response {
    Json(json!({ "metadata": server.metadata })).into_response()
}

async fn change(
    app: &App,
    auth: &Auth,
    context: &Context,
    id: &str,
    edit: impl FnOnce(&mut Server) -> Result<(), Error>,
) -> Result<Server, Error> {
    let mut tx = app.store.begin().await?;
    let mut server = find::locked(&mut tx, auth, id).await?;
    edit(&mut server)?;
    let items = i64::try_from(server.metadata.len()).unwrap_or(i64::MAX);
    create::metadata_fits(&mut tx, server.project, items).await?;
    server.updated_at = Timestamp::now();
    servers::save(&mut tx, &server).await?;
    announce::server(&mut tx, &server, "compute.instance.update", context).await?;
    app.push(tx.commit().await?);
    Ok(server)
}
