//! `POST /auth/tokens`: from a password or a token to a token.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, State},
    response::Response,
};
use http::{Extensions, StatusCode};
use serde::Deserialize;
use skybus_model::{
    Timestamp,
    id::{ProjectId, UserId},
};
use skybus_store::identity::{
    Project, User, domains, projects, roles,
    tokens::{self, Standing},
    users,
};
use std::time::Duration;
use uuid::Uuid;

use super::{
    token::{BY_PASSWORD, BY_TOKEN, Claims, audit_text},
    tokens as answer,
    verify::{self, Good},
};
use crate::{
    app::App,
    http::{Error, Json, Params},
};

/// The body.
#[derive(Debug, Deserialize)]
pub(super) struct Body {
    auth: Asked,
}

#[derive(Debug, Deserialize)]
struct Asked {
    identity: Identity,
    #[serde(default)]
    scope: Option<Scope>,
}

#[derive(Debug, Deserialize)]
struct Identity {
    methods: Vec<String>,
    #[serde(default)]
    password: Option<ByPassword>,
    #[serde(default)]
    token: Option<ByToken>,
}

#[derive(Debug, Deserialize)]
struct ByPassword {
    user: Login,
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    domain: Option<Named>,
    password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish()
    }
}

#[derive(Deserialize)]
struct ByToken {
    id: String,
}

impl std::fmt::Debug for ByToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByToken(…)")
    }
}

/// A thing by id, or by name in a domain.
#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    domain: Option<Box<Named>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scope {
    /// `"unscoped"`.
    Word(String),
    /// An object with one of several keys.
    Of {
        #[serde(default)]
        project: Option<Named>,
        #[serde(default)]
        domain: Option<serde_json::Value>,
        #[serde(default)]
        system: Option<serde_json::Value>,
        #[serde(default, rename = "OS-TRUST:trust")]
        trust: Option<serde_json::Value>,
    },
}

/// Makes a token.
pub(super) async fn create(
    State(app): State<App>,
    params: Params,
    extensions: Extensions,
    Json(body): Json<Body>,
) -> Result<Response, Error> {
    let peer = peer(&extensions);
    let asked = body.auth;
    let (user, former) = who(&app, &asked.identity, &peer).await?;
    let project = scope(&app, asked.scope.as_ref(), &user).await?;
    let now = Timestamp::now();
    let audit = Uuid::new_v4();
    let claims = Claims {
        methods: former.map_or(BY_PASSWORD, |old| old.methods | BY_TOKEN),
        user: user.id,
        project: project.as_ref().map(|project| project.id),
        issued: now,
        // Changing the project must not make a login last longer.
        expires: former.map_or_else(
            || now.after(Duration::from_secs(app.config.token_lifetime)),
            |old| old.expires,
        ),
        audit,
        first: former.map_or(audit, |old| old.first),
    };
    let standing = tokens::standing(&app.store, claims.user, claims.project, &audit_text(audit))
        .await?
        .ok_or_else(refused)?;
    tracing::info!(user = %claims.user, project = ?claims.project, "made a token");
    let token = app.keys.seal(&claims.encode());
    let good = Good { claims, standing };
    answer::response(
        &app,
        StatusCode::CREATED,
        &token,
        &good,
        !params.has("nocatalog"),
    )
}

/// The address that a request came from.
pub(super) fn peer(extensions: &Extensions) -> String {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|peer| peer.0.ip().to_string()).unwrap_or_default()
}

/// The one answer to every login that fails, so that it tells nothing about which names exist.
fn refused() -> Error {
    Error::unauthorized(
        "the login was refused: user, password and project do not fit together, or one is disabled",
    )
}

async fn who(app: &App, identity: &Identity, peer: &str) -> Result<(User, Option<Claims>), Error> {
    match identity
        .methods
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["password"] => {
            let asked = identity.password.as_ref().ok_or_else(|| {
                Error::bad_request("the method password needs auth.identity.password")
            })?;
            Ok((by_password(app, &asked.user, peer).await?, None))
        }
        ["token"] => {
            let asked = identity
                .token
                .as_ref()
                .ok_or_else(|| Error::bad_request("the method token needs auth.identity.token"))?;
            let Good { claims, standing } =
                verify::check(app, &asked.id).await?.ok_or_else(refused)?;
            let Standing { user, .. } = standing;
            Ok((user, Some(claims)))
        }
        [] => Err(Error::bad_request(
            "auth.identity.methods is empty; use password or token",
        )),
        other => Err(Error::unauthorized(format!(
            "logging in by {} is not possible here; use password or token",
            other.join(" and ")
        ))),
    }
}

