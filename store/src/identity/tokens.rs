//! What the database knows of a token: whether it was given back, and what its user may now.
//!
//! Tokens are not rows; they carry what they say themselves. What can change after they were made is
//! asked here at each request.

use skybus_model::{
    Timestamp,
    id::{ProjectId, UserId},
};
use sqlx::AnyExecutor;

use super::{Project, Role, User, projects, roles, users};
use crate::{Result, Store, Tx, row::Columns};

/// A token's user, and their place in the token's project.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The user.
    pub user: User,
    /// The project, and the user's roles in it.
    pub scope: Option<(Project, Vec<Role>)>,
}

/// Notes that a token is no longer good, and forgets those that have ended by themselves.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn revoke(tx: &mut Tx, audit: &str, ends_at: Timestamp, now: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM revoked_tokens WHERE ends_at < $1")
        .bind(now.micros())
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO revoked_tokens (audit, ends_at) VALUES ($1, $2) ON CONFLICT (audit) DO NOTHING",
    )
    .bind(audit.to_owned())
    .bind(ends_at.micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether the token of this audit id was given back.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn is_revoked(db: impl AnyExecutor<'_>, audit: &str) -> Result<bool> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM revoked_tokens WHERE audit = $1")
        .bind(audit.to_owned())
        .fetch_one(db)
        .await?;
    Ok(row.number("n")? > 0)
}

/// Where a user stands now; `None` when there is no such user or project any more.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn standing(
    store: &Store,
    user: UserId,
    project: Option<ProjectId>,
) -> Result<Option<Standing>> {
    let Some(user) = users::get(store.pool(), user).await? else {
        return Ok(None);
    };
    let scope = match project {
        None => None,
        Some(id) => match projects::get(store.pool(), id).await? {
            None => return Ok(None),
            Some(project) => {
                let roles = roles::held(store.pool(), project.id, user.id).await?;
                Some((project, roles))
            }
        },
    };
    Ok(Some(Standing { user, scope }))
}
