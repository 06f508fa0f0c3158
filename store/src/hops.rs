//! Hops: what happened on the way of an operation, for `trace` and for action events.

use skybus_model::{id::OperationId, operation::Hop};

use crate::{Result, Store, Tx, row::Columns};

/// Notes hops; those that are there already stay as they are.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn add(tx: &mut Tx, operation: OperationId, hops: &[Hop]) -> Result<()> {
    for hop in hops {
        sqlx::query(
            "INSERT INTO hops (operation, at, who, what, detail) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
        )
        .bind(operation.to_string())
        .bind(hop.at.micros())
        .bind(hop.who.clone())
        .bind(hop.what.clone())
        .bind(hop.detail.clone())
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// The hops of an operation, oldest first.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn of(store: &Store, operation: OperationId) -> Result<Vec<Hop>> {
    sqlx::query("SELECT * FROM hops WHERE operation = $1 ORDER BY at")
        .bind(operation.to_string())
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(|row| {
            Ok(Hop {
                at: row.time("at")?,
                who: row.text("who")?,
                what: row.text("what")?,
                detail: row.text("detail")?,
            })
        })
        .collect()
}
