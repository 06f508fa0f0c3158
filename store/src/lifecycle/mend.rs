//! What the audit found is mended: a server that fell off its path is put back onto it, and then ends as
//! any other does. The server's row is locked by whoever calls.

use skybus_model::{
    Timestamp,
    id::ServerId,
    message::{Context, Outgoing, command::ServerRemove},
    operation::{Hop, OperationKind, Step},
    server::{Desired, Restart, ServerState, Task, VmState},
};

use super::{gone, placed, tell_host};
use crate::{
    Result, Tx, hops,
    operations::{self, Operation},
    servers::{self, Server},
    signed_path::PathKey,
};

/// Begins again what is being done to a server of which no operation is open. Its host may have done it
/// already: the generation stays, so that it then answers with the same report.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn resume(tx: &mut Tx, server: &mut Server, key: &PathKey) -> Result<OperationKind> {
    let (kind, restart) = match server.state.task {
        None | Some(Task::Scheduling | Task::Spawning) => (OperationKind::Boot, None),
        Some(Task::PoweringOff) => (OperationKind::Stop, None),
        Some(Task::PoweringOn) => (OperationKind::Start, None),
        Some(Task::Rebooting) => (OperationKind::Reboot, Some(Restart::Soft)),
        Some(Task::RebootingHard) => (OperationKind::Reboot, Some(Restart::Hard)),
        Some(Task::AttachingInterface) => (OperationKind::AttachInterface, None),
        Some(Task::DetachingInterface) => (OperationKind::DetachInterface, None),
        Some(Task::Deleting) => (OperationKind::Delete, None),
    };
    wish(tx, server, kind).await?;
    let placing = kind == OperationKind::Boot && server.host.is_none();
    if kind == OperationKind::Boot {
        server.state = ServerState {
            vm: VmState::Building,
            task: Some(if placing {
                Task::Scheduling
            } else {
                Task::Spawning
            }),
        };
        servers::save(tx, server).await?;
    }
    let step = if placing { Step::Placing } else { Step::OnHost };
    let operation = begin(tx, server, (kind, step, restart)).await?;
    if placing {
        placed::ask(tx, &operation).await?;
    } else if server.host.is_some() {
        tell_host(tx, server, &operation, key).await?;
    } else if kind == OperationKind::Delete {
        gone::without_host(tx, server, operation).await?;
    }
    Ok(kind)
}

/// Sees to it that the row wishes what is being done. Where it did not, the host was never told: then this is
/// a change, with a generation of its own.
async fn wish(tx: &mut Tx, server: &mut Server, kind: OperationKind) -> Result<()> {
    let desired = match kind {
        OperationKind::Stop => Desired::Stopped,
        OperationKind::Start | OperationKind::Reboot => Desired::Running,
        OperationKind::Boot
        | OperationKind::AttachInterface
        | OperationKind::DetachInterface
        | OperationKind::Delete => return Ok(()),
    };
    if server.desired == desired {
        return Ok(());
    }
    server.desired = desired;
    server.generation = server.generation.next();
    servers::save(tx, server).await
}

/// Has the host of a deleted server let go of the ports that are left of it, under a delete that ends with
/// the last of them.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn let_go(tx: &mut Tx, server: &mut Server, key: &PathKey) -> Result<()> {
    let operation = begin(tx, server, (OperationKind::Delete, Step::OnHost, None)).await?;
    if server.host.is_none() {
        return gone::without_host(tx, server, operation).await;
    }
    tell_host(tx, server, &operation, key).await?;
    gone::last_port(tx, server.id).await
}

async fn begin(
    tx: &mut Tx,
    server: &Server,
    (kind, step, restart): (OperationKind, Step, Option<Restart>),
) -> Result<Operation> {
    let whose = (server.id, server.project, server.owner);
    let mut operation = Operation::begin(kind, step, whose, server.generation, Context::begin());
    operation.restart = restart;
    operation.host.clone_from(&server.host);
    operations::insert(tx, &operation).await?;
    let hop = Hop::now("audit", "taken up again", "");
    hops::add(tx, operation.id, &[hop]).await?;
    Ok(operation)
}

/// Deals with the open operations of a server to which nothing is being done: they end, but for a delete,
/// which is never given up. Returns what was done.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn close(tx: &mut Tx, server: &mut Server) -> Result<&'static str> {
    let mut done = "the operation is ended; the server stays as it is";
    for operation in operations::open_of(tx, server.id).await? {
        if operation.kind == OperationKind::Delete && server.state.vm != VmState::Deleted {
            server.state.task = Some(Task::Deleting);
            servers::save(tx, server).await?;
            wake(tx, operation).await?;
            done = "the delete goes on";
        } else {
            super::settled(tx, server, operation).await?;
        }
    }
    Ok(done)
}

/// Has a look taken at an operation at once, whenever that was to be.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn wake(tx: &mut Tx, mut operation: Operation) -> Result<()> {
    operation.wake_at = operation.wake_at.min(Timestamp::now());
    operations::save(tx, &operation).await
}

/// Tells a host again of a machine that it should have.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn ensure(tx: &mut Tx, server: &Server, key: &PathKey) -> Result<()> {
    super::repair(tx, server, key, &Context::begin()).await
}

/// Tells a host to remove a machine that has no row, and of which it has heard `generation`. Returns whether
/// it was told: nothing outweighs a generation that cannot be true.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn remove_unknown(
    tx: &mut Tx,
    host: &skybus_model::HostName,
    server: ServerId,
    generation: skybus_model::Generation,
) -> Result<bool> {
    let Some(generation) = skybus_model::Generation::default().outweighing(generation) else {
        return Ok(false);
    };
    let command = ServerRemove {
        operation: None,
        server,
        generation,
    };
    tx.send(Outgoing::to_host(host, &command, &Context::begin()))
        .await?;
    Ok(true)
}
