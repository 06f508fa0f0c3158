//! Who asks: what a handler knows of the caller.

use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};
use skybus_model::{
    Timestamp,
    id::{ProjectId, UserId},
};

use super::Error;
use crate::{app::App, identity};

/// The caller, as the token says and the database confirms.
#[derive(Debug, Clone)]
pub struct Auth {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub user_name: String,
    /// The project that the token is for; its absence means that the token is not for any.
    pub scope: Option<ProjectId>,
    /// The name of that project.
    pub project_name: String,
    /// The id of the domain of user and project: `default`, a word and no UUID.
    pub domain: String,
    /// The names of the roles that the user has in that project.
    pub roles: Vec<String>,
    /// When the token ends.
    pub expires: Timestamp,
    /// The token itself. Not to be logged.
    pub token: Token,
}

/// A token's text, which does not show itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Auth {
    /// The project that the request is made in.
    ///
    /// # Errors
    /// 403 when the token is not for a project.
    pub fn project(&self) -> Result<ProjectId, Error> {
        self.scope.ok_or_else(|| {
            Error::forbidden("this needs a token for a project; name a project when asking for it")
        })
    }

    /// Whether the caller has this role.
    #[must_use]
    pub fn has(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// Whether the caller runs this cloud.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.has("admin")
    }

    /// Whether things of this project are the caller's to see.
    #[must_use]
    pub fn sees(&self, project: ProjectId) -> bool {
        self.is_admin() || self.scope == Some(project)
    }
}

impl FromRequestParts<App> for Auth {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        if let Some(auth) = parts.extensions.get::<Self>() {
            return Ok(auth.clone());
        }
        let auth = of(app, &parts.headers).await?;
        parts.extensions.insert(auth.clone());
        Ok(auth)
    }
}

/// Finds out who asks.
///
/// # Errors
/// 401 without a token that is good now.
pub async fn of(app: &App, headers: &HeaderMap) -> Result<Auth, Error> {
    let token = headers
        .get("x-auth-token")
        .ok_or_else(|| Error::unauthorized("the request needs a token, in X-Auth-Token"))?
        .to_str()
        .map_err(|_| Error::unauthorized("the token in X-Auth-Token is not valid"))?;
    identity::verify(app, token).await
}
