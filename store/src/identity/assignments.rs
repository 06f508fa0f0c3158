//! Who has which role in which project.

use skybus_model::id::{ProjectId, RoleId, UserId};
use sqlx::{AnyExecutor, any::AnyRow};

use crate::{Result, Tx, row::Columns};

/// A user's role in a project, with the names for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The project.
    pub project: ProjectId,
    /// Its name.
    pub project_name: String,
    /// The user.
    pub user: UserId,
    /// Their name.
    pub user_name: String,
    /// The role.
    pub role: RoleId,
    /// Its name.
    pub role_name: String,
}

fn read(row: &AnyRow) -> Result<Assignment> {
    Ok(Assignment {
        project: row.word("project")?,
        project_name: row.text("project_name")?,
        user: row.word("user_id")?,
        user_name: row.text("user_name")?,
        role: row.word("role")?,
        role_name: row.text("role_name")?,
    })
}

/// Every assignment.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn list(db: impl AnyExecutor<'_>) -> Result<Vec<Assignment>> {
    sqlx::query(
        "SELECT a.project, p.name AS project_name, a.user_id, u.name AS user_name, a.role, \
         r.name AS role_name FROM assignments a JOIN projects p ON p.id = a.project \
         JOIN users u ON u.id = a.user_id JOIN roles r ON r.id = a.role \
         ORDER BY a.project, a.user_id, r.name",
    )
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Gives a role; giving it twice changes nothing.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails or one of the three is gone.
pub async fn give(tx: &mut Tx, project: ProjectId, user: UserId, role: RoleId) -> Result<()> {
    sqlx::query(
        "INSERT INTO assignments (project, user_id, role) VALUES ($1, $2, $3) \
         ON CONFLICT (project, user_id, role) DO NOTHING",
    )
    .bind(project.to_string())
    .bind(user.to_string())
    .bind(role.to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a role away; `false` when it was not there.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn take(tx: &mut Tx, project: ProjectId, user: UserId, role: RoleId) -> Result<bool> {
    let done =
        sqlx::query("DELETE FROM assignments WHERE project = $1 AND user_id = $2 AND role = $3")
            .bind(project.to_string())
            .bind(user.to_string())
            .bind(role.to_string())
            .execute(tx.conn())
            .await?;
    Ok(done.rows_affected() > 0)
}
