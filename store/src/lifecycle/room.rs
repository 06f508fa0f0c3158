//! What repair may still say to a host.
//!
//! A host whose queue is full, or that nobody can be told anything, is not told the same again and again: what
//! waits for it in the outbox is bounded, so that a host that asks for repairs in a loop fills nobody else's
//! room. What is not said now, its next inventory or report asks for again.

use skybus_model::{
    HostName,
    message::{Exchange, Service},
};

use crate::{Result, Tx};

/// How many commands may wait for one worker of a host before repair says nothing more to it. More than honest
/// hosts come to, and little beside what the outbox holds.
pub(crate) const MOST_FOR_A_WORKER: i64 = 500;

/// The room for commands to one worker of a host, within one transaction.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    service: Service,
    host: &'a HostName,
    /// Not counted before it is asked for: most inventories need no repair.
    left: Option<i64>,
}

impl<'a> Room<'a> {
    pub(crate) const fn new(service: Service, host: &'a HostName) -> Self {
        let left = None;
        Self {
            service,
            host,
            left,
        }
    }

    /// Whether there is room for one more, which is taken.
    ///
    /// # Errors
    /// [`crate::Error::Broken`] when the database fails.
    pub(crate) async fn take(&mut self, tx: &mut Tx) -> Result<bool> {
        let left = match self.left {
            Some(left) => left,
            None => self.count(tx).await?,
        };
        self.left = Some((left - 1).max(0));
        Ok(left > 0)
    }

    async fn count(&self, tx: &mut Tx) -> Result<i64> {
        // Neither word holds what LIKE would take for a pattern.
        let waiting: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM (SELECT id FROM outbox WHERE exchange = $1 AND routing_key LIKE $2 \
             LIMIT $3) AS waiting",
        )
        .bind(Exchange::Commands.as_str())
        .bind(format!("{}.{}.%", self.service, self.host))
        .bind(MOST_FOR_A_WORKER)
        .fetch_one(tx.conn())
        .await?;
        Ok(MOST_FOR_A_WORKER - waiting)
    }
}
