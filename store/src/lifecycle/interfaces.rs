//! A server that exists gets one more interface, or loses one.
//!
//! Coming: the port is made or claimed and its host's network worker told, in the transaction that accepts the
//! wish; the machine gets it; done. Going: the machine loses it, then the host's network worker takes the port
//! away, and then the port is free. What the machine cannot do is undone under the same operation, which then
//! ends with the fault: the server itself is as well as before, and its ports are what its machine has.

use skybus_model::{
    Fault, Timestamp,
    id::{PortId, ServerId},
    message::Context,
    operation::{Hop, OperationKind, Step},
    server::{Conflict, Desired, MOST_INTERFACES, Power, Request, ServerState, Task, transition},
};

use super::{
    accept::{self, Wish, event},
    reported, tell_host,
};
use crate::{
    Error, Result, Tx, announce, hops,
    networks::{
        NewPort, Plug, Port, Scope,
        plugging::{self},
        ports,
    },
    operations::{self, Operation},
    servers::{self, Server},
};

/// What a server is to be plugged into.
#[derive(Debug, Clone)]
pub enum Into {
    /// A port that is made for it.
    New(Box<NewPort>),
    /// A port that is there, and that its owner keeps.
    Port(PortId),
}

/// Accepts that `server`, which was loaded in this transaction, is to be plugged into one more port.
///
/// # Errors
/// The inner [`Conflict`] when that does not fit the server's state. [`Error::Conflict`] when there is no room
/// for one more, no address is left, or the port is in use.
pub async fn attach(
    tx: &mut Tx,
    server: &mut Server,
    wish: &Wish<'_>,
    into: Into,
) -> Result<std::result::Result<PortId, Conflict>> {
    let Some(host) = server.host.clone() else {
        return Ok(Err(Conflict::NotFrom(server.state.vm)));
    };
    let operation = match begin(tx, server, wish, Request::AttachInterface).await? {
        Ok(operation) => operation,
        Err(conflict) => return Ok(Err(conflict)),
    };
    let position = free_position(tx, server.id).await?;
    let port = match into {
        Into::New(new) => {
            let new = new.for_server(server.id, &server.hostname, position);
            ports::create(tx, new).await?
        }
        Into::Port(id) => {
            let port = ports::get(tx.conn(), id, Scope::Project(server.project)).await?;
            crate::networks::subnets::lock(tx, port.subnet).await?;
            ports::attach(tx, &port, server.id, &server.hostname, position).await?;
            port
        }
    };
    plugging::bind(tx, &port, &host, operation.id, &operation.context.hop()).await?;
    servers::count_interfaces(tx, server.id).await?;
    tell_host(tx, server, &operation, wish.key).await?;
    Ok(Ok(port.id))
}

/// Accepts that `server`, which was loaded in this transaction, is to lose the interface of one of its ports.
///
/// # Errors
/// The inner [`Conflict`] when that does not fit the server's state. [`Error::NotFound`] when it has no such
/// port.
pub async fn detach(
    tx: &mut Tx,
    server: &mut Server,
    wish: &Wish<'_>,
    port: PortId,
) -> Result<std::result::Result<(), Conflict>> {
    let all = ports::of_server(tx.conn(), server.id).await?;
    if !all.iter().any(|one| one.id == port) {
        return Err(Error::NotFound(format!("port {port}")));
    }
    if server.host.is_none() {
        return Ok(Err(Conflict::NotFrom(server.state.vm)));
    }
    let operation = match begin(tx, server, wish, Request::DetachInterface).await? {
        Ok(operation) => operation,
        Err(conflict) => return Ok(Err(conflict)),
    };
    plugging::mark(tx, port, Plug::Goes).await?;
    servers::count_interfaces(tx, server.id).await?;
    tell_host(tx, server, &operation, wish.key).await?;
    Ok(Ok(()))
}

