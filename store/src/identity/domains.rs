//! Domains. There is one, `default`; the table is what projects and users refer to.

use sqlx::{AnyExecutor, any::AnyRow};

use crate::{Result, Tx, row::Columns};

/// The id of the one domain, a word rather than a UUID, as every client expects it.
pub const DEFAULT: &str = "default";

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether its users may log in.
    pub enabled: bool,
}

fn read(row: &AnyRow) -> Result<Domain> {
    Ok(Domain {
        id: row.text("id")?,
        name: row.text("name")?,
        description: row.text("description")?,
        enabled: row.flag("enabled")?,
    })
}

/// Every domain.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn list(db: impl AnyExecutor<'_>) -> Result<Vec<Domain>> {
    sqlx::query("SELECT * FROM domains ORDER BY id")
        .fetch_all(db)
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The domain of this id or name.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn find(db: impl AnyExecutor<'_>, id_or_name: &str) -> Result<Option<Domain>> {
    sqlx::query("SELECT * FROM domains WHERE id = $1 OR name = $1")
        .bind(id_or_name.to_owned())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Writes a domain unless there is one of that id.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn ensure(tx: &mut Tx, domain: &Domain) -> Result<()> {
    sqlx::query(
        "INSERT INTO domains (id, name, description, enabled) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(domain.id.clone())
    .bind(domain.name.clone())
    .bind(domain.description.clone())
    .bind(i64::from(domain.enabled))
    .execute(tx.conn())
    .await?;
    Ok(())
}
