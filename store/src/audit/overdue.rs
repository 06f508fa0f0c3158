//! Operations that are open long after their deadline.

use std::time::Duration;

use skybus_model::{
    id::{OperationId, ServerId},
    operation::OperationKind,
};

use super::{
    Look, Outcome,
    finding::{Finding, Kind, Resource, age},
    tasks::locked,
};
use crate::{Result, Store, Tx, lifecycle::mend, operations, row::Columns};

/// The reconciler ends what is late within a few seconds, or within one more patience.
const LATE: Duration = Duration::from_secs(120);

const OVERDUE: &str = "SELECT o.id, o.server, o.kind, o.step, o.host, o.deadline, o.wake_at \
     FROM operations o JOIN servers s ON s.id = o.server \
     WHERE o.ended_at IS NULL AND o.deadline < $1 \
     AND (s.task_state IS NOT NULL OR s.deleted_at IS NOT NULL) ORDER BY o.deadline, o.id";

pub(super) async fn find(store: &Store, look: &Look) -> Result<Vec<Finding>> {
    if !look.bus_is_well {
        // Deadlines are moved by the time for which no message could leave.
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    let rows = sqlx::query(OVERDUE)
        .bind(look.before(LATE))
        .fetch_all(store.pool())
        .await?;
    for row in rows {
        let (kind, server): (OperationKind, ServerId) = (row.word("kind")?, row.word("server")?);
        let host = row
            .maybe_text("host")?
            .map_or_else(String::new, |host| format!(" on host {host}"));
        findings.push(Finding {
            kind: Kind::OperationOverdue,
            resource: Resource::Operation(row.word("id")?, server),
            found: format!(
                "a {kind} of server {server}{host} is open ({}), {} after its deadline",
                row.text("step")?,
                age(look, row.time("deadline")?)
            ),
            expected: "an operation that ended by its deadline".to_owned(),
            repair: "have an API server look after it at once".to_owned(),
        });
    }
    Ok(findings)
}

pub(super) async fn repair(
    tx: &mut Tx,
    (id, server): (OperationId, ServerId),
    look: &Look,
) -> Result<Outcome> {
    if locked(tx, server).await?.is_none() {
        return Ok(Outcome::Gone);
    }
    let open = operations::open_of(tx, server).await?;
    let Some(operation) = open.into_iter().find(|one| one.id == id) else {
        return Ok(Outcome::Gone);
    };
    if operation.deadline.micros() >= look.before(LATE) {
        return Ok(Outcome::Gone);
    }
    // The reconciler alone decides what becomes of an operation. Here it only is made due.
    let kind = operation.kind;
    mend::wake(tx, operation).await?;
    if kind == OperationKind::Delete {
        let text = "its host is told again, as every few seconds; look at the host's log, or declare the \
                    host down (`skybus service-force-down`), which ends the delete";
        return Ok(Outcome::Left(text.to_owned()));
    }
    let text = "an API server looks after it within a second, and ends it";
    Ok(Outcome::Repaired(text.to_owned()))
}
