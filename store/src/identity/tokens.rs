//! What the database knows of a token: whether it was given back, and what its user may now.
//!
//! Tokens are not rows; they carry what they say themselves. What can change after they were made is
//! asked here at each request.

use skybus_model::{
    Timestamp,
    id::{ProjectId, UserId},
};
use sqlx::any::AnyRow;

use super::{Project, Role, User, users};
use crate::{Result, Store, Tx, row::Columns};

/// A token's user, and their place in the token's project.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The user.
    pub user: User,
    /// The project, and the user's roles in it.
    pub scope: Option<(Project, Vec<Role>)>,
    /// Whether the token was given back before its time.
    pub given_back: bool,
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

/// Where a user stands now, and whether the token of this audit id was given back; `None` when there is no
/// such user or project any more. One query, because every request asks it.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn standing(
    store: &Store,
    user: UserId,
    project: Option<ProjectId>,
    audit: &str,
) -> Result<Option<Standing>> {
    let rows = sqlx::query(
        "SELECT users.*, projects.id AS project_id, projects.domain AS project_domain, \
         projects.name AS project_name, projects.description AS project_description, \
         projects.enabled AS project_enabled, projects.created_at AS project_created_at, \
         roles.id AS role_id, roles.name AS role_name, roles.description AS role_description, \
         (SELECT COUNT(*) FROM revoked_tokens WHERE audit = $3) AS given_back \
         FROM users LEFT JOIN projects ON projects.id = $2 \
         LEFT JOIN assignments ON assignments.project = projects.id \
         AND assignments.user_id = users.id \
         LEFT JOIN roles ON roles.id = assignments.role \
         WHERE users.id = $1 ORDER BY roles.name",
    )
    .bind(user.to_string())
    .bind(project.map(|id| id.to_string()).unwrap_or_default())
    .bind(audit.to_owned())
    .fetch_all(store.pool())
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let scope = match (project, first.maybe_word("project_id")?) {
        (None, _) => None,
        (Some(_), None) => return Ok(None),
        (Some(_), Some(id)) => Some((project_of(first, id)?, roles_of(&rows)?)),
    };
    Ok(Some(Standing {
        user: users::read(first)?,
        scope,
        given_back: first.number("given_back")? > 0,
    }))
}

fn project_of(row: &AnyRow, id: ProjectId) -> Result<Project> {
    Ok(Project {
        id,
        domain: row.text("project_domain")?,
        name: row.text("project_name")?,
        description: row.text("project_description")?,
        enabled: row.flag("project_enabled")?,
        created_at: row.time("project_created_at")?,
    })
}

fn roles_of(rows: &[AnyRow]) -> Result<Vec<Role>> {
    let role = |row: &AnyRow| {
        let Some(id) = row.maybe_word("role_id")? else {
            return Ok(None);
        };
        Ok(Some(Role {
            id,
            name: row.text("role_name")?,
            description: row.maybe_text("role_description")?,
        }))
    };
    rows.iter()
        .filter_map(|row| role(row).transpose())
        .collect()
}
