//! The life of a server across tables: each function is one step of `docs/boot.md`, run inside the
//! transaction of whoever takes it.
//!
//! [`accept`]: the API accepts a wish. [`placed`]: a scheduler chose a host. [`reported`]: a host reports.
//! [`inventory`]: a host says all that it has. [`overdue`]: an API server looks after an operation that has
//! been silent; [`absence`]: not while nobody can be told anything. [`gone`] and [`failed`] are how it ends. [`interfaces`]: a server gets one, or
//! loses one. [`mend`]: an audit found that it fell off its path.
//! [`room`]: repair floods no host.
//! The states themselves and their allowed changes are in `skybus_model::server::transition`.

pub mod absence;
pub mod accept;
pub mod failed;
pub mod gone;
pub mod interfaces;
pub mod inventory;
pub mod mend;
pub mod overdue;
pub mod placed;
pub mod reported;
pub(crate) mod room;
#[cfg(test)]
pub(crate) mod tests;

use skybus_model::{
    message::{Context, Outgoing},
    operation::{Hop, OperationKind, Step},
    server::{Nic, VmState},
};

use crate::{
    Result, Tx, commands, hops, networks,
    networks::{Plug, Port, binding},
    operations::{self, Operation},
    servers::Server,
    signed_path::PathKey,
};

/// The server's interfaces, as its host must know them.
fn nics(ports: &[Port]) -> Vec<Nic> {
    ports
        .iter()
        .filter(|port| port.plug != Plug::Goes)
        .map(|port| Nic {
            place: u8::try_from(port.position).ok(),
            port: port.id,
            network: port.network,
            mac: port.mac.clone(),
            address: port.address,
        })
        .collect()
}

/// Tells the server's host what `operation` is about: at its first step and whenever the host may not
/// have heard. Does nothing for a server without a host.
async fn tell_host(
    tx: &mut Tx,
    server: &Server,
    operation: &Operation,
    key: &PathKey,
) -> Result<()> {
    let Some(host) = server.host.clone() else {
        return Ok(());
    };
    let context = operation.context.hop();
    if operation.kind == OperationKind::Delete {
        let command = commands::remove(server, Some(operation.id));
        tx.send(Outgoing::to_host(&host, &command, &context))
            .await?;
        binding::withdraw(tx, server.id, Some(operation.id), &context).await?;
        return Ok(());
    }
    let ports = networks::ports::of_server(tx.conn(), server.id).await?;
    let command = commands::ensure(
        server,
        nics(&ports),
        Some(operation.id),
        operation.restart,
        operation.deadline,
        key,
    );
    tx.send(Outgoing::to_host(&host, &command, &context)).await
}

/// Tells the server's host what should be there, outside of any operation.
async fn repair(tx: &mut Tx, server: &Server, key: &PathKey, context: &Context) -> Result<()> {
    let Some(host) = server.host.clone() else {
        return Ok(());
    };
    let ports = networks::ports::of_server(tx.conn(), server.id).await?;
    let deadline = skybus_model::Timestamp::now().after(OperationKind::Boot.deadline());
    let command = commands::ensure(server, nics(&ports), None, None, deadline, key);
    tx.send(Outgoing::to_host(&host, &command, context)).await
}

/// Ends an operation whose server is settled: there is nothing left of it to be done. A delete is done when
/// its server is gone; what anything else wished is either so or was overtaken.
async fn settled(tx: &mut Tx, server: &Server, mut operation: Operation) -> Result<()> {
    let gone = server.state.vm == VmState::Deleted;
    let step = match operation.kind {
        OperationKind::Delete if gone => Step::Done,
        OperationKind::Delete => Step::Overtaken,
        _ if gone || operation.generation != server.generation => Step::Overtaken,
        _ if operation.step == Step::OnHost => Step::Done,
        _ => Step::Overtaken,
    };
    let hop = Hop::now("api", "ended, for the server is settled", "");
    hops::add(tx, operation.id, &[hop]).await?;
    operation.end(step, None);
    operations::save(tx, &operation).await
}
