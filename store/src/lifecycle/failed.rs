//! An operation fails: another host is tried where that may help, or the server is in ERROR with a reason.

use skybus_model::{
    Fault, FaultCode, Timestamp,
    operation::{OperationKind, Step},
    server::{Desired, transition},
};

use super::{accept::event, interfaces, placed};
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
    match next(operation, fault.code, now) {
        Next::SendAgain => {
            operation.fault = Some(fault);
            operation.wake_at = now.after(std::time::Duration::from_secs(2));
            servers::save(tx, server).await?;
            operations::save(tx, operation).await
        }
        Next::PlaceAgain => {
            placed::again(tx, server, operation, fault).await?;
            Ok(())
        }
        Next::TurnBack => interfaces::turn_back(tx, server, operation, fault).await,
        Next::End => for_good(tx, server, operation, fault).await,
    }
}

/// What is done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The reconciler sends it again.
    SendAgain,
    /// Another host is asked for.
    PlaceAgain,
    /// What was begun of it is undone.
    TurnBack,
    /// It has failed.
    End,
}

fn next(operation: &Operation, code: FaultCode, now: Timestamp) -> Next {
    let in_time = now < operation.deadline;
    // The command had grown old on its way, although there is time left.
    let too_old = code == FaultCode::DeadlinePassed && in_time;
    let twice = operation
        .fault
        .as_ref()
        .is_some_and(|before| before.code == FaultCode::DeadlinePassed);
    match operation.kind {
        // Something is in the way of a removal. A delete is never given up.
        OperationKind::Delete => Next::SendAgain,
        // A host whose clock is wrong finds every command too old; a boot can go elsewhere.
        OperationKind::Boot if too_old && !twice => Next::SendAgain,
        OperationKind::Boot
            if in_time
                && (code.worth_another_host() || too_old)
                && operation.attempts < HOSTS_TRIED =>
        {
            Next::PlaceAgain
        }
        OperationKind::Boot => Next::End,
        OperationKind::Start
        | OperationKind::Stop
        | OperationKind::Reboot
        | OperationKind::AttachInterface
        | OperationKind::DetachInterface
            if too_old =>
        {
            Next::SendAgain
        }
        OperationKind::AttachInterface | OperationKind::DetachInterface
            if in_time && !interfaces::is_turned_back(operation) =>
        {
            Next::TurnBack
        }
        OperationKind::AttachInterface | OperationKind::DetachInterface => Next::End,
        OperationKind::Start | OperationKind::Stop | OperationKind::Reboot => Next::End,
    }
}

/// Ends `operation` with `fault`; its server is in ERROR, unless only its interfaces were to change.
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
    if matches!(
        operation.kind,
        OperationKind::AttachInterface | OperationKind::DetachInterface
    ) {
        return interfaces::give_up(tx, server, operation, fault).await;
    }
    server.state = transition::fail(server.state);
    // What failed is not wished any more: it must not happen by repair an hour later.
    match operation.kind {
        OperationKind::Stop => server.desired = Desired::Running,
        OperationKind::Start => server.desired = Desired::Stopped,
        OperationKind::Boot
        | OperationKind::Reboot
        | OperationKind::AttachInterface
        | OperationKind::DetachInterface
        | OperationKind::Delete => {}
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

#[cfg(test)]
mod tests;