async fn begin(
    tx: &mut Tx,
    server: &mut Server,
    wish: &Wish<'_>,
    request: Request,
) -> Result<std::result::Result<Operation, Conflict>> {
    let accepted = match transition::accept(server.state, request) {
        Ok(state) => state,
        Err(conflict) => return Ok(Err(conflict)),
    };
    accept::change(server, accepted, request);
    let operation = accept::begin(tx, server, wish).await?;
    servers::save(tx, server).await?;
    let kind = event(operation.kind, "start");
    announce::server(tx, server, &kind, wish.context).await?;
    Ok(Ok(operation))
}

/// The first place among a server's ports that is free. The others keep theirs.
async fn free_position(tx: &mut Tx, server: ServerId) -> Result<i64> {
    let taken = ports::of_server(tx.conn(), server).await?;
    (0..i64::from(MOST_INTERFACES))
        .find(|place| taken.iter().all(|port| port.position != *place))
        .ok_or_else(|| {
            Error::Conflict(format!(
                "server {server} has {MOST_INTERFACES} interfaces, and there is no room for more; detach one"
            ))
        })
}

/// Whether an interface of the server comes or goes.
pub(super) const fn are_changing(server: &Server) -> bool {
    matches!(
        server.state.task,
        Some(Task::AttachingInterface | Task::DetachingInterface)
    )
}

/// Whether it has failed and is being undone.
pub(super) const fn is_turned_back(operation: &Operation) -> bool {
    operation.attempts > 1
}

/// The server's machine has the interfaces that were wished with `operation`. What its host says outside of one
/// is only written down.
pub(super) async fn reported(
    tx: &mut Tx,
    server: &mut Server,
    operation: Option<Operation>,
    context: &Context,
) -> Result<()> {
    let Some(mut operation) = operation else {
        return servers::save(tx, server).await;
    };
    plugging::turn(tx, server.id, Plug::Comes, Plug::Stays).await?;
    let hop = operation.context.hop();
    if plugging::withdraw(tx, server.id, operation.id, &hop).await? == 0 {
        return end(tx, server, operation, context).await;
    }
    operation.wake_at = Timestamp::now().after(operation.kind.patience());
    servers::save(tx, server).await?;
    operations::save(tx, &operation).await
}

/// A port is not on its host any more: if it was to go, it is free.
pub(super) async fn port_gone(
    tx: &mut Tx,
    mut server: Server,
    port: &Port,
    context: &Context,
) -> Result<()> {
    let goes = plugging::of(tx, server.id, Plug::Goes).await?;
    let Some(port) = goes.iter().find(|one| one.id == port.id && one.leaving) else {
        return Ok(());
    };
    ports::release(tx, port).await?;
    let open = operations::open_of(tx, server.id).await?;
    let operation = open.into_iter().find(|one| is_ours(one.kind));
    match operation {
        Some(operation) if goes.len() == 1 && are_changing(&server) => {
            end(tx, &mut server, operation, context).await
        }
        _ => Ok(()),
    }
}

const fn is_ours(kind: OperationKind) -> bool {
    matches!(
        kind,
        OperationKind::AttachInterface | OperationKind::DetachInterface
    )
}

/// Nothing is left to be done: it ends as asked, or, when it was undone, with its fault.
async fn end(
    tx: &mut Tx,
    server: &mut Server,
    mut operation: Operation,
    context: &Context,
) -> Result<()> {
    let (step, phase) = match is_turned_back(&operation) {
        true => (Step::Failed, "error"),
        false => (Step::Done, "end"),
    };
    let seen = transition::observe(server.state, server.power);
    rest(tx, server, seen).await?;
    let status = server.state.status().to_lowercase();
    hops::add(tx, operation.id, &[Hop::now("api", status, "")]).await?;
    operation.end(step, None);
    operations::save(tx, &operation).await?;
    announce::server(tx, server, &event(operation.kind, phase), context).await
}

