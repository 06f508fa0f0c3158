//! The API accepts a wish about a server.

use skybus_model::{
    Timestamp,
    id::{OperationId, UserId},
    message::Context,
    operation::{Hop, OperationKind, Step},
    server::{Conflict, Desired, Request, Restart, ServerState, VmState, transition},
};

use super::{gone, tell_host};
use crate::{
    Result, Tx, announce, hops,
    operations::{self, Operation},
    servers::{self, Server},
    signed_path::PathKey,
};

/// What is wished, and by whom.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// What.
    pub request: Request,
    /// Who.
    pub actor: UserId,
    /// The request that it came with.
    pub context: &'a Context,
    /// Signs the addresses in commands.
    pub key: &'a PathKey,
}

/// Accepts a wish about `server`, which was loaded in this transaction: state, generation, operation and
/// the commands to its host. A delete overtakes whatever else is going on.
///
/// # Errors
/// The inner [`Conflict`] when the wish does not fit the server's state; then nothing is changed.
pub async fn accept(
    tx: &mut Tx,
    server: &mut Server,
    wish: &Wish<'_>,
) -> Result<std::result::Result<OperationId, Conflict>> {
    let accepted = match transition::accept(server.state, wish.request) {
        Ok(state) => state,
        Err(conflict) => return Ok(Err(conflict)),
    };
    if server.host.is_none() && wish.request != Request::Delete {
        return Ok(Err(Conflict::NotFrom(server.state.vm)));
    }
    for mut overtaken in operations::open_of(tx, server.id).await? {
        overtaken.end(Step::Overtaken, None);
        operations::save(tx, &overtaken).await?;
    }
    change(server, accepted, wish.request);
    let operation = begin(tx, server, wish).await?;
    servers::save(tx, server).await?;
    announce::server(tx, server, &event(operation.kind, "start"), wish.context).await?;
    if server.host.is_some() {
        tell_host(tx, server, &operation, wish.key).await?;
    } else {
        gone::without_host(tx, server, operation.clone()).await?;
    }
    Ok(Ok(operation.id))
}

pub(super) fn change(server: &mut Server, accepted: ServerState, request: Request) {
    server.state = accepted;
    server.generation = server.generation.next();
    server.updated_at = Timestamp::now();
    match request {
        Request::Stop => server.desired = Desired::Stopped,
        Request::Start | Request::RebootSoft | Request::RebootHard => {
            server.desired = Desired::Running;
        }
        Request::AttachInterface | Request::DetachInterface | Request::Delete => {}
    }
}

pub(super) async fn begin(tx: &mut Tx, server: &Server, wish: &Wish<'_>) -> Result<Operation> {
    let (kind, restart) = match wish.request {
        Request::Start => (OperationKind::Start, None),
        Request::Stop => (OperationKind::Stop, None),
        Request::RebootSoft => (OperationKind::Reboot, Some(Restart::Soft)),
        Request::RebootHard => (OperationKind::Reboot, Some(Restart::Hard)),
        Request::AttachInterface => (OperationKind::AttachInterface, None),
        Request::DetachInterface => (OperationKind::DetachInterface, None),
        Request::Delete => (OperationKind::Delete, None),
    };
    let whose = (server.id, server.project, wish.actor);
    let mut operation = Operation::begin(
        kind,
        Step::OnHost,
        whose,
        server.generation,
        wish.context.clone(),
    );
    operation.restart = restart;
    operation.host.clone_from(&server.host);
    operations::insert(tx, &operation).await?;
    hops::add(tx, operation.id, &[Hop::now("api", "accepted", "")]).await?;
    Ok(operation)
}

/// Nova's word for an operation's beginning or end: `compute.instance.create.end`.
#[must_use]
pub fn event(kind: OperationKind, phase: &str) -> String {
    let verb = match kind {
        OperationKind::Boot => "create",
        OperationKind::Start => "power_on",
        OperationKind::Stop => "power_off",
        OperationKind::Reboot => "reboot",
        OperationKind::AttachInterface => "interface_attach",
        OperationKind::DetachInterface => "interface_detach",
        OperationKind::Delete => "delete",
    };
    format!("compute.instance.{verb}.{phase}")
}

/// Begins the boot of a server that was just inserted (state [`ServerState::ACCEPTED`], its ports made):
/// the operation and the message to the schedulers.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn boot(tx: &mut Tx, server: &Server, context: &Context) -> Result<OperationId> {
    debug_assert!(server.state.vm == VmState::Building);
    let whose = (server.id, server.project, server.owner);
    let operation = Operation::begin(
        OperationKind::Boot,
        Step::Placing,
        whose,
        server.generation,
        context.clone(),
    );
    operations::insert(tx, &operation).await?;
    servers::count_interfaces(tx, server.id).await?;
    hops::add(tx, operation.id, &[Hop::now("api", "accepted", "")]).await?;
    announce::server(tx, server, &event(OperationKind::Boot, "start"), context).await?;
    super::placed::ask(tx, &operation).await?;
    Ok(operation.id)
}