async fn by_password(app: &App, login: &Login, peer: &str) -> Result<User, Error> {
    let (user, name, place) = match (&login.id, &login.name) {
        (Some(id), _) => {
            let user = match id.parse::<UserId>() {
                Ok(id) => users::get(app.store.pool(), id).await?,
                Err(_) => None,
            };
            (user, id, None)
        }
        (None, Some(name)) => {
            let domain = domain(app, login.domain.as_ref(), "user").await?;
            let user = match &domain {
                Some(domain) => users::by_name(app.store.pool(), domain, name).await?,
                None => None,
            };
            (user, name, domain)
        }
        (None, None) => {
            return Err(Error::bad_request(
                "auth.identity.password.user needs an id or a name",
            ));
        }
    };
    let hash = user.as_ref().and_then(|user| user.password.clone());
    // However a user is named, it is the same user. What names no user is counted just as finely, so that
    // the limit does not tell one from the other.
    let who = match &user {
        Some(user) => user.id.to_string(),
        None => format!("{} {name}", place.unwrap_or_default()),
    };
    let key = attempts_of(peer, &who);
    let right = app.logins.check(&key, login.password.clone(), hash).await?;
    match user {
        Some(user) if right && user.enabled => Ok(user),
        _ => {
            tracing::info!(%name, peer, "refused a login");
            Err(refused())
        }
    }
}

/// Under what failed logins are counted. At one address, so that nobody can lock others out.
pub(super) fn attempts_of(peer: &str, who: &str) -> String {
    format!("{peer} {}", who.chars().take(255).collect::<String>())
}

/// The id of the domain that a name is in; `None` when there is no such domain.
async fn domain(app: &App, named: Option<&Named>, of: &str) -> Result<Option<String>, Error> {
    let word = named.and_then(|named| named.id.as_ref().or(named.name.as_ref())).ok_or_else(|| {
        Error::bad_request(format!(
            "a {of} by name needs the domain it is in, as in \"domain\": {{\"id\": \"default\"}}"
        ))
    })?;
    let found = domains::find(app.store.pool(), word).await?;
    Ok(found
        .filter(|domain| domain.enabled)
        .map(|domain| domain.id))
}

/// The project that the token is to be for; the user's default one when nothing was said.
async fn scope(app: &App, scope: Option<&Scope>, user: &User) -> Result<Option<Project>, Error> {
    let db = app.store.pool();
    let project = match scope {
        None => {
            // Unlike a project that was named, a default that does not work is left out silently.
            return match user.default_project {
                None => Ok(None),
                Some(id) => usable(app, projects::get(db, id).await?, user).await,
            };
        }
        Some(Scope::Word(word)) if word == "unscoped" => return Ok(None),
        Some(Scope::Of {
            project: Some(named),
            ..
        }) => match (&named.id, &named.name) {
            (Some(id), _) => match id.parse::<ProjectId>() {
                Ok(id) => projects::get(db, id).await?,
                Err(_) => None,
            },
            (None, Some(name)) => match domain(app, named.domain.as_deref(), "project").await? {
                Some(domain) => projects::by_name(db, &domain, name).await?,
                None => None,
            },
            (None, None) => {
                return Err(Error::bad_request(
                    "auth.scope.project needs an id or a name",
                ));
            }
        },
        Some(Scope::Of {
            domain,
            system,
            trust,
            ..
        }) if domain.is_some() || system.is_some() || trust.is_some() => {
            return Err(Error::unauthorized(
                "tokens here are for a project, or unscoped",
            ));
        }
        Some(_) => return Err(Error::bad_request("auth.scope must be {\"project\": …}")),
    };
    match usable(app, project, user).await? {
        Some(project) => Ok(Some(project)),
        None => {
            tracing::info!(user = %user.id, "refused a login: no role in the project");
            Err(refused())
        }
    }
}

/// The project, if it is enabled and the user has any role in it.
async fn usable(
    app: &App,
    project: Option<Project>,
    user: &User,
) -> Result<Option<Project>, Error> {
    let Some(project) = project.filter(|project| project.enabled) else {
        return Ok(None);
    };
    let held = roles::held(app.store.pool(), project.id, user.id).await?;
    Ok((!held.is_empty()).then_some(project))
}
