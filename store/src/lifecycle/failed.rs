//! An operation fails: another host is tried where that may help, or the server is in ERROR with a reason.

use skybus_model::{
    Fault, FaultCode, Timestamp,
    operation::{OperationKind, Step},
    server::{Desired, transition},
};

use super::{accept::event, placed};
use crate::{
    Result, Tx, announce,
    operations::{self, Operation},
    servers::{self, Server},
};

/// How many hosts may fail a boot.
const HOSTS_TRIED: i64 = 3;

/// Records that `operation` failed with `fault`.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn with(
    tx: &mut Tx,
    server: &mut Server,
    operation: &mut Operation,
    fault: Fault,
) -> Result<()> {
    let now = Timestamp::now();
    let too_old = fault.code == FaultCode::DeadlinePassed && now < operation.deadline;
    let twice = operation
        .fault
        .as_ref()
        .is_some_and(|before| before.code == FaultCode::DeadlinePassed);
    // A host whose clock is wrong finds every command too old; a boot can go elsewhere.
    let elsewhere = too_old && twice && operation.kind == OperationKind::Boot;
    if too_old && !elsewhere || operation.kind == OperationKind::Delete {
        // The command had grown old on its way, or something is in the way of a removal: the
        // reconciler sends it again. A delete is never given up.
        operation.fault = Some(fault);
        operation.wake_at = now.after(std::time::Duration::from_secs(2));
        servers::save(tx, server).await?;
        return operations::save(tx, operation).await;
    }
    let again = operation.kind == OperationKind::Boot
        && (fault.code.worth_another_host() || elsewhere)
        && operation.attempts < HOSTS_TRIED
        && now < operation.deadline;
    if again {
        placed::again(tx, server, operation, fault).await?;
        return Ok(());
    }
    for_good(tx, server, operation, fault).await
}

/// Ends `operation` with `fault`; its server is in ERROR.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn for_good(
    tx: &mut Tx,
    server: &mut Server,
    operation: &mut Operation,
    fault: Fault,
) -> Result<()> {
    let now = Timestamp::now();
    // Where an earlier host's failure is the better explanation, both are told.
    let fault = match operation.fault.take() {
        Some(before) if before != fault => {
            let message = format!("{} Before that: {}", fault.message, before.message);
            Fault { message, ..fault }
        }
        _ => fault,
    };
    server.state = transition::fail(server.state);
    // What failed is not wished any more: it must not happen by repair an hour later.
    match operation.kind {
        OperationKind::Stop => server.desired = Desired::Running,
        OperationKind::Start => server.desired = Desired::Stopped,
        OperationKind::Boot | OperationKind::Reboot | OperationKind::Delete => {}
    }
    server.fault = Some(fault.clone());
    server.fault_at = Some(now);
    server.updated_at = now;
    operation.end(Step::Failed, Some(fault));
    servers::save(tx, server).await?;
    operations::save(tx, operation).await?;
    announce::server(
        tx,
        server,
        &event(operation.kind, "error"),
        &operation.context,
    )
    .await
}
