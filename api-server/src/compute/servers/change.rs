//! Wishes about a server: start, stop, reboot, delete. Each is one transaction; what it means for rows
//! and messages is in `skybus_store::lifecycle`.

use skybus_fault::{self as fault, Point};
use skybus_model::{
    Fault, FaultCode, Timestamp,
    message::Context,
    server::{Conflict, Request, ServerState, VmState},
};
use skybus_store::{
    announce,
    lifecycle::{
        accept::{Wish, accept},
        interfaces,
    },
    servers::{self, Server},
};

use super::find;
use crate::{
    app::App,
    http::{Auth, Error},
};

/// Accepts a wish about the server with this id.
pub(crate) async fn wish(
    app: &App,
    auth: &Auth,
    context: &Context,
    id: &str,
    request: Request,
) -> Result<(), Error> {
    let mut tx = app.store.begin().await?;
    let mut server = find::locked(&mut tx, auth, id).await?;
    let wish = Wish {
        request,
        actor: auth.user,
        context,
        key: &app.paths,
    };
    match accept(&mut tx, &mut server, &wish).await? {
        Ok(_) => {}
        Err(conflict) => return Err(refused(&server, request, &conflict)),
    }
    app.push(tx.commit().await?);
    fault::hit(Point::ApiBeforeAnswer, "change");
    Ok(())
}

/// Removes a server. To ask again while it is being removed is no mistake.
pub(crate) async fn delete(
    app: &App,
    auth: &Auth,
    context: &Context,
    id: &str,
) -> Result<(), Error> {
    wish(app, auth, context, id, Request::Delete).await
}

pub(super) fn refused(server: &Server, request: Request, conflict: &Conflict) -> Error {
    let verb = match request {
        Request::Start => "start",
        Request::Stop => "stop",
        Request::RebootSoft | Request::RebootHard => "reboot",
        Request::AttachInterface => "attach_interface",
        Request::DetachInterface => "detach_interface",
        Request::Delete => "delete",
    };
    Error::conflict(format!(
        "Cannot '{verb}' instance {}: {conflict}",
        server.id
    ))
}

/// Sets a server's state by an operator's hand.
pub(crate) async fn reset(
    app: &App,
    auth: &Auth,
    context: &Context,
    id: &str,
    to: VmState,
) -> Result<(), Error> {
    let mut tx = app.store.begin().await?;
    let mut server = find::locked(&mut tx, auth, id).await?;
    if server.host.is_none() && to == VmState::Active {
        return Err(Error::conflict(format!(
            "instance {} has no host, so it cannot be active; reset it to error, or delete it",
            server.id
        )));
    }
    let now = Timestamp::now();
    let who = format!("user {} ({})", auth.user_name, auth.user);
    let fault = Fault::new(
        FaultCode::SetByOperator,
        "An operator set the state by hand.",
    )
    .with_details(format!("{who}, request {}", context.request_id));
    end_operations(&mut tx, &mut server, &fault).await?;
    server.state = ServerState::settled(to);
    server.updated_at = now;
    (server.fault, server.fault_at) = match to {
        VmState::Error => (Some(fault), Some(now)),
        _ => (None, None),
    };
    servers::save(&mut tx, &server).await?;
    announce::server(&mut tx, &server, "compute.instance.update", context).await?;
    app.push(tx.commit().await?);
    Ok(())
}

/// What was going on ends with the operator's word; its late reports then settle nothing that is open.
async fn end_operations(
    tx: &mut skybus_store::Tx,
    server: &mut Server,
    fault: &Fault,
) -> Result<(), Error> {
    for mut operation in skybus_store::operations::open_of(tx, server.id).await? {
        interfaces::forget(tx, server, &operation).await?;
        operation.end(skybus_model::operation::Step::Failed, Some(fault.clone()));
        skybus_store::operations::save(tx, &operation).await?;
    }
    Ok(())
}
