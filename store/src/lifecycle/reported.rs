//! A host reports. Only what is newer than what is recorded, about the current generation, and from the
//! host that the row names, changes anything.

use std::fmt;

use skybus_model::{
    Fault, FaultCode, Generation, HostName, Order, Timestamp,
    id::ServerId,
    message::{
        Context, Outgoing, Service,
        command::ServerRemove,
        event::{PortReport, PortState, ServerReport},
    },
    operation::{Hop, OperationKind, Step},
    order::{Verdict, judge},
    server::{Desired, Power, ServerState, VmState, transition},
};

use super::{accept::event, failed, gone, interfaces, room::Room};
use crate::{
    Error, Result, Tx, announce, hops, hosts,
    networks::{
        Scope,
        binding::{self, Recorded},
        ports,
        spec::Specs,
        subnets,
    },
    operations::{self, Operation},
    servers::{self, Server},
    strays,
};

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was news.
    Recorded,
    /// It, or something newer, was known.
    Old,
    /// The sender has no say in what it reports about.
    NotTheirs,
    /// No honest host counts as far as this one claims to have: it is dropped.
    Incredible,
}

/// Records what a host says of a server. `sender` is the host in the routing key, which the broker has
/// checked against the sender's account.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn server(
    tx: &mut Tx,
    report: &ServerReport,
    sender: &HostName,
    context: &Context,
) -> Result<Outcome> {
    let mut server = match servers::load(tx, report.server).await {
        Ok(server) => server,
        Err(Error::NotFound(_)) => {
            strays::answered(tx, report, sender).await?;
            return Ok(Outcome::NotTheirs);
        }
        Err(error) => return Err(error),
    };
    if *sender != report.host || server.host.as_ref() != Some(sender) {
        fence(tx, &server, report, sender, context).await?;
        return Ok(Outcome::NotTheirs);
    }
    match judge(
        server.generation,
        server.recorded,
        report.generation,
        report.order,
        Timestamp::now(),
    ) {
        Verdict::Apply => {}
        Verdict::Repeated | Verdict::Overtaken => return Ok(Outcome::Old),
        Verdict::Incredible => {
            warn(sender, &report.server, report.generation, report.order);
            return Ok(Outcome::Incredible);
        }
    }
    server.recorded = report.order;
    server.power = report.power;
    if report.generation > server.generation {
        catch_up(tx, &mut server, (sender, report.generation)).await?;
    }
    let operation = operations::open_of(tx, server.id)
        .await?
        .into_iter()
        .find(|operation| operation.generation == report.generation);
    if let Some(operation) = &operation {
        hops::add(tx, operation.id, &report.hops).await?;
    }
    match (operation, &report.fault) {
        (Some(mut operation), Some(fault)) if server.state.task.is_some() => {
            failed::with(tx, &mut server, &mut operation, fault.clone()).await?;
        }
        (operation, None) if interfaces::are_changing(&server) => {
            interfaces::reported(tx, &mut server, operation, context).await?;
        }
        (operation, fault) => settle(tx, &mut server, operation, fault.as_ref(), context).await?,
    }
    Ok(Outcome::Recorded)
}

/// Says that a host's report is dropped, and what can be done.
fn warn(host: &HostName, of: &dyn fmt::Display, generation: Generation, order: Order) {
    tracing::warn!(
        %host, %of, generation = generation.0, epoch = order.epoch, seq = order.seq,
        "reports what cannot be true, and is not believed: set its clock right and start its workers \
         again; if that does not help, somebody else may have its account"
    );
}

/// The host has heard more than the database remembers: it was restored from a backup. What is still
/// wished is wished again, at a generation that counts.
async fn catch_up(
    tx: &mut Tx,
    server: &mut Server,
    (host, heard): (&HostName, Generation),
) -> Result<()> {
    let Some(generation) = server.generation.outweighing(heard) else {
        return Ok(());
    };
    server.generation = generation;
    let has_room = Room::new(Service::Compute, host).take(tx).await?;
    for mut open in operations::open_of(tx, server.id).await? {
        open.generation = server.generation;
        if has_room {
            open.wake_at = Timestamp::now();
        }
        operations::save(tx, &open).await?;
    }
    Ok(())
}

/// A host that has a machine which is not its own any more is told to remove it.
async fn fence(
    tx: &mut Tx,
    server: &Server,
    report: &ServerReport,
    sender: &HostName,
    context: &Context,
) -> Result<()> {
    if *sender != report.host || report.power == Power::Absent {
        return Ok(());
    }
    let Some(generation) = server.generation.outweighing(report.generation) else {
        warn(sender, &report.server, report.generation, report.order);
        return Ok(());
    };
    if !Room::new(Service::Compute, sender).take(tx).await? {
        return Ok(());
    }
    let remove = ServerRemove {
        operation: None,
        server: server.id,
        generation,
    };
    tx.send(Outgoing::to_host(sender, &remove, context)).await
}

