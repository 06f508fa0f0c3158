//! When the last audit was and how much it found: the turn of one API server among many, and what `skybus
//! status` says.

use std::time::Duration;

use skybus_model::Timestamp;

use crate::{Result, Store, row::Columns};

/// The last audit that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// When.
    pub at: Timestamp,
    /// How many findings there were, or were left.
    pub findings: i64,
}

/// Takes the turn if nobody took it for `pause`; whether this caller has it now.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn take_turn(store: &Store, now: Timestamp, pause: Duration) -> Result<bool> {
    let pause = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
    let mut tx = store.begin().await?;
    let done =
        sqlx::query("UPDATE audits SET begun_at = $1 WHERE name = 'daily' AND begun_at <= $2")
            .bind(now.micros())
            .bind(now.micros().saturating_sub(pause))
            .execute(tx.conn())
            .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Writes down how much there was, or was left.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn note(store: &Store, now: Timestamp, findings: usize) -> Result<()> {
    let mut tx = store.begin().await?;
    sqlx::query("UPDATE audits SET ended_at = $1, findings = $2 WHERE name = 'daily'")
        .bind(now.micros())
        .bind(i64::try_from(findings).unwrap_or(i64::MAX))
        .execute(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(())
}

/// The last audit that ended, if there was one.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn last(store: &Store) -> Result<Option<Last>> {
    let row = sqlx::query("SELECT ended_at, findings FROM audits WHERE name = 'daily'")
        .fetch_one(store.pool())
        .await?;
    let findings = row.number("findings")?;
    Ok(row.maybe_time("ended_at")?.map(|at| Last { at, findings }))
}
