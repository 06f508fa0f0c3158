//! Reading servers one by one, and those of a host.

use skybus_model::{HostName, id::ServerId};

use super::{Server, row::read};
use crate::{Error, Result, Store};

/// A server by its id, also one that is deleted.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get(store: &Store, id: ServerId) -> Result<Server> {
    let row = sqlx::query("SELECT * FROM servers WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(store.pool())
        .await?;
    row.as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::NotFound(format!("server {id}")))
}

/// The servers that should be on a host.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn living_on(store: &Store, host: &HostName) -> Result<Vec<Server>> {
    sqlx::query("SELECT * FROM servers WHERE host = $1 AND deleted_at IS NULL")
        .bind(host.as_str())
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// How many servers have a host.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn hosted(store: &Store) -> Result<i64> {
    let count = "SELECT COUNT(*) FROM servers WHERE host IS NOT NULL AND deleted_at IS NULL";
    Ok(sqlx::query_scalar(count).fetch_one(store.pool()).await?)
}