async fn settle(
    tx: &mut Tx,
    server: &mut Server,
    operation: Option<Operation>,
    fault: Option<&Fault>,
    context: &Context,
) -> Result<()> {
    let before = server.state;
    let after = transition::observe(before, server.power);
    let now = Timestamp::now();
    if after.vm == VmState::Deleted && before.vm != VmState::Deleted {
        let Some(operation) = operation else {
            return servers::save(tx, server).await;
        };
        return gone::from_host(tx, server, operation).await;
    }
    follow(server, after);
    if after == before && fault.is_none() {
        return servers::save(tx, server).await;
    }
    server.state = after;
    server.updated_at = now;
    explain(server, fault, now);
    if after.vm == VmState::Active && server.launched_at.is_none() {
        server.launched_at = Some(now);
    }
    servers::save(tx, server).await?;
    let ended = operation.filter(|_| before.task.is_some() && after.task.is_none());
    let kind = ended.as_ref().map(|operation| event(operation.kind, "end"));
    let kind = kind.unwrap_or_else(|| "compute.instance.update".to_owned());
    announce::server(tx, server, &kind, context).await?;
    if let Some(mut operation) = ended {
        let hop = Hop::now("api", server.state.status().to_lowercase(), "");
        hops::add(tx, operation.id, &[hop]).await?;
        operation.end(Step::Done, None);
        operations::save(tx, &operation).await?;
    }
    Ok(())
}

/// A settled server is wished to be what it is. A guest that turned itself off: that is its owner's will, and
/// repair never raises it again. One that runs after all, for its start came later than its deadline, or was
/// forgotten with a database that was restored: repair must not switch it off under its user's hands. Whoever
/// asked for something else since has made this report an old one.
pub(super) fn follow(server: &mut Server, after: ServerState) {
    match (after.task, after.vm) {
        (None, VmState::Active) => server.desired = Desired::Running,
        (None, VmState::Stopped) => server.desired = Desired::Stopped,
        _ => {}
    }
}

fn explain(server: &mut Server, fault: Option<&Fault>, now: Timestamp) {
    match (server.state.vm, fault) {
        (VmState::Error | VmState::Paused, Some(fault)) => {
            server.fault = Some(fault.clone());
            server.fault_at = Some(now);
        }
        (VmState::Error, None) if server.fault.is_none() => {
            let message = "The machine ended by itself without a power-off. Its console log may say \
                           why; start it again with a hard reboot.";
            server.fault = Some(Fault::new(FaultCode::MachineCrashed, message));
            server.fault_at = Some(now);
        }
        (VmState::Active | VmState::Stopped, _) => {
            server.fault = None;
            server.fault_at = None;
        }
        _ => {}
    }
}

/// Records what a host says of a port.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn port(
    tx: &mut Tx,
    report: &PortReport,
    sender: &HostName,
    context: &Context,
) -> Result<Outcome> {
    if *sender != report.host {
        return Ok(Outcome::NotTheirs);
    }
    // The server first, as everywhere: its row is the lock.
    let port = match ports::get(tx.conn(), report.port, Scope::Everything).await {
        Ok(port) => port,
        Err(Error::NotFound(_)) => return Ok(Outcome::NotTheirs),
        Err(error) => return Err(error),
    };
    // Then its operations, and only then hosts, subnets and ports.
    let (mut open, mut of) = (Vec::new(), None);
    if let Some(server) = port.server {
        of = servers::load(tx, server).await?.host;
        open = operations::open_of(tx, server).await?;
    }
    let is_behind = report.generation > port.generation;
    // A boot that fails gives its claim back, and hosts are locked before subnets.
    if let (true, Some(_), Some(host)) = (is_behind, &report.fault, of) {
        hosts::lock(tx, &host).await?;
    }
    if report.state == PortState::Absent || is_behind {
        subnets::lock(tx, port.subnet).await?;
    }
    match binding::record(tx, report).await? {
        Recorded::News => {}
        Recorded::Old => return Ok(Outcome::Old),
        Recorded::NotTheirs => return Ok(Outcome::NotTheirs),
        Recorded::Incredible => {
            warn(sender, &report.port, report.generation, report.order);
            return Ok(Outcome::Incredible);
        }
    }
    let Some(id) = port.server else {
        return Ok(Outcome::Recorded);
    };
    if let Some(operation) = open.iter().find(|one| Some(one.id) == report.operation) {
        hops::add(tx, operation.id, &report.hops).await?;
    }
    match (report.state, &report.fault) {
        (PortState::Absent, _) => port_gone(tx, id, &port, context).await?,
        (PortState::Down, Some(fault)) => port_failed(tx, id, fault).await?,
        _ => {}
    }
    if is_behind && Room::new(Service::Network, sender).take(tx).await? {
        // Unless it has gone with its server by now.
        let heard = (sender, report.generation);
        binding::catch_up(tx, &mut Specs::default(), &port, heard, context).await?;
    }
    Ok(Outcome::Recorded)
}

async fn port_gone(tx: &mut Tx, id: ServerId, port: &ports::Port, context: &Context) -> Result<()> {
    let server = servers::load(tx, id).await?;
    let leaving = server.state.vm == VmState::Deleted
        || server.state.task == Some(skybus_model::server::Task::Deleting);
    if leaving {
        ports::release(tx, port).await?;
        return gone::last_port(tx, id).await;
    }
    interfaces::port_gone(tx, server, port, context).await
}

async fn port_failed(tx: &mut Tx, id: ServerId, fault: &Fault) -> Result<()> {
    let mut server = servers::load(tx, id).await?;
    let boot = operations::open_of(tx, id)
        .await?
        .into_iter()
        .find(|operation| operation.kind == OperationKind::Boot && operation.step == Step::OnHost);
    match boot {
        Some(mut boot) => failed::with(tx, &mut server, &mut boot, fault.clone()).await,
        None => Ok(()),
    }
}
