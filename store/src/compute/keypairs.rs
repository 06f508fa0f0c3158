//! Keypairs: public keys that a user puts into new servers. Private keys are never kept.

use skybus_model::{Timestamp, id::UserId};
use sqlx::any::AnyRow;

use crate::{Error, Result, Store, Tx, row::Columns};

/// A user's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keypair {
    /// Whose it is.
    pub owner: UserId,
    /// Its name, unique for its owner.
    pub name: String,
    /// `ssh`.
    pub kind: String,
    /// The MD5 of the key's bytes, in pairs of digits with colons.
    pub fingerprint: String,
    /// The line for `authorized_keys`.
    pub public_key: String,
    /// When it was given.
    pub created_at: Timestamp,
}

/// Adds a keypair.
///
/// # Errors
/// [`Error::Conflict`] when its owner has one of that name.
pub async fn insert(tx: &mut Tx, keypair: &Keypair) -> Result<()> {
    let added = sqlx::query(
        "INSERT INTO keypairs (owner, name, kind, fingerprint, public_key, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(keypair.owner.to_string())
    .bind(keypair.name.clone())
    .bind(keypair.kind.clone())
    .bind(keypair.fingerprint.clone())
    .bind(keypair.public_key.clone())
    .bind(keypair.created_at.micros())
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::Conflict(format!(
            "Key pair '{}' already exists.",
            keypair.name
        )))
    }
}

/// A user's keypairs, by name.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list(store: &Store, owner: UserId) -> Result<Vec<Keypair>> {
    sqlx::query("SELECT * FROM keypairs WHERE owner = $1 ORDER BY name")
        .bind(owner.to_string())
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// A user's keypair of that name.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn find(store: &Store, owner: UserId, name: &str) -> Result<Keypair> {
    let row = sqlx::query("SELECT * FROM keypairs WHERE owner = $1 AND name = $2")
        .bind(owner.to_string())
        .bind(name.to_owned())
        .fetch_optional(store.pool())
        .await?;
    row.as_ref().map_or_else(|| Err(missing(name)), read)
}

/// Removes a keypair. Servers that were made with it keep it.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn delete(tx: &mut Tx, owner: UserId, name: &str) -> Result<()> {
    let removed = sqlx::query("DELETE FROM keypairs WHERE owner = $1 AND name = $2")
        .bind(owner.to_string())
        .bind(name.to_owned())
        .execute(tx.conn())
        .await?;
    if removed.rows_affected() == 1 {
        Ok(())
    } else {
        Err(missing(name))
    }
}

fn missing(name: &str) -> Error {
    Error::NotFound(format!("keypair {name}"))
}

fn read(row: &AnyRow) -> Result<Keypair> {
    Ok(Keypair {
        owner: row.word("owner")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        fingerprint: row.text("fingerprint")?,
        public_key: row.text("public_key")?,
        created_at: row.time("created_at")?,
    })
}
