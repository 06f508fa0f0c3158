//! Networks that wait for their first use, and where a boot goes that names no network.
//!
//! An operator cuts networks out of a range of addresses ahead of time ([`super::cut`]); the first server of a
//! project that has no network of its own makes one of them the project's.

use skybus_model::{
    Timestamp,
    id::{NetworkId, ProjectId},
};
use sqlx::{Any, Executor};

use super::subnets;
use crate::{Engine, Result, Tx, row::Columns};

/// The networks that a boot may go to that names none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// The project's own.
    pub own: Vec<NetworkId>,
    /// Whether one waits for its first use.
    pub waiting: bool,
    /// Those of other projects that are shared with all.
    pub shared: Vec<NetworkId>,
}

/// What a boot of `project` may go to. One that waits is nobody's own, whoever made it.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn choice<'e, D>(db: D, project: ProjectId) -> Result<Choice>
where
    D: Executor<'e, Database = Any>,
{
    let rows = sqlx::query(
        "SELECT id, project, waits FROM networks \
         WHERE external = 0 AND waits = 0 AND (project = $1 OR shared = 1) \
         UNION ALL SELECT id, project, waits FROM \
         (SELECT id, project, waits FROM networks WHERE waits > 0 LIMIT 1) w",
    )
    .bind(project.to_string())
    .fetch_all(db)
    .await?;
    let mut choice = Choice::default();
    for row in &rows {
        let id = row.word("id")?;
        if row.flag("waits")? {
            choice.waiting = true;
        } else if row.word::<ProjectId>("project")? == project {
            choice.own.push(id);
        } else {
            choice.shared.push(id);
        }
    }
    Ok(choice)
}

/// Boots of this project that may take a network wait for this transaction, so that it takes one only.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn one_at_a_time(tx: &mut Tx, project: ProjectId) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT id FROM projects WHERE id = $1 FOR NO KEY UPDATE")
            .bind(project.to_string())
            .fetch_optional(tx.conn())
            .await?;
    }
    Ok(())
}

/// Makes the first network that waits the project's own. `None` when none waits any more.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn take(tx: &mut Tx, project: ProjectId) -> Result<Option<NetworkId>> {
    loop {
        let first = sqlx::query(
            "SELECT n.id, s.id AS subnet FROM networks n JOIN subnets s ON s.network = n.id \
             WHERE n.waits > 0 ORDER BY n.waits, n.created_at, n.id LIMIT 1",
        )
        .fetch_optional(tx.conn())
        .await?;
        let Some(row) = first else {
            return Ok(None);
        };
        let id: NetworkId = row.word("id")?;
        // As whoever deletes it: the subnet first.
        subnets::lock(tx, row.word("subnet")?).await?;
        if used(tx, id).await? {
            give(tx, id, project).await?;
            return Ok(Some(id));
        }
    }
}

/// The network waits no more. `false` when somebody came first.
pub(super) async fn used(tx: &mut Tx, id: NetworkId) -> Result<bool> {
    let done =
        sqlx::query("UPDATE networks SET waits = 0, updated_at = $2 WHERE id = $1 AND waits > 0")
            .bind(id.to_string())
            .bind(Timestamp::now().micros())
            .execute(tx.conn())
            .await?;
    Ok(done.rows_affected() == 1)
}

async fn give(tx: &mut Tx, id: NetworkId, project: ProjectId) -> Result<()> {
    for text in [
        "UPDATE networks SET project = $2 WHERE id = $1",
        "UPDATE subnets SET project = $2 WHERE network = $1",
    ] {
        sqlx::query(text)
            .bind(id.to_string())
            .bind(project.to_string())
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}
