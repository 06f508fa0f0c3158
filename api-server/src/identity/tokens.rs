//! Tokens as they are shown, looked at and given back; what a token's holder can reach.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use skybus_model::Timestamp;
use skybus_store::identity::{Domain, domains, projects, tokens, tokens::Standing};

use super::{
    catalog, projects as project_view,
    token::audit_text,
    verify::{self, Good},
};
use crate::{
    app::App,
    http::{Auth, Error, Json, Page, Params},
};

const SUBJECT: HeaderName = HeaderName::from_static("x-subject-token");

/// A token and what it says, as an answer.
pub(super) fn response(
    app: &App,
    status: StatusCode,
    token: &str,
    good: &Good,
    with_catalog: bool,
) -> Result<Response, Error> {
    let mut response = (
        status,
        Json(json!({ "token": view(app, good, with_catalog) })),
    )
        .into_response();
    let value = HeaderValue::from_str(token).map_err(Error::internal)?;
    response.headers_mut().insert(SUBJECT, value);
    response
        .headers_mut()
        .append(header::VARY, HeaderValue::from_static("X-Auth-Token"));
    Ok(response)
}

fn view(app: &App, good: &Good, with_catalog: bool) -> Value {
    let Good {
        claims,
        standing: Standing { user, scope, .. },
    } = good;
    let domain = |id: &str| {
        // There is one domain; its name is known without asking.
        json!({ "id": id, "name": if id == domains::DEFAULT { "Default" } else { id } })
    };
    let mut token = json!({
        "methods": claims.methods(),
        "user": {
            "id": user.id, "name": user.name, "domain": domain(&user.domain),
            "password_expires_at": null,
        },
        "audit_ids": claims.audit_ids(),
        "issued_at": claims.issued.iso_micros_z(),
        "expires_at": claims.expires.iso_micros_z(),
    });
    if let Some((project, roles)) = scope {
        token["project"] = json!({
            "id": project.id, "name": project.name, "domain": domain(&project.domain),
        });
        token["is_domain"] = json!(false);
        token["roles"] = roles
            .iter()
            .map(|role| json!({ "id": role.id, "name": role.name }))
            .collect();
        if with_catalog {
            token["catalog"] = catalog::view(app);
        }
    }
    token
}

/// The token in X-Subject-Token, if the caller may look at it: it is their own, or they are an admin.
async fn subject(app: &App, auth: &Auth, headers: &HeaderMap) -> Result<(String, Good), Error> {
    let token = headers
        .get(SUBJECT)
        .ok_or_else(|| Error::bad_request("the request needs the header X-Subject-Token"))?
        .to_str()
        .map_err(|_| Error::bad_request("X-Subject-Token is not a token"))?;
    let good = verify::check(app, token).await?.ok_or_else(|| {
        Error::new(
            StatusCode::NOT_FOUND,
            "that token is not good, or no longer",
        )
    })?;
    if good.standing.user.id != auth.user && !auth.is_admin() {
        return Err(Error::forbidden(
            "another user's token needs the role admin",
        ));
    }
    Ok((token.to_owned(), good))
}

/// What a token says. HEAD as well.
pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let (token, good) = subject(&app, &auth, &headers).await?;
    response(
        &app,
        StatusCode::OK,
        &token,
        &good,
        !params.has("nocatalog"),
    )
}

/// Gives a token back before its time.
pub(super) async fn revoke(
    State(app): State<App>,
    auth: Auth,
    headers: HeaderMap,
) -> Result<StatusCode, Error> {
    let (_, good) = subject(&app, &auth, &headers).await?;
    let mut tx = app.store.begin().await?;
    let audit = audit_text(good.claims.audit);
    tokens::revoke(&mut tx, &audit, good.claims.expires, Timestamp::now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The catalog of the caller's token.
pub(super) async fn show_catalog(State(app): State<App>, auth: Auth) -> Result<Json<Value>, Error> {
    auth.project()?;
    let links =
        json!({ "self": app.public("/identity/v3/auth/catalog"), "previous": null, "next": null });
    Ok(Json(
        json!({ "catalog": catalog::view(&app), "links": links }),
    ))
}

/// The projects that the caller could have a token for.
pub(super) async fn own_projects(
    State(app): State<App>,
    auth: Auth,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let mut found = projects::of_user(app.store.pool(), auth.user).await?;
    found.retain(|project| project.enabled);
    project_view::answer(&app, &page, &params, found)
}

/// The domains that the caller could have a token for: tokens here are for projects.
pub(super) async fn own_domains(State(app): State<App>) -> Json<Value> {
    let links =
        json!({ "self": app.public("/identity/v3/auth/domains"), "previous": null, "next": null });
    Json(json!({ "domains": [], "links": links }))
}

/// Whether the caller could have a token for the whole system: no.
pub(super) async fn own_system(State(app): State<App>) -> Json<Value> {
    let links = json!({ "self": app.public("/identity/v3/auth/system") });
    Json(json!({ "system": [], "links": links }))
}

/// A domain as it is shown.
pub(super) fn domain_view(app: &App, domain: &Domain) -> Value {
    json!({
        "id": domain.id,
        "name": domain.name,
        "description": domain.description,
        "enabled": domain.enabled,
        "tags": [],
        "options": {},
        "links": { "self": app.public(&format!("/identity/v3/domains/{}", domain.id)) },
    })
}
