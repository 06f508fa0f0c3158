//! Users, with the hash of their password.

use skybus_model::{
    Timestamp,
    id::{ProjectId, UserId},
};
use sqlx::{AnyExecutor, any::AnyRow};

use crate::{Error, Result, Tx, row::Columns};

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The domain's id.
    pub domain: String,
    /// The name, unique in the domain.
    pub name: String,
    /// Who that is.
    pub description: Option<String>,
    /// How to reach them.
    pub email: Option<String>,
    /// The hash of the password; none, no login.
    pub password: Option<String>,
    /// Whether they may log in and their tokens are good.
    pub enabled: bool,
    /// The project that clients use when none is named.
    pub default_project: Option<ProjectId>,
    /// Tokens made at or before this are no longer good.
    pub tokens_after: Timestamp,
    /// When the user was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

pub(super) fn read(row: &AnyRow) -> Result<User> {
    Ok(User {
        id: row.word("id")?,
        domain: row.text("domain")?,
        name: row.text("name")?,
        description: row.maybe_text("description")?,
        email: row.maybe_text("email")?,
        password: row.maybe_text("password")?,
        enabled: row.flag("enabled")?,
        default_project: row.maybe_word("default_project")?,
        tokens_after: row.time("tokens_after")?,
        created_at: row.time("created_at")?,
    })
}

/// Every user.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list(db: impl AnyExecutor<'_>) -> Result<Vec<User>> {
    sqlx::query("SELECT * FROM users ORDER BY name, id")
        .fetch_all(db)
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The user of this id.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn get(db: impl AnyExecutor<'_>, id: UserId) -> Result<Option<User>> {
    sqlx::query("SELECT * FROM users WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// The user of this name in this domain.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn by_name(db: impl AnyExecutor<'_>, domain: &str, name: &str) -> Result<Option<User>> {
    sqlx::query("SELECT * FROM users WHERE domain = $1 AND name = $2")
        .bind(domain.to_owned())
        .bind(name.to_owned())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Writes a new user.
///
/// # Errors
/// [`Error::Conflict`] when the name is taken in the domain.
pub async fn insert(tx: &mut Tx, user: &User) -> Result<()> {
    let done = sqlx::query(
        "INSERT INTO users (id, domain, name, description, email, password, enabled, \
         default_project, tokens_after, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (domain, name) DO NOTHING",
    )
    .bind(user.id.to_string())
    .bind(user.domain.clone())
    .bind(user.name.clone())
    .bind(user.description.clone())
    .bind(user.email.clone())
    .bind(user.password.clone())
    .bind(i64::from(user.enabled))
    .bind(user.default_project.map(|id| id.to_string()))
    .bind(user.tokens_after.micros())
    .bind(user.created_at.micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        Err(taken(&user.name))
    } else {
        Ok(())
    }
}

/// Writes everything about a user but id, domain and when they were made.
///
/// # Errors
/// [`Error::Conflict`] when another has the name.
pub async fn update(tx: &mut Tx, user: &User) -> Result<()> {
    sqlx::query(
        "UPDATE users SET name = $2, description = $3, email = $4, password = $5, enabled = $6, \
         default_project = $7, tokens_after = $8 WHERE id = $1",
    )
    .bind(user.id.to_string())
    .bind(user.name.clone())
    .bind(user.description.clone())
    .bind(user.email.clone())
    .bind(user.password.clone())
    .bind(i64::from(user.enabled))
    .bind(user.default_project.map(|id| id.to_string()))
    .bind(user.tokens_after.micros())
    .execute(tx.conn())
    .await
    .map_err(Error::from)
    .map_err(|error| {
        if error.is_duplicate() {
            taken(&user.name)
        } else {
            error
        }
    })?;
    Ok(())
}

/// Removes a user and their roles.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn delete(tx: &mut Tx, id: UserId) -> Result<()> {
    sqlx::query("DELETE FROM users WHERE id = $1")
        .bind(id.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn taken(name: &str) -> Error {
    Error::Conflict(format!(
        "there is a user named {name:?} in this domain already"
    ))
}
