//! Roles: words that [`super::assignments`] gives to a user in a project.

use skybus_model::id::RoleId;
use sqlx::{AnyExecutor, any::AnyRow};

use crate::{Error, Result, Tx, row::Columns};

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// What it allows.
    pub description: Option<String>,
}

fn read(row: &AnyRow) -> Result<Role> {
    Ok(Role {
        id: row.word("id")?,
        name: row.text("name")?,
        description: row.maybe_text("description")?,
    })
}

/// Every role.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list(db: impl AnyExecutor<'_>) -> Result<Vec<Role>> {
    sqlx::query("SELECT * FROM roles ORDER BY name")
        .fetch_all(db)
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The role of this id.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn get(db: impl AnyExecutor<'_>, id: RoleId) -> Result<Option<Role>> {
    sqlx::query("SELECT * FROM roles WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// The role of this name.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn by_name(db: impl AnyExecutor<'_>, name: &str) -> Result<Option<Role>> {
    sqlx::query("SELECT * FROM roles WHERE name = $1")
        .bind(name.to_owned())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// The roles that this user has in this project.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn held(
    db: impl AnyExecutor<'_>,
    project: skybus_model::id::ProjectId,
    user: skybus_model::id::UserId,
) -> Result<Vec<Role>> {
    sqlx::query(
        "SELECT roles.* FROM roles JOIN assignments ON assignments.role = roles.id \
         WHERE assignments.project = $1 AND assignments.user_id = $2 ORDER BY roles.name",
    )
    .bind(project.to_string())
    .bind(user.to_string())
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Writes a new role.
///
/// # Errors
/// [`Error::Conflict`] when the name is taken.
pub async fn insert(tx: &mut Tx, role: &Role) -> Result<()> {
    let done = sqlx::query(
        "INSERT INTO roles (id, name, description) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(role.id.to_string())
    .bind(role.name.clone())
    .bind(role.description.clone())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        Err(taken(&role.name))
    } else {
        Ok(())
    }
}

/// Writes a role's name and description.
///
/// # Errors
/// [`Error::Conflict`] when another has the name.
pub async fn update(tx: &mut Tx, role: &Role) -> Result<()> {
    sqlx::query("UPDATE roles SET name = $2, description = $3 WHERE id = $1")
        .bind(role.id.to_string())
        .bind(role.name.clone())
        .bind(role.description.clone())
        .execute(tx.conn())
        .await
        .map_err(Error::from)
        .map_err(|error| {
            if error.is_duplicate() {
                taken(&role.name)
            } else {
                error
            }
        })?;
    Ok(())
}

/// Removes a role from everyone who has it.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn delete(tx: &mut Tx, id: RoleId) -> Result<()> {
    sqlx::query("DELETE FROM roles WHERE id = $1")
        .bind(id.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn taken(name: &str) -> Error {
    Error::Conflict(format!("there is a role named {name:?} already"))
}
