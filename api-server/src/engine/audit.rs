//! The audit that runs by itself: once after a start, when things have settled, and then once a day, on one
//! API server of all. It mends nothing: it logs what it found, sets the gauges, and leaves the number for
//! `skybus status`.

use std::{collections::HashMap, time::Duration};

use skybus_bus::Bus;
use skybus_model::Timestamp;
use skybus_store::{
    Store,
    audit::{self, Finding, Kind, Look},
};
use tokio_util::sync::CancellationToken;

use super::Engine;

/// After a start hosts come back, inventories arrive and what was silent is looked after.
const SETTLE: Duration = Duration::from_secs(300);
/// How often it is seen whether a day has passed.
const EVERY: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// API servers that start together need one audit, not one each.
const AFTER_START: Duration = Duration::from_secs(600);
/// When the broker was away, what waited leaves first, and deadlines are moved. So long is more than enough.
const WELL_AFTER: Duration = Duration::from_secs(120);

/// Audits until the token is cancelled.
///
/// # Errors
/// None so far: a database that is away is tried again.
pub async fn run(engine: &Engine, token: CancellationToken) -> anyhow::Result<()> {
    let mut pause = (SETTLE, AFTER_START);
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause.0) => {}
        }
        match turn(engine, pause.1).await {
            Ok(()) => pause = (EVERY, DAY),
            Err(error) => tracing::warn!(%error, "there can be no audit now"),
        }
    }
}

async fn turn(engine: &Engine, at_least: Duration) -> skybus_store::Result<()> {
    if !audit::take_turn(&engine.store, Timestamp::now(), at_least).await? {
        return Ok(());
    }
    let findings = look(&engine.store, &engine.bus).await?;
    for finding in &findings {
        tracing::warn!(
            kind = finding.kind.as_str(),
            resource = %finding.resource,
            found = finding.found,
            expected = finding.expected,
            "does not fit; see `skybus audit`"
        );
    }
    tracing::info!(findings = findings.len(), "audited");
    Ok(())
}

/// Finds, sets the gauges, and writes down the number.
///
/// # Errors
/// When the database fails.
pub async fn look(store: &Store, bus: &Bus) -> skybus_store::Result<Vec<Finding>> {
    let from = from(bus);
    let findings = audit::find(store, &from).await?;
    count(store, from.now, findings.iter().map(|finding| finding.kind)).await?;
    Ok(findings)
}

/// Now, and whether messages have been able to leave for a while.
#[must_use]
pub fn from(bus: &Bus) -> Look {
    Look {
        now: Timestamp::now(),
        bus_is_well: bus.well_for().is_some_and(|time| time > WELL_AFTER),
    }
}

/// Sets the gauge of each kind, and writes down how many findings there are in all.
///
/// # Errors
/// When the database fails.
pub async fn count(
    store: &Store,
    now: Timestamp,
    kinds: impl Iterator<Item = Kind>,
) -> skybus_store::Result<()> {
    let mut found: HashMap<Kind, usize> = HashMap::new();
    for kind in kinds {
        *found.entry(kind).or_default() += 1;
    }
    for kind in Kind::ALL {
        let number = found.get(kind).copied().unwrap_or(0);
        #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("skybus_audit_findings", "kind" => kind.as_str()).set(number as f64);
    }
    audit::note(store, now, found.values().sum()).await
}

#[cfg(test)]
mod tests {
    use skybus_store::compute::quotas::{self, Resource};

    use super::*;
    use crate::testing::TestApp;

    /// What stands beside the audits of operators: it finds, writes down, and changes nothing.
    #[tokio::test]
    async fn it_looks_once_a_day_and_mends_nothing_by_itself() {
        let test = TestApp::sqlite().await;
        let engine = Engine {
            store: test.store().clone(),
            bus: test.app.bus.clone(),
            relay: test.app.relay.clone(),
            key: test.app.paths.clone(),
            who: "api@test".to_owned(),
        };
        let found = || async {
            audit::last(test.store())
                .await
                .unwrap()
                .map(|last| last.findings)
        };
        assert_eq!(found().await, None);
        turn(&engine, AFTER_START).await.unwrap();
        assert_eq!(found().await, Some(0));

        let mut tx = test.store().begin().await.unwrap();
        let taken = quotas::take(&mut tx, "somebody", Resource::Cores, 1, -1).await;
        taken.unwrap().unwrap();
        tx.commit().await.unwrap();
        turn(&engine, DAY).await.unwrap();
        assert_eq!(found().await, Some(0), "there was one today");
        turn(&engine, Duration::ZERO).await.unwrap();
        assert_eq!(found().await, Some(1));
        turn(&engine, Duration::ZERO).await.unwrap();
        assert_eq!(found().await, Some(1), "it is as it was");
    }
}
