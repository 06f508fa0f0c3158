//! A server is gone: its claim, its quota and, as its host lets go of them, its ports are released.

use skybus_model::{
    Timestamp,
    id::ServerId,
    message::Context,
    operation::{Hop, OperationKind, Step},
    server::{Power, ServerState, VmState},
};

use super::accept::event;
use crate::{
    Result, Tx, announce,
    compute::quotas,
    hops, hosts,
    networks::ports,
    operations::{self, Operation},
    servers::{self, Server},
};

/// Deletes a server that no host knows of: everything it held is free at once.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn without_host(tx: &mut Tx, server: &mut Server, operation: Operation) -> Result<()> {
    // Quota and hosts are locked before subnets, as everywhere.
    delete(tx, server, &operation.context).await?;
    release_ports(tx, server.id).await?;
    end(tx, operation).await
}

/// Deletes a server whose host is silent. What is on the host is removed when it comes back: its inventory
/// then shows what nobody wants.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn behind_silent_host(
    tx: &mut Tx,
    server: &mut Server,
    operation: Operation,
) -> Result<()> {
    let what = "deleted without its host, which is silent";
    hops::add(tx, operation.id, &[Hop::now("api", what, "")]).await?;
    without_host(tx, server, operation).await
}

/// Records that the host has said that the machine is gone. The operation ends when the ports are, too.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn from_host(tx: &mut Tx, server: &mut Server, operation: Operation) -> Result<()> {
    delete(tx, server, &operation.context).await?;
    if ports::of_server(tx.conn(), server.id).await?.is_empty() {
        end(tx, operation).await?;
    }
    Ok(())
}

/// Ends the delete of a server that is gone when this was its last port.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn last_port(tx: &mut Tx, server: ServerId) -> Result<()> {
    let row = servers::load(tx, server).await?;
    if row.state.vm != VmState::Deleted || !ports::of_server(tx.conn(), server).await?.is_empty() {
        return Ok(());
    }
    for operation in operations::open_of(tx, server).await? {
        end(tx, operation).await?;
    }
    Ok(())
}

async fn delete(tx: &mut Tx, server: &mut Server, context: &Context) -> Result<()> {
    if server.state.vm == VmState::Deleted {
        return Ok(());
    }
    if let Some(host) = &server.host {
        hosts::release(tx, host, server.resources).await?;
    }
    quotas::give_back_server(tx, server.project, server.resources).await?;
    let now = Timestamp::now();
    server.state = ServerState::settled(VmState::Deleted);
    server.power = Power::Absent;
    server.deleted_at = Some(now);
    server.updated_at = now;
    servers::save(tx, server).await?;
    announce::server(tx, server, &event(OperationKind::Delete, "end"), context).await
}

async fn release_ports(tx: &mut Tx, server: ServerId) -> Result<()> {
    for port in ports::of_server(tx.conn(), server).await? {
        ports::release(tx, &port).await?;
    }
    Ok(())
}

async fn end(tx: &mut Tx, mut operation: Operation) -> Result<()> {
    if operation.step.ended() {
        return Ok(());
    }
    hops::add(tx, operation.id, &[Hop::now("api", "deleted", "")]).await?;
    operation.end(Step::Done, None);
    operations::save(tx, &operation).await
}
