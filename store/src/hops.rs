//! Hops: what happened on the way of an operation, for `trace` and for action events.

use skybus_model::{id::OperationId, operation::Hop};

use sqlx::AssertSqlSafe;

use crate::{
    Result, Store, Tx,
    row::{Columns, places},
};

/// The columns that a hop fills.
const COLUMNS: usize = 5;
/// Hops of one statement, well below what a statement may have of values.
const AT_ONCE: usize = 100;

/// Notes hops; those that are there already stay as they are.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn add(tx: &mut Tx, operation: OperationId, hops: &[Hop]) -> Result<()> {
    for some in hops.chunks(AT_ONCE) {
        let rows: Vec<String> = (0..some.len())
            .map(|row| places(row * COLUMNS + 1..=(row + 1) * COLUMNS))
            .collect();
        let insert = format!(
            "INSERT INTO hops (operation, at, who, what, detail) VALUES ({}) ON CONFLICT DO NOTHING",
            rows.join("), (")
        );
        // Only numbers were put into the text.
        let mut insert = sqlx::query(AssertSqlSafe(insert));
        for hop in some {
            insert = insert
                .bind(operation.to_string())
                .bind(hop.at.micros())
                .bind(hop.who.clone())
                .bind(hop.what.clone())
                .bind(hop.detail.clone());
        }
        insert.execute(tx.conn()).await?;
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
