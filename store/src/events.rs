//! Events as rows: what subscribers that missed something catch up with, by sequence number.
//!
//! The counter's row is locked until the commit that an event is part of, so that the order of numbers is
//! the order of commits: whoever has read number N never finds a smaller one later. Old events are removed from
//! the front only ([`remove_old`]), and how far is written down beside the counter.

mod kept;
#[cfg(test)]
mod tests;

pub use kept::{newest, remove_old, removed};

use serde_json::Value;
use skybus_model::{
    Timestamp,
    id::{ProjectId, ServerId},
};

use crate::{Result, Store, Tx, row::Columns};

/// One state change, as it was published.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Grows by one with each event, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub project: ProjectId,
    /// `compute.instance.update`, `compute.instance.create.end`, …
    pub kind: String,
    /// Which server.
    pub server: ServerId,
    /// The request that led to it.
    pub request_id: String,
    /// What was published.
    pub payload: Value,
}

/// Writes an event; `seq` is assigned here and returned.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn append(tx: &mut Tx, event: &Event) -> Result<i64> {
    let next = "UPDATE counters SET value = value + 1 WHERE name = 'events' RETURNING value";
    let seq: i64 = sqlx::query_scalar(next).fetch_one(tx.conn()).await?;
    sqlx::query(
        "INSERT INTO events (seq, at, project, kind, server, request_id, payload) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(seq)
    .bind(event.at.micros())
    .bind(event.project.to_string())
    .bind(event.kind.clone())
    .bind(event.server.to_string())
    .bind(event.request_id.clone())
    .bind(event.payload.to_string())
    .execute(tx.conn())
    .await?;
    tx.numbered(seq);
    Ok(seq)
}

/// Events after `seq`, oldest first; of one project, or of all.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn after(
    store: &Store,
    seq: i64,
    project: Option<ProjectId>,
    most: i64,
) -> Result<Vec<Event>> {
    let all = "SELECT * FROM events WHERE seq > $1 ORDER BY seq LIMIT $2";
    let own = "SELECT * FROM events WHERE seq > $1 AND project = $3 ORDER BY seq LIMIT $2";
    let query = sqlx::query(if project.is_some() { own } else { all })
        .bind(seq)
        .bind(most);
    let query = match project {
        Some(project) => query.bind(project.to_string()),
        None => query,
    };
    query
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(|row| {
            Ok(Event {
                seq: row.number("seq")?,
                at: row.time("at")?,
                project: row.word("project")?,
                kind: row.text("kind")?,
                server: row.word("server")?,
                request_id: row.text("request_id")?,
                payload: row.json("payload")?,
            })
        })
        .collect()
}
