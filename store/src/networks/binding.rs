//! Telling a host of a server's ports, and recording what the host says of them.

use skybus_model::{
    Generation, HostName, Timestamp,
    id::{OperationId, ServerId},
    message::{
        Context, Outgoing,
        command::{PortEnsure, PortRemove},
        event::{PortReport, PortState},
    },
    order::{self, Verdict},
};

use super::{
    Port, Scope, network, peers,
    ports::{self, ACTIVE, BUILD, DOWN},
    spec::Specs,
    subnets,
};
use crate::{Error, Result, Tx};

/// Gives a server's ports to a host and tells it, all in this transaction. Returns the ports as they are
/// now, in the server's order.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn bind(
    tx: &mut Tx,
    server: ServerId,
    host: &HostName,
    operation: Option<OperationId>,
    context: &Context,
) -> Result<Vec<Port>> {
    // First all rows are locked, then all is read: no neighbour that is added meanwhile is missed.
    for port in ports::of_server(tx.conn(), server).await? {
        subnets::lock(tx, port.subnet).await?;
        // Another host counts for itself: what the last one said is no measure for it.
        sqlx::query(
            "UPDATE ports SET host = $2, status = $3, stale = 0, leaving = 0, generation = generation + 1, \
             epoch = 0, seq = 0, updated_at = $4 WHERE id = $1",
        )
        .bind(port.id.to_string())
        .bind(host.as_str().to_owned())
        .bind(BUILD)
        .bind(Timestamp::now().micros())
        .execute(tx.conn())
        .await?;
    }
    let ports = ports::of_server(tx.conn(), server).await?;
    for port in &ports {
        peers::joined(tx, port, (server, host)).await?;
    }
    let mut specs = Specs::default();
    for port in &ports {
        ensure(tx, &mut specs, port, operation, context).await?;
    }
    Ok(ports)
}

/// Tells a port's host again what it should be, at the port's present generation. Nothing is sent when
/// no host serves it.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn ensure(
    tx: &mut Tx,
    specs: &mut Specs,
    port: &Port,
    operation: Option<OperationId>,
    context: &Context,
) -> Result<()> {
    let Some(host) = port.host.clone() else {
        return Ok(());
    };
    let spec = specs.of(tx, port).await?;
    let command = PortEnsure {
        operation,
        generation: port.generation,
        spec,
    };
    tx.send(Outgoing::to_host(&host, &command, context)).await
}

/// Takes a server's ports away from their host and tells it. The rows stay: see [`ports::release`].
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn unbind(
    tx: &mut Tx,
    server: ServerId,
    operation: Option<OperationId>,
    context: &Context,
) -> Result<()> {
    let ports = ports::of_server(tx.conn(), server).await?;
    peers::lock(tx, &ports).await?;
    for port in ports {
        let Some(host) = port.host.clone() else {
            continue;
        };
        let generation: i64 = sqlx::query_scalar(
            "UPDATE ports SET host = NULL, status = $2, stale = 0, leaving = 0, \
             generation = generation + 1, updated_at = $3 WHERE id = $1 RETURNING generation",
        )
        .bind(port.id.to_string())
        .bind(DOWN)
        .bind(Timestamp::now().micros())
        .fetch_one(tx.conn())
        .await?;
        let generation = Generation(generation);
        let command = PortRemove {
            operation,
            port: port.id,
            network: port.network,
            generation,
        };
        tx.send(Outgoing::to_host(&host, &command, context)).await?;
        peers::left(tx, &port).await?;
    }
    Ok(())
}

/// Asks a server's host to take its ports away. The rows stay with their addresses, bound to that host,
/// until it says that they are gone; then they are [released](ports::release). Asking again says the same,
/// at the same generation, so that an answer that is under way still counts. Returns how many there are.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn withdraw(
    tx: &mut Tx,
    server: ServerId,
    operation: Option<OperationId>,
    context: &Context,
) -> Result<usize> {
    let mut asked = 0;
    for port in ports::of_server(tx.conn(), server).await? {
        let Some(host) = port.host.clone() else {
            ports::release(tx, &port).await?;
            continue;
        };
        ask_to_leave(tx, &port, &host, operation, context).await?;
        asked += 1;
    }
    Ok(asked)
}

