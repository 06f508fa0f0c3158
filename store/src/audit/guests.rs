//! Machines without a row and rows without a machine, by the last inventory of each host.
//!
//! An unknown machine is in quarantine from its first inventory on: its ports are unknown, too, and are
//! taken away with the network worker's inventory, so that it reaches nothing, and nobody can ask anything of
//! it. It is removed only when it has been so for [`GRACE`], and then only by an operator's repair, never
//! by itself: the rows may be missing because the database was restored from an older backup, and the
//! machine may be all that is left of somebody's data.

use std::time::Duration;

use skybus_model::{HostName, id::ServerId};

use super::{
    Look, Outcome,
    finding::{Finding, Kind, Resource, age},
    tasks::locked,
};
use crate::{
    Result, Store, Tx,
    lifecycle::mend,
    operations, servers,
    signed_path::PathKey,
    strays::{self, Stray, What},
};

/// For how long a machine without a row is left alone whatever an operator says.
pub const GRACE: Duration = Duration::from_secs(3600);
/// A host is told of a missing machine with each inventory, once a minute. So long is more than some in a row.
const MISSING: Duration = Duration::from_secs(600);
/// What a host was told shows in its next inventory, or in one soon after.
const TOLD: Duration = Duration::from_secs(600);

/// Those that still are so: a row may have come to be gone or busy since the inventory.
const UNKNOWN: &str = "SELECT t.* FROM strays t WHERE t.what = 'unknown' \
     AND (t.told_at IS NULL OR t.told_at < $1) \
     AND NOT EXISTS (SELECT 1 FROM servers s WHERE s.id = t.server) ORDER BY t.host, t.server";

pub(super) async fn unknown(store: &Store, look: &Look) -> Result<Vec<Finding>> {
    let rows = sqlx::query(UNKNOWN)
        .bind(look.before(TOLD))
        .fetch_all(store.pool())
        .await?;
    rows.iter()
        .map(|row| {
            let stray = strays::read(row)?;
            let old = age(look, stray.since);
            let repair = if look.now.since(stray.since) < GRACE {
                format!(
                    "nothing before it has been there for {} min",
                    GRACE.as_secs() / 60
                )
            } else {
                "remove the machine and its disk for good".to_owned()
            };
            Ok(Finding {
                kind: Kind::GuestUnknown,
                found: format!("a machine without a row for {old}; {}", last(look, &stray)),
                resource: Resource::Guest(stray.host, stray.seen.server),
                expected: "no machine that the database does not know".to_owned(),
                repair,
            })
        })
        .collect()
}

fn last(look: &Look, stray: &Stray) -> String {
    format!("last inventory {} ago", age(look, stray.seen_at))
}

pub(super) async fn repair_unknown(
    tx: &mut Tx,
    (host, server): (&HostName, ServerId),
    look: &Look,
) -> Result<Outcome> {
    let Some(stray) = strays::load(tx, host, server).await? else {
        return Ok(Outcome::Gone);
    };
    if stray.seen.what != What::Unknown || locked(tx, server).await?.is_some() {
        return Ok(Outcome::Gone);
    }
    if look.now.since(stray.since) < GRACE {
        let text = format!(
            "it has been without a row for {} only; it is removed by a repair after {} min",
            age(look, stray.since),
            GRACE.as_secs() / 60
        );
        return Ok(Outcome::Left(text));
    }
    if !mend::remove_unknown(tx, host, server, stray.seen.generation).await? {
        let text = format!(
            "{host} claims to have heard of {} changes of it, which cannot be true: it would not listen; \
             remove the machine by hand, and look after the host's account",
            stray.seen.generation.0
        );
        return Ok(Outcome::Left(text));
    }
    strays::told(tx, &stray, look.now).await?;
    let text = "its host is told to remove it; it is found again if it is still there in 10 min";
    Ok(Outcome::Repaired(text.to_owned()))
}

const LOST: &str = "SELECT t.* FROM strays t JOIN servers s ON s.id = t.server AND s.host = t.host \
     WHERE t.what = 'missing' AND t.since < $1 AND (t.told_at IS NULL OR t.told_at < $2) \
     AND s.deleted_at IS NULL AND s.task_state IS NULL \
     AND s.vm_state IN ('active', 'stopped', 'paused') ORDER BY t.host, t.server";

pub(super) async fn missing(store: &Store, look: &Look) -> Result<Vec<Finding>> {
    let rows = sqlx::query(LOST)
        .bind(look.before(MISSING))
        .bind(look.before(TOLD))
        .fetch_all(store.pool())
        .await?;
    let mut findings = Vec::new();
    for row in &rows {
        let stray = strays::read(row)?;
        let state = servers::get(store, stray.seen.server).await?.state.status();
        findings.push(Finding {
            kind: Kind::GuestMissing,
            found: format!(
                "{state}, and its host has not had it for {}; {}",
                age(look, stray.since),
                last(look, &stray)
            ),
            resource: Resource::Guest(stray.host, stray.seen.server),
            expected: "a machine on the host that the row names".to_owned(),
            repair: "tell the host once more to make it".to_owned(),
        });
    }
    Ok(findings)
}

pub(super) async fn repair_missing(
    tx: &mut Tx,
    (host, id): (&HostName, ServerId),
    look: &Look,
    key: &PathKey,
) -> Result<Outcome> {
    // The server first, as everywhere: its row is the lock.
    let Some(server) = locked(tx, id).await? else {
        return Ok(Outcome::Gone);
    };
    let Some(stray) = strays::load(tx, host, id).await? else {
        return Ok(Outcome::Gone);
    };
    let settled = server.state.task.is_none()
        && server.deleted_at.is_none()
        && operations::open_of(tx, id).await?.is_empty();
    if stray.seen.what != What::Missing || !settled || server.host.as_ref() != Some(host) {
        return Ok(Outcome::Gone);
    }
    mend::ensure(tx, &server, key).await?;
    strays::told(tx, &stray, look.now).await?;
    let text = "its host is told; it is found again if it is still missing in 10 min";
    Ok(Outcome::Repaired(text.to_owned()))
}
