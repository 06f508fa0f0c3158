//! A scheduler is asked for a host, and chose one, or found none.

use skybus_model::{
    Fault, HostName, Timestamp,
    id::OperationId,
    message::{Outgoing, command::ServerPlace},
    operation::{Hop, OperationKind, Step},
    server::{ServerState, Task, VmState},
};

use super::{accept::event, failed, tell_host};
use crate::{
    Result, Tx, announce, hops,
    networks::binding,
    operations::{self, Operation},
    servers::{self, Server},
    signed_path::PathKey,
};

/// Asks the schedulers to find a host.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn ask(tx: &mut Tx, operation: &Operation) -> Result<()> {
    let command = ServerPlace {
        operation: operation.id,
        server: operation.server,
    };
    tx.send(Outgoing::to_any(&command, &operation.context))
        .await
}

/// The server and its boot, both locked, if the boot still waits for a host.
///
/// # Errors
/// [`crate::Error::NotFound`] when there is no such server or operation.
pub async fn waiting(tx: &mut Tx, command: &ServerPlace) -> Result<Option<(Server, Operation)>> {
    let server = servers::load(tx, command.server).await?;
    let operation = operations::load(tx, command.operation).await?;
    let waits = operation.server == server.id
        && operation.kind == OperationKind::Boot
        && operation.step == Step::Placing
        && server.state.vm == VmState::Building
        && server.host.is_none();
    Ok(waits.then_some((server, operation)))
}

/// Writes down the host that was claimed for `server`, tells its workers, and remembers the alternates.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn on(
    tx: &mut Tx,
    server: &mut Server,
    operation: &mut Operation,
    (host, alternates): (HostName, Vec<HostName>),
    (key, detail): (&PathKey, String),
) -> Result<()> {
    let now = Timestamp::now();
    server.host = Some(host.clone());
    server.state = ServerState {
        vm: VmState::Building,
        task: Some(Task::Spawning),
    };
    server.updated_at = now;
    operation.host = Some(host.clone());
    operation.alternates = alternates;
    operation.step = Step::OnHost;
    operation.wake_at = now.after(operation.kind.patience());
    servers::save(tx, server).await?;
    operations::save(tx, operation).await?;
    let hop = Hop::now("scheduler", "placed", format!("on {host}; {detail}"));
    hops::add(tx, operation.id, &[hop]).await?;
    announce::server(tx, server, "compute.instance.update", &operation.context).await?;
    let context = operation.context.hop();
    binding::bind(tx, server.id, &host, Some(operation.id), &context).await?;
    tell_host(tx, server, operation, key).await
}

/// Ends the boot: no host can take the server.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn nowhere(
    tx: &mut Tx,
    server: &mut Server,
    operation: &mut Operation,
    fault: Fault,
) -> Result<()> {
    let hop = Hop::now("scheduler", "no host can take it", fault.details.clone());
    hops::add(tx, operation.id, &[hop]).await?;
    failed::for_good(tx, server, operation, fault).await
}

/// Takes a boot away from the host that failed it and asks for another one.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn again(
    tx: &mut Tx,
    server: &mut Server,
    operation: &mut Operation,
    fault: Fault,
) -> Result<OperationId> {
    let now = Timestamp::now();
    if let Some(host) = server.host.take() {
        crate::hosts::release(tx, &host, server.resources).await?;
        let hop = Hop::now(
            "api",
            "taken away from its host",
            format!("{host}: {fault}"),
        );
        hops::add(tx, operation.id, &[hop]).await?;
        operation.tried.push(host);
    }
    binding::unbind(tx, server.id, Some(operation.id), &operation.context.hop()).await?;
    server.generation = server.generation.next();
    server.recorded = skybus_model::Order::default();
    server.power = skybus_model::server::Power::Unknown;
    server.state = ServerState::ACCEPTED;
    server.updated_at = now;
    operation.generation = server.generation;
    operation.host = None;
    operation.step = Step::Placing;
    operation.attempts += 1;
    operation.fault = Some(fault);
    operation.wake_at = now.after(operation.kind.patience());
    servers::save(tx, server).await?;
    operations::save(tx, operation).await?;
    announce::server(
        tx,
        server,
        &event(operation.kind, "retry"),
        &operation.context,
    )
    .await?;
    ask(tx, operation).await?;
    Ok(operation.id)
}