/// Asks a host to take a port away, whose row stays until it says that the port is gone.
pub(super) async fn ask_to_leave(
    tx: &mut Tx,
    port: &Port,
    host: &HostName,
    operation: Option<OperationId>,
    context: &Context,
) -> Result<()> {
    let generation: i64 = sqlx::query_scalar(
        "UPDATE ports SET stale = 0, leaving = 1, generation = generation + 1 - leaving, \
         updated_at = $2 WHERE id = $1 RETURNING generation",
    )
    .bind(port.id.to_string())
    .bind(Timestamp::now().micros())
    .fetch_one(tx.conn())
    .await?;
    let command = PortRemove {
        operation,
        port: port.id,
        network: port.network,
        generation: Generation(generation),
    };
    tx.send(Outgoing::to_host(host, &command, context)).await
}

/// What became of a host's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It was news, and the row says so now.
    News,
    /// It, or something newer, was known.
    Old,
    /// The port does not exist, or another host serves it: the sender has no say in it.
    NotTheirs,
    /// No honest host counts as far as this one claims to have.
    Incredible,
}

/// Records what a host says of a port.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn record(tx: &mut Tx, report: &PortReport) -> Result<Recorded> {
    let port = match ports::get(tx.conn(), report.port, Scope::Everything).await {
        Ok(port) => port,
        Err(Error::NotFound(_)) => return Ok(Recorded::NotTheirs),
        Err(error) => return Err(error),
    };
    if port.host.as_ref() != Some(&report.host) {
        return Ok(Recorded::NotTheirs);
    }
    let now = Timestamp::now();
    match order::judge(
        port.generation,
        port.order,
        report.generation,
        report.order,
        now,
    ) {
        Verdict::Apply => {}
        Verdict::Repeated | Verdict::Overtaken => return Ok(Recorded::Old),
        Verdict::Incredible => return Ok(Recorded::Incredible),
    }
    let status = match report.state {
        PortState::Up => ACTIVE,
        PortState::Down | PortState::Absent => DOWN,
    };
    let done = sqlx::query(
        "UPDATE ports SET status = $2, epoch = $3, seq = $4, updated_at = $5 \
         WHERE id = $1 AND host = $6 AND generation = $7 \
         AND (epoch < $3 OR (epoch = $3 AND seq < $4) OR (epoch = $8 AND seq = $9))",
    )
    .bind(port.id.to_string())
    .bind(status)
    .bind(report.order.epoch)
    .bind(report.order.seq)
    .bind(now.micros())
    .bind(report.host.as_str().to_owned())
    .bind(port.generation.0)
    .bind(port.order.epoch)
    .bind(port.order.seq)
    .execute(tx.conn())
    .await?;
    Ok(if done.rows_affected() == 1 {
        Recorded::News
    } else {
        Recorded::Old
    })
}

/// A port's host has `heard` more of it than the database remembers: it was restored from a backup. What is
/// still wished is said again, at a generation that counts: else every change to come would be older than
/// what the host has applied. Returns whether it was. Whoever has changed the port's row has locked its subnet
/// before.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn catch_up(
    tx: &mut Tx,
    specs: &mut Specs,
    port: &Port,
    (host, heard): (&HostName, Generation),
    context: &Context,
) -> Result<bool> {
    let Some(generation) = port.generation.outweighing(heard) else {
        return Ok(false);
    };
    subnets::lock(tx, port.subnet).await?;
    let done = sqlx::query(
        "UPDATE ports SET generation = $2, updated_at = $3 \
         WHERE id = $1 AND host = $4 AND generation < $5",
    )
    .bind(port.id.to_string())
    .bind(generation.0)
    .bind(Timestamp::now().micros())
    .bind(host.as_str().to_owned())
    .bind(heard.0)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let port = ports::get(tx.conn(), port.id, Scope::Everything).await?;
    if port.leaving {
        let command = PortRemove {
            operation: None,
            port: port.id,
            network: port.network,
            generation,
        };
        tx.send(Outgoing::to_host(host, &command, context)).await?;
    } else {
        // Of the network, too, it may have heard more than is remembered.
        network::revise(tx, port.network).await?;
        specs.forget(port.network);
        ensure(tx, specs, &port, None, context).await?;
    }
    Ok(true)
}
