//! `GET`, `PUT` and `DELETE` of one server.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use skybus_model::Timestamp;
use skybus_store::{
    announce,
    servers::{self, Server},
};

use super::{
    beside, change, find,
    view::{self, Lens},
};
use crate::{
    app::App,
    compute::fields::{Fields, Invalid, checked_name},
    http::{Auth, Error, Json, Microversion, Path, RequestContext},
};

/// One server in full.
pub(crate) async fn show(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let server = find::visible(&app, &auth, &id).await?;
    shown(&app, &auth, version, &server).await
}

async fn shown(
    app: &App,
    auth: &Auth,
    version: Microversion,
    server: &Server,
) -> Result<Response, Error> {
    let lens = Lens::new(app, auth, version);
    let beside = beside::of_one(app, &lens, server).await?;
    let mut shown = view::full(&lens, server, &beside);
    if version.since(71) {
        shown["server_groups"] = json!([]);
    }
    Ok(Json(json!({ "server": shown })).into_response())
}

/// Changes name and description.
pub(crate) async fn update(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    RequestContext(context): RequestContext,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let fields = Fields::of(&body, "server")?;
    fields.only(&[
        "name",
        "description",
        "hostname",
        "OS-DCF:diskConfig",
        "accessIPv4",
        "accessIPv6",
    ])?;
    refuse_unbuilt(&fields)?;
    let name = fields.text("name", 1..=255)?;
    let name = name
        .map(|name| checked_name("server.name", name))
        .transpose()?;
    if fields.given("name") && name.is_none() {
        return Err(Invalid::new("server.name", "a server must have a name").into());
    }
    let described = fields.given("description") && version.since(19);
    if fields.given("description") && !described {
        let why = format!("it is understood since microversion 2.19; the request is in {version}");
        return Err(Invalid::new("server.description", why).into());
    }
    let description = fields.text("description", 0..=255)?;
    let mut tx = app.store.begin().await?;
    let mut server = find::locked(&mut tx, &auth, &id).await?;
    if let Some(name) = name {
        name.clone_into(&mut server.name);
    }
    if described {
        server.description = description.map(str::to_owned);
    }
    server.updated_at = Timestamp::now();
    servers::save(&mut tx, &server).await?;
    announce::server(&mut tx, &server, "compute.instance.update", &context).await?;
    app.push(tx.commit().await?);
    shown(&app, &auth, version, &server).await
}

fn refuse_unbuilt(fields: &Fields<'_>) -> Result<(), Invalid> {
    for key in ["hostname", "accessIPv4", "accessIPv6"] {
        let empty = fields
            .value(key)
            .is_none_or(|value| value.as_str() == Some(""));
        if !empty {
            return Err(Invalid::new(
                fields.at(key),
                "changing it is not built yet; leave it out",
            ));
        }
    }
    Ok(())
}

/// Removes a server, whatever is being done to it.
pub(crate) async fn delete(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    change::delete(&app, &auth, &context, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
