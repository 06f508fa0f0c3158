//! An operation has been silent for too long: an API server looks after it.
//!
//! Whoever holds the server's row lock and moves `wake_at` has the lease; a second API server that comes
//! later finds it moved. There is no other owner, so none can die with it.

use skybus_model::{
    Fault, FaultCode, Timestamp,
    operation::{Hop, OperationKind, Step},
    server::VmState,
};

use super::{failed, gone, interfaces, placed, tell_host};
use crate::{
    Result, Tx, hops,
    operations::{self, Operation},
    servers::{self, Server},
    services,
    signed_path::PathKey,
};

/// What was done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Somebody else was faster, or it ended meanwhile.
    Nothing,
    /// The message of its step was sent again.
    SentAgain,
    /// It was taken away from a silent host.
    PlacedAgain,
    /// It ended: with a fault, or, for a delete, without its host.
    Ended,
}

/// Who looks after operations.
#[derive(Debug, Clone, Copy)]
pub struct Caretaker<'a> {
    /// The process: `api@` and its instance.
    pub who: &'a str,
    /// Signs addresses in commands.
    pub key: &'a PathKey,
}

/// Looks after one operation that [`operations::due`] found.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn look_after(tx: &mut Tx, due: &Operation, caretaker: Caretaker<'_>) -> Result<Done> {
    let Caretaker { who, key } = caretaker;
    let now = Timestamp::now();
    // The server first, as everywhere: its row is the lock. What was read before may be old.
    let mut server = servers::load(tx, due.server).await?;
    let mut operation = operations::load(tx, due.id).await?;
    // A clock that was far ahead, and was set back, must not put the end off for as long.
    operation.deadline = operation.deadline.min(now.after(operation.kind.deadline()));
    if operation.step.ended() || !operation.is_due(now) {
        return Ok(Done::Nothing);
    }
    if operation.kind == OperationKind::Delete {
        return delete(tx, &mut server, operation, caretaker).await;
    }
    if server.state.task.is_none() && server.state.vm != VmState::Building {
        // What was wished came about, or something overtook it; a deadline must not fail it now.
        super::settled(tx, &server, operation).await?;
        return Ok(Done::Ended);
    }
    if now >= operation.deadline {
        let fault = too_late(&server, &operation);
        failed::for_good(tx, &mut server, &mut operation, fault).await?;
        return Ok(Done::Ended);
    }
    if operation.step == Step::Placing {
        placed::ask(tx, &operation).await?;
        return wait_longer(tx, operation, who, "asked the schedulers again").await;
    }
    if !is_down(tx, &server, "compute").await? {
        tell_host(tx, &server, &operation, key).await?;
        if operation.kind == OperationKind::Boot {
            tell_network(tx, &server, &operation).await?;
        }
        interfaces::tell_network(tx, &operation).await?;
        return wait_longer(tx, operation, who, "told the host again").await;
    }
    if operation.kind == OperationKind::Boot {
        let fault = silent(&server);
        failed::with(tx, &mut server, &mut operation, fault).await?;
        return Ok(Done::PlacedAgain);
    }
    wait_longer(tx, operation, who, "the host is silent").await
}

async fn delete(
    tx: &mut Tx,
    server: &mut Server,
    operation: Operation,
    Caretaker { who, key }: Caretaker<'_>,
) -> Result<Done> {
    // The machine is gone, only its ports are not, and whoever should take them away is silent.
    let late = server.state.vm == VmState::Deleted && Timestamp::now() >= operation.deadline;
    if is_down(tx, server, "compute").await? || late && is_down(tx, server, "network").await? {
        gone::behind_silent_host(tx, server, operation).await?;
        return Ok(Done::Ended);
    }
    tell_host(tx, server, &operation, key).await?;
    wait_longer(tx, operation, who, "told the host again").await
}

async fn tell_network(tx: &mut Tx, server: &Server, operation: &Operation) -> Result<()> {
    let mut specs = crate::networks::spec::Specs::default();
    for port in crate::networks::ports::of_server(tx.conn(), server.id).await? {
        let context = operation.context.hop();
        crate::networks::binding::ensure(tx, &mut specs, &port, Some(operation.id), &context)
            .await?;
    }
    Ok(())
}

async fn wait_longer(tx: &mut Tx, mut operation: Operation, who: &str, what: &str) -> Result<Done> {
    let patience = operation.kind.patience();
    // Full jitter, so that what fell silent together does not come back together.
    let jitter = patience.mul_f64(rand::random::<f64>());
    operation.wake_at = Timestamp::now().after(patience / 2 + jitter);
    hops::add(tx, operation.id, &[Hop::now(who, what, "")]).await?;
    operations::save(tx, &operation).await?;
    Ok(Done::SentAgain)
}

async fn is_down(tx: &mut Tx, server: &Server, service: &str) -> Result<bool> {
    match &server.host {
        Some(host) => services::is_down(tx, host, service).await,
        None => Ok(true),
    }
}

fn silent(server: &Server) -> Fault {
    let host = server
        .host
        .as_ref()
        .map_or("its host", |host| host.as_str());
    let message = "The host that was to build the server does not answer.".to_owned();
    Fault::new(FaultCode::HostSilent, message).with_details(format!("host {host}"))
}

fn too_late(server: &Server, operation: &Operation) -> Fault {
    let seconds = operation.kind.deadline().as_secs();
    let stage = match operation.step {
        Step::Placing => "no scheduler answered",
        _ => "the host did not report an outcome",
    };
    let message = format!(
        "The {} did not end within {seconds} s: {stage}. Try again; if it happens again, ask your \
         operator to look at `skybus trace {}`.",
        operation.kind, server.id
    );
    Fault::new(FaultCode::DeadlinePassed, message)
}
