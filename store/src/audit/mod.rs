//! The audit: what does not fit is found, explained and, when an operator says so, mended.
//!
//! One file per sort of finding, each with two halves. The first is one query, which therefore sees one
//! moment: what changes together in one transaction is never seen half done, and a busy cloud is a healthy
//! one. The second is one transaction, which takes the lock of whoever changes the same thing in earnest,
//! looks again, and mends only what still does not fit.
//!
//! Nothing is mended by itself. What could be mended safely without anybody looking is so already, by
//! [`crate::lifecycle`]; what is found here has a cause that a person should know of.

mod claims;
mod finding;
mod floating;
mod guests;
mod interfaces;
mod overdue;
mod ports;
mod record;
mod tasks;
#[cfg(test)]
mod tests;
mod uploads;
mod usage;
mod waiting;

use skybus_model::message::Outgoing;

pub use finding::{Finding, Kind, Look, Outcome, Resource};
pub use guests::GRACE;
pub use record::{Last, last, note, take_turn};

use crate::{Result, Store, Tx, signed_path::PathKey};

/// Everything that does not fit, in the order of [`Kind::ALL`].
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn find(store: &Store, look: &Look) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for kind in Kind::ALL {
        findings.extend(of_kind(store, look, *kind).await?);
    }
    Ok(findings)
}

async fn of_kind(store: &Store, look: &Look, kind: Kind) -> Result<Vec<Finding>> {
    match kind {
        Kind::ClaimDrift => claims::find(store, look).await,
        Kind::QuotaDrift => usage::find(store, look).await,
        Kind::PortWithoutServer => ports::without_server(store, look).await,
        Kind::PortElsewhere => ports::elsewhere(store, look).await,
        Kind::FloatingIpAstray => floating::find(store, look).await,
        Kind::ServerWithoutPort => interfaces::find(store, look).await,
        Kind::OperationWithoutTask => tasks::idle_operations(store, look).await,
        Kind::TaskWithoutOperation => tasks::alone(store, look).await,
        Kind::OperationOverdue => overdue::find(store, look).await,
        Kind::MessageWaits => waiting::find(store, look).await,
        Kind::UploadDead => uploads::find(store, look).await,
        Kind::GuestUnknown => guests::unknown(store, look).await,
        Kind::GuestMissing => guests::missing(store, look).await,
    }
}

/// Mends one finding, in a transaction of its own. What is returned with the outcome is for the relay.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails; then nothing is changed.
pub async fn repair(
    store: &Store,
    finding: &Finding,
    look: &Look,
    key: &PathKey,
) -> Result<(Outcome, Vec<Outgoing>)> {
    let mut tx = store.begin().await?;
    let outcome = mend(&mut tx, finding, look, key).await?;
    Ok((outcome, tx.commit().await?))
}

async fn mend(tx: &mut Tx, finding: &Finding, look: &Look, key: &PathKey) -> Result<Outcome> {
    match (finding.kind, &finding.resource) {
        (Kind::ClaimDrift, Resource::Host(host)) => claims::repair(tx, host).await,
        (Kind::QuotaDrift, Resource::Usage(holder, resource)) => {
            usage::repair(tx, holder, *resource).await
        }
        (Kind::PortWithoutServer, Resource::Port(id)) => {
            ports::repair_without_server(tx, *id, key).await
        }
        (Kind::PortElsewhere, Resource::Port(id)) => ports::repair_elsewhere(tx, *id).await,
        (Kind::FloatingIpAstray, Resource::FloatingIp(id)) => floating::repair(tx, *id).await,
        (Kind::ServerWithoutPort, Resource::Server(_)) => Ok(interfaces::leave()),
        (Kind::OperationWithoutTask, Resource::Operation(id, server)) => {
            tasks::repair_idle(tx, (*id, *server)).await
        }
        (Kind::TaskWithoutOperation, Resource::Server(id)) => {
            tasks::repair_alone(tx, *id, key).await
        }
        (Kind::OperationOverdue, Resource::Operation(id, server)) => {
            overdue::repair(tx, (*id, *server), look).await
        }
        (Kind::MessageWaits, Resource::Messages(routing)) => {
            waiting::repair(tx, routing, look).await
        }
        (Kind::UploadDead, Resource::Image(id)) => uploads::repair(tx, *id, look).await,
        (Kind::GuestUnknown, Resource::Guest(host, id)) => {
            guests::repair_unknown(tx, (host, *id), look).await
        }
        (Kind::GuestMissing, Resource::Guest(host, id)) => {
            guests::repair_missing(tx, (host, *id), look, key).await
        }
        (kind, resource) => {
            // A finding is made by this module, so that its two halves match.
            debug_assert!(false, "{kind} of {resource}");
            Ok(Outcome::Left(format!("{kind} says nothing of {resource}")))
        }
    }
}
