//! Projects: what servers, images and networks belong to.

use skybus_model::{Timestamp, id::ProjectId};
use sqlx::{AnyExecutor, any::AnyRow};

use crate::{Engine, Error, Result, Tx, row::Columns};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The domain's id.
    pub domain: String,
    /// Its name, unique in the domain.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether tokens for it are good.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

fn read(row: &AnyRow) -> Result<Project> {
    Ok(Project {
        id: row.word("id")?,
        domain: row.text("domain")?,
        name: row.text("name")?,
        description: row.text("description")?,
        enabled: row.flag("enabled")?,
        created_at: row.time("created_at")?,
    })
}

/// Every project.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list(db: impl AnyExecutor<'_>) -> Result<Vec<Project>> {
    sqlx::query("SELECT * FROM projects ORDER BY name, id")
        .fetch_all(db)
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The projects in which this user has any role.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn of_user(
    db: impl AnyExecutor<'_>,
    user: skybus_model::id::UserId,
) -> Result<Vec<Project>> {
    sqlx::query(
        "SELECT * FROM projects WHERE id IN (SELECT project FROM assignments WHERE user_id = $1) \
         ORDER BY name, id",
    )
    .bind(user.to_string())
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The project of this id.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn get(db: impl AnyExecutor<'_>, id: ProjectId) -> Result<Option<Project>> {
    sqlx::query("SELECT * FROM projects WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// The project of this name in this domain.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn by_name(
    db: impl AnyExecutor<'_>,
    domain: &str,
    name: &str,
) -> Result<Option<Project>> {
    sqlx::query("SELECT * FROM projects WHERE domain = $1 AND name = $2")
        .bind(domain.to_owned())
        .bind(name.to_owned())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Writes a new project.
///
/// # Errors
/// [`Error::Conflict`] when the name is taken in the domain.
pub async fn insert(tx: &mut Tx, project: &Project) -> Result<()> {
    let done = sqlx::query(
        "INSERT INTO projects (id, domain, name, description, enabled, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (domain, name) DO NOTHING",
    )
    .bind(project.id.to_string())
    .bind(project.domain.clone())
    .bind(project.name.clone())
    .bind(project.description.clone())
    .bind(i64::from(project.enabled))
    .bind(project.created_at.micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        Err(taken(&project.name))
    } else {
        Ok(())
    }
}

/// Writes a project's name, description and whether it is enabled.
///
/// # Errors
/// [`Error::Conflict`] when another has the name.
pub async fn update(tx: &mut Tx, project: &Project) -> Result<()> {
    sqlx::query("UPDATE projects SET name = $2, description = $3, enabled = $4 WHERE id = $1")
        .bind(project.id.to_string())
        .bind(project.name.clone())
        .bind(project.description.clone())
        .bind(i64::from(project.enabled))
        .execute(tx.conn())
        .await
        .map_err(Error::from)
        .map_err(|error| {
            if error.is_duplicate() {
                taken(&project.name)
            } else {
                error
            }
        })?;
    Ok(())
}

/// Keeps a project from being deleted until the end of this transaction, which makes something that a project
/// is not deleted with. Called before anything else is locked.
///
/// # Errors
/// [`Error::NotFound`] when there is no such project, or not any more.
pub async fn hold(tx: &mut Tx, id: ProjectId) -> Result<()> {
    let text = match tx.engine() {
        Engine::Sqlite => "SELECT id FROM projects WHERE id = $1",
        Engine::Postgres => "SELECT id FROM projects WHERE id = $1 FOR KEY SHARE",
    };
    sqlx::query(text)
        .bind(id.to_string())
        .fetch_optional(tx.conn())
        .await?
        .map(|_| ())
        .ok_or_else(|| Error::NotFound(format!("project {id}")))
}

/// Removes a project and the roles in it.
///
/// # Errors
/// [`Error::Conflict`] while it has servers, images or floating IPs: nobody could reach them any more.
pub async fn delete(tx: &mut Tx, id: ProjectId) -> Result<()> {
    // What is being made in it counts.
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT id FROM projects WHERE id = $1 FOR UPDATE")
            .bind(id.to_string())
            .fetch_optional(tx.conn())
            .await?;
    }
    let left = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM servers WHERE project = $1 AND deleted_at IS NULL) AS servers, \
         (SELECT COUNT(*) FROM images WHERE project = $1 AND deleted_at IS NULL) AS images, \
         (SELECT COUNT(*) FROM floating_ips WHERE project = $1) AS floating",
    )
    .bind(id.to_string())
    .fetch_one(tx.conn())
    .await?;
    let (servers, images) = (left.number("servers")?, left.number("images")?);
    let floating = left.number("floating")?;
    if servers + images + floating > 0 {
        return Err(Error::Conflict(format!(
            "the project still has {servers} servers, {images} images and {floating} floating IPs; \
             delete those first"
        )));
    }
    sqlx::query("DELETE FROM projects WHERE id = $1")
        .bind(id.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn taken(name: &str) -> Error {
    Error::Conflict(format!(
        "there is a project named {name:?} in this domain already"
    ))
}
