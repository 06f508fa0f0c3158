//! Which events there are: the newest number, and how far the oldest ones have been removed.

use skybus_model::Timestamp;

use crate::{Result, Store, row::Columns};

/// How many events are removed in one transaction.
const BATCH: i64 = 1000;

/// The number of the newest event; 0 before the first. It also counts events that were removed since.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn newest(store: &Store) -> Result<i64> {
    let query = "SELECT value FROM counters WHERE name = 'events'";
    Ok(sqlx::query_scalar(query).fetch_one(store.pool()).await?)
}

/// The number of the newest event that was removed for its age; 0 while all are there. To know that
/// nothing is missing from events that were read, ask this after reading them.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn removed(store: &Store) -> Result<i64> {
    let query = "SELECT value FROM counters WHERE name = 'events_removed'";
    Ok(sqlx::query_scalar(query).fetch_one(store.pool()).await?)
}

/// Removes the oldest events that were made before `before`, some of them at a time; gives how many are
/// gone now. An older one behind a younger one stays: removal never leaves a hole.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails; what was removed by then stays removed.
pub async fn remove_old(store: &Store, before: Timestamp) -> Result<u64> {
    let mut gone = 0;
    loop {
        let removed = remove_some(store, before).await?;
        gone += removed;
        if removed < BATCH.unsigned_abs() {
            return Ok(gone);
        }
    }
}

async fn remove_some(store: &Store, before: Timestamp) -> Result<u64> {
    let mut tx = store.begin().await?;
    // One query, so that an event that is committed meanwhile is in neither of the two.
    let row = sqlx::query(
        "SELECT MIN(CASE WHEN at >= $2 THEN seq END) AS young, MAX(seq) AS last \
         FROM (SELECT seq, at FROM events ORDER BY seq LIMIT $1) AS oldest",
    )
    .bind(BATCH)
    .bind(before.micros())
    .fetch_one(tx.conn())
    .await?;
    let young = row.maybe_number("young")?.map(|seq| seq - 1);
    let Some(upto) = young.or(row.maybe_number("last")?) else {
        return Ok(0);
    };
    let gone = sqlx::query("DELETE FROM events WHERE seq <= $1")
        .bind(upto)
        .execute(tx.conn())
        .await?
        .rows_affected();
    if gone > 0 {
        sqlx::query("UPDATE counters SET value = $1 WHERE name = 'events_removed' AND value < $1")
            .bind(upto)
            .execute(tx.conn())
            .await?;
    }
    tx.commit().await?;
    Ok(gone)
}