async fn rest(tx: &mut Tx, server: &mut Server, seen: ServerState) -> Result<()> {
    server.state = match seen.task {
        None => seen,
        Some(_) => ServerState::settled(server.state.vm),
    };
    reported::follow(server, server.state);
    server.updated_at = Timestamp::now();
    servers::save(tx, server).await
}

/// The machine could not do it: its host is told, in a moment, to leave everything as it was.
pub(super) async fn turn_back(
    tx: &mut Tx,
    server: &mut Server,
    operation: &mut Operation,
    fault: Fault,
) -> Result<()> {
    match operation.kind {
        OperationKind::AttachInterface => {
            plugging::turn(tx, server.id, Plug::Comes, Plug::Goes).await?;
        }
        _ => plugging::turn(tx, server.id, Plug::Goes, Plug::Stays).await?,
    }
    servers::count_interfaces(tx, server.id).await?;
    // What undoes this must not start a guest that has ended meanwhile.
    if matches!(server.power, Power::Shutdown | Power::Crashed) {
        server.desired = Desired::Stopped;
    }
    server.generation = server.generation.next();
    operation.generation = server.generation;
    operation.attempts += 1;
    let hop = Hop::now("api", "turned back", fault.message.clone());
    operation.fault = Some(fault);
    operation.wake_at = Timestamp::now();
    hops::add(tx, operation.id, &[hop]).await?;
    servers::save(tx, server).await?;
    operations::save(tx, operation).await
}

/// Nobody answers, or it cannot even be undone: it ends. A port that came is free at once; one that should go
/// stays, unless its machine has let go of it: then it is done, whatever the network worker says. The host
/// learns of it when it shows what it has.
pub(super) async fn give_up(
    tx: &mut Tx,
    server: &mut Server,
    operation: &mut Operation,
    fault: Fault,
) -> Result<()> {
    let fault = operation.fault.take().unwrap_or(fault);
    let goes = plugging::of(tx, server.id, Plug::Goes).await?;
    let is_done = operation.kind == OperationKind::DetachInterface
        && !is_turned_back(operation)
        && goes.iter().any(|port| port.leaving);
    forget(tx, server, operation).await?;
    let seen = transition::observe(transition::fail(server.state), server.power);
    rest(tx, server, seen).await?;
    let (step, fault, phase) = match is_done {
        true => (Step::Done, None, "end"),
        false => (Step::Failed, Some(fault), "error"),
    };
    operation.end(step, fault);
    operations::save(tx, operation).await?;
    let kind = event(operation.kind, phase);
    announce::server(tx, server, &kind, &operation.context).await
}

/// Sets the ports of a server whose interfaces were changing to what can be, under a new generation. Whoever
/// calls saves the server.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn forget(tx: &mut Tx, server: &mut Server, operation: &Operation) -> Result<()> {
    if !is_ours(operation.kind) {
        return Ok(());
    }
    let hop = operation.context.hop();
    let mut free = plugging::of(tx, server.id, Plug::Comes).await?;
    let goes = plugging::of(tx, server.id, Plug::Goes).await?;
    let came = operation.kind == OperationKind::AttachInterface;
    free.extend(goes.into_iter().filter(|port| came || port.leaving));
    for port in &free {
        plugging::let_go(tx, port, operation.id, &hop).await?;
    }
    plugging::turn(tx, server.id, Plug::Goes, Plug::Stays).await?;
    servers::count_interfaces(tx, server.id).await?;
    server.generation = server.generation.next();
    Ok(())
}

/// Says again to the network worker what it may not have heard of `operation`.
pub(super) async fn tell_network(tx: &mut Tx, operation: &Operation) -> Result<()> {
    if !is_ours(operation.kind) {
        return Ok(());
    }
    let hop = operation.context.hop();
    plugging::ensure(tx, operation.server, operation.id, &hop).await?;
    let goes = plugging::of(tx, operation.server, Plug::Goes).await?;
    if goes.iter().any(|port| port.leaving) {
        plugging::withdraw(tx, operation.server, operation.id, &hop).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
