//! Answers of requests that carried a key of the caller's, so that a repetition is not done twice.

use skybus_model::Timestamp;

use crate::{Result, Tx, row::Columns};

/// The place where one run of a request keeps its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    scope: String,
    key: String,
    claim: String,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nothing, or only a run that was given up: it is the caller's now.
    Mine(Slot),
    /// It was answered.
    Answered(String),
    /// A run of the same request began then and has not answered.
    Running(Timestamp),
    /// It was used for another request.
    OtherRequest,
}

/// Claims a key for a request. A run that began before `abandoned` and has not answered is taken over.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn claim(
    tx: &mut Tx,
    scope: &str,
    key: &str,
    fingerprint: &str,
    now: Timestamp,
    abandoned: Option<Timestamp>,
) -> Result<Claim> {
    let slot = Slot {
        scope: scope.to_owned(),
        key: key.to_owned(),
        claim: format!("{:032x}", rand::random::<u128>()),
    };
    let inserted = sqlx::query(
        "INSERT INTO idempotency (scope, idem_key, fingerprint, claim, started_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (scope, idem_key) DO NOTHING",
    )
    .bind(slot.scope.clone())
    .bind(slot.key.clone())
    .bind(fingerprint.to_owned())
    .bind(slot.claim.clone())
    .bind(now.micros())
    .execute(tx.conn())
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(Claim::Mine(slot));
    }
    let row = sqlx::query("SELECT * FROM idempotency WHERE scope = $1 AND idem_key = $2")
        .bind(slot.scope.clone())
        .bind(slot.key.clone())
        .fetch_one(tx.conn())
        .await?;
    if row.text("fingerprint")? != fingerprint {
        return Ok(Claim::OtherRequest);
    }
    if let Some(answer) = row.maybe_text("answer")? {
        return Ok(Claim::Answered(answer));
    }
    let since = row.time("started_at")?;
    if abandoned.is_none_or(|before| since >= before) {
        return Ok(Claim::Running(since));
    }
    let taken = sqlx::query(
        "UPDATE idempotency SET claim = $3, started_at = $4 \
         WHERE scope = $1 AND idem_key = $2 AND claim = $5 AND answer IS NULL",
    )
    .bind(slot.scope.clone())
    .bind(slot.key.clone())
    .bind(slot.claim.clone())
    .bind(now.micros())
    .bind(row.text("claim")?)
    .execute(tx.conn())
    .await?;
    Ok(if taken.rows_affected() == 1 {
        Claim::Mine(slot)
    } else {
        Claim::Running(now)
    })
}

/// Keeps the answer; `false` when this run's place is no longer its own, or is answered already.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn record(tx: &mut Tx, slot: &Slot, answer: &str) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE idempotency SET answer = $4 \
         WHERE scope = $1 AND idem_key = $2 AND claim = $3 AND answer IS NULL",
    )
    .bind(slot.scope.clone())
    .bind(slot.key.clone())
    .bind(slot.claim.clone())
    .bind(answer.to_owned())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the key back: there is no answer worth keeping.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn release(tx: &mut Tx, slot: &Slot) -> Result<()> {
    sqlx::query(
        "DELETE FROM idempotency \
         WHERE scope = $1 AND idem_key = $2 AND claim = $3 AND answer IS NULL",
    )
    .bind(slot.scope.clone())
    .bind(slot.key.clone())
    .bind(slot.claim.clone())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets every key that was first used before this.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM idempotency WHERE started_at < $1")
        .bind(before.micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}
