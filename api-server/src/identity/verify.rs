//! Whether a token is good now, and what its user may.

use skybus_model::Timestamp;
use skybus_store::identity::tokens::{self, Standing};

use super::token::{Claims, audit_text};
use crate::{
    app::App,
    http::{Auth, Error, auth::Token},
};

/// A token that is good now.
#[derive(Debug, Clone)]
pub(super) struct Good {
    /// What it says.
    pub(super) claims: Claims,
    /// Where its user stands.
    pub(super) standing: Standing,
}

/// Who the holder of this token is.
///
/// # Errors
/// 401 when the token is not good now. The text does not say which of the reasons it is: the holder of
/// a stolen token learns nothing.
pub async fn verify(app: &App, token: &str) -> Result<Auth, Error> {
    let good = check(app, token).await?.ok_or_else(|| {
        Error::unauthorized("the token is not good, or no longer; ask for a new one")
    })?;
    let (project, roles) = match good.standing.scope {
        Some((project, roles)) => (Some(project), roles),
        None => (None, Vec::new()),
    };
    Ok(Auth {
        user: good.standing.user.id,
        user_name: good.standing.user.name,
        scope: project.as_ref().map(|project| project.id),
        project_name: project.map(|project| project.name).unwrap_or_default(),
        domain: good.standing.user.domain,
        roles: roles.into_iter().map(|role| role.name).collect(),
        expires: good.claims.expires,
        token: Token(token.to_owned()),
    })
}

/// Opens a token and asks the database what may have changed since it was made.
///
/// # Errors
/// 500 when the database fails.
pub(super) async fn check(app: &App, token: &str) -> Result<Option<Good>, Error> {
    // No token of ours is longer; what is, need not be opened to be refused.
    if token.len() > 512 {
        return Ok(None);
    }
    let Some(claims) = app
        .keys
        .open_sealed(token)
        .and_then(|bytes| Claims::decode(&bytes))
    else {
        return Ok(None);
    };
    if claims.expires <= Timestamp::now() {
        return Ok(None);
    }
    let audit = audit_text(claims.audit);
    let standing = tokens::standing(&app.store, claims.user, claims.project, &audit).await?;
    let Some(standing) = standing else {
        return Ok(None);
    };
    let scoped_well = match &standing.scope {
        None => true,
        Some((project, roles)) => project.enabled && !roles.is_empty(),
    };
    let stands = !standing.given_back
        && standing.user.enabled
        && claims.issued > standing.user.tokens_after
        && scoped_well;
    Ok(stands.then_some(Good { claims, standing }))
}
