//! Ports of a server that exists, while they come to it or go from it.
//!
//! What is wished of each stands in its row: a host is told of the ports that stay and of those that come, and
//! not of those that go. So whoever tells it, and however often, says the same.

use skybus_model::{
    Generation, HostName, Timestamp,
    id::{OperationId, PortId, ServerId},
    message::{Context, Outgoing, command::PortRemove},
};

use super::{
    Port, Scope, binding, peers,
    ports::{self, BUILD},
    spec::Specs,
    subnets,
};
use crate::{Result, Tx};

/// Where a port is on its way into a server or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plug {
    /// It stays as it is.
    Stays,
    /// Its server's machine is to get it.
    Comes,
    /// Its server's machine is to lose it; then its host, and then it is free.
    Goes,
}

impl Plug {
    pub(super) const fn from_number(number: i64) -> Self {
        match number {
            1 => Self::Comes,
            2 => Self::Goes,
            _ => Self::Stays,
        }
    }

    const fn number(self) -> i64 {
        match self {
            Self::Stays => 0,
            Self::Comes => 1,
            Self::Goes => 2,
        }
    }
}

/// Writes down where a port is on its way.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn mark(tx: &mut Tx, port: PortId, plug: Plug) -> Result<()> {
    sqlx::query("UPDATE ports SET plug = $2, updated_at = $3 WHERE id = $1")
        .bind(port.to_string())
        .bind(plug.number())
        .bind(Timestamp::now().micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Whatever is so of a server's ports is so from now on.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn turn(tx: &mut Tx, server: ServerId, from: Plug, to: Plug) -> Result<()> {
    // What a host was asked to take away cannot be kept any more.
    sqlx::query("UPDATE ports SET plug = $3 WHERE server = $1 AND plug = $2 AND leaving = 0")
        .bind(server.to_string())
        .bind(from.number())
        .bind(to.number())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Gives one port of a server to the host that has that server, and tells it.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn bind(
    tx: &mut Tx,
    port: &Port,
    host: &HostName,
    operation: OperationId,
    context: &Context,
) -> Result<()> {
    subnets::lock(tx, port.subnet).await?;
    sqlx::query(
        "UPDATE ports SET host = $2, status = $3, stale = 0, leaving = 0, generation = generation + 1, \
         epoch = 0, seq = 0, plug = $4, updated_at = $5 WHERE id = $1",
    )
    .bind(port.id.to_string())
    .bind(host.as_str().to_owned())
    .bind(BUILD)
    .bind(Plug::Comes.number())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    let port = ports::get(tx.conn(), port.id, Scope::Everything).await?;
    if let Some(server) = port.server {
        peers::joined(tx, &port, (server, host)).await?;
    }
    binding::ensure(tx, &mut Specs::default(), &port, Some(operation), context).await
}

/// Tells the host again of the ports of a server that come.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn ensure(
    tx: &mut Tx,
    server: ServerId,
    operation: OperationId,
    context: &Context,
) -> Result<()> {
    for port in of(tx, server, Plug::Comes).await? {
        binding::ensure(tx, &mut Specs::default(), &port, Some(operation), context).await?;
    }
    Ok(())
}

/// Has the host let go of the ports that the server's machine has lost. Asking again says the same. Returns
/// how many there are.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn withdraw(
    tx: &mut Tx,
    server: ServerId,
    operation: OperationId,
    context: &Context,
) -> Result<usize> {
    let mut asked = 0;
    for port in of(tx, server, Plug::Goes).await? {
        subnets::lock(tx, port.subnet).await?;
        let Some(host) = port.host.clone() else {
            ports::release(tx, &port).await?;
            continue;
        };
        binding::ask_to_leave(tx, &port, &host, Some(operation), context).await?;
        asked += 1;
    }
    Ok(asked)
}

/// Frees a port of a server at once, whatever its host has done: what is left there is removed when it hears
/// of that, or when it shows it.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn let_go(
    tx: &mut Tx,
    port: &Port,
    operation: OperationId,
    context: &Context,
) -> Result<()> {
    subnets::lock(tx, port.subnet).await?;
    let port = ports::get(tx.conn(), port.id, Scope::Everything).await?;
    if let Some(host) = port.host.clone() {
        let generation = port.generation.next();
        tell_to_remove(tx, &port, &host, (generation, operation), context).await?;
    }
    ports::release(tx, &port).await
}

/// The ports of a server that are on this way.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn of(tx: &mut Tx, server: ServerId, plug: Plug) -> Result<Vec<Port>> {
    let mut all = ports::of_server(tx.conn(), server).await?;
    all.retain(|port| port.plug == plug);
    // Subnets are locked in this order everywhere.
    all.sort_by_key(|port| (port.subnet, port.id));
    Ok(all)
}

async fn tell_to_remove(
    tx: &mut Tx,
    port: &Port,
    host: &HostName,
    (generation, operation): (Generation, OperationId),
    context: &Context,
) -> Result<()> {
    let command = PortRemove {
        operation: Some(operation),
        port: port.id,
        network: port.network,
        generation,
    };
    tx.send(Outgoing::to_host(host, &command, context)).await
}
