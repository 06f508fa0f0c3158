//! Servers to which something is being done without an operation, and operations without anything to do.

use skybus_model::{
    id::{OperationId, ServerId},
    operation::OperationKind,
    server::VmState,
};

use super::{
    Look, Outcome,
    finding::{Finding, Kind, Resource},
};
use crate::{
    Error, Result, Store, Tx,
    lifecycle::mend,
    networks::ports,
    operations,
    row::Columns,
    servers::{self, Server},
    signed_path::PathKey,
};

/// A server that is gone keeps its delete until its host has let go of its ports: that is in order.
const IDLE: &str = "SELECT o.id, o.server, o.kind, o.step, s.vm_state FROM operations o \
     JOIN servers s ON s.id = o.server WHERE o.ended_at IS NULL \
     AND (s.task_state IS NULL OR s.deleted_at IS NOT NULL) AND s.vm_state <> 'building' \
     AND NOT (s.deleted_at IS NOT NULL AND o.kind = 'delete' \
     AND EXISTS (SELECT 1 FROM ports p WHERE p.server = s.id)) ORDER BY o.id";

pub(super) async fn idle_operations(store: &Store, _: &Look) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for row in sqlx::query(IDLE).fetch_all(store.pool()).await? {
        let (kind, server): (OperationKind, ServerId) = (row.word("kind")?, row.word("server")?);
        let vm: VmState = row.word("vm_state")?;
        let repair = match (kind, vm) {
            (OperationKind::Delete, VmState::Deleted) => "end the operation",
            (OperationKind::Delete, _) => "go on with the delete, which is never given up",
            _ => "end the operation; the server stays as it is",
        };
        findings.push(Finding {
            kind: Kind::OperationWithoutTask,
            resource: Resource::Operation(row.word("id")?, server),
            found: format!(
                "a {kind} of server {server} is open ({}), and the server is settled: {vm}",
                row.text("step")?
            ),
            expected: "an ended operation".to_owned(),
            repair: repair.to_owned(),
        });
    }
    Ok(findings)
}

pub(super) async fn repair_idle(
    tx: &mut Tx,
    (operation, server): (OperationId, ServerId),
) -> Result<Outcome> {
    let Some(mut server) = locked(tx, server).await? else {
        return Ok(Outcome::Gone);
    };
    let open = operations::open_of(tx, server.id).await?;
    let Some(operation) = open.iter().find(|one| one.id == operation) else {
        return Ok(Outcome::Gone);
    };
    let gone = server.state.vm == VmState::Deleted;
    let leaving = gone
        && operation.kind == OperationKind::Delete
        && !ports::of_server(tx.conn(), server.id).await?.is_empty();
    let busy = !gone && (server.state.task.is_some() || server.state.vm == VmState::Building);
    if leaving || busy {
        return Ok(Outcome::Gone);
    }
    let done = mend::close(tx, &mut server).await?;
    Ok(Outcome::Repaired(done.to_owned()))
}

const ALONE: &str = "SELECT s.id, s.vm_state, s.task_state FROM servers s WHERE s.deleted_at IS NULL \
     AND (s.task_state IS NOT NULL OR s.vm_state = 'building') AND NOT EXISTS (\
     SELECT 1 FROM operations o WHERE o.server = s.id AND o.ended_at IS NULL) ORDER BY s.id";

pub(super) async fn alone(store: &Store, _: &Look) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for row in sqlx::query(ALONE).fetch_all(store.pool()).await? {
        let vm = row.text("vm_state")?;
        let state = match row.maybe_text("task_state")? {
            Some(task) => format!("{vm}, {task}"),
            None => vm,
        };
        findings.push(Finding {
            kind: Kind::TaskWithoutOperation,
            resource: Resource::Server(row.word("id")?),
            found: format!("it is in a state that passes ({state}), and no operation is open"),
            expected: "an open operation that ends at its deadline".to_owned(),
            repair: "begin the operation again; it then ends as any other".to_owned(),
        });
    }
    Ok(findings)
}

pub(super) async fn repair_alone(tx: &mut Tx, server: ServerId, key: &PathKey) -> Result<Outcome> {
    let Some(mut server) = locked(tx, server).await? else {
        return Ok(Outcome::Gone);
    };
    let passes = server.state.task.is_some() || server.state.vm == VmState::Building;
    if server.deleted_at.is_some()
        || !passes
        || !operations::open_of(tx, server.id).await?.is_empty()
    {
        return Ok(Outcome::Gone);
    }
    let kind = mend::resume(tx, &mut server, key).await?;
    Ok(Outcome::Repaired(format!(
        "its {kind} is begun again and ends within {} s",
        kind.deadline().as_secs()
    )))
}

/// A server with its lock, if there is one.
pub(super) async fn locked(tx: &mut Tx, id: ServerId) -> Result<Option<Server>> {
    match servers::load(tx, id).await {
        Ok(server) => Ok(Some(server)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
