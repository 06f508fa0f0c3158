//! Worker processes as operators see them: enabled or not, and when they were last heard.

use skybus_model::{
    HostName, Timestamp,
    id::ServiceId,
    message::heartbeat::{DOWN_AFTER, HostBeat},
    segment::Carries,
};
use sqlx::any::AnyRow;

use crate::{
    Error, Result, Store, Tx, machines,
    networks::peers,
    row::{Columns, to_json},
};

/// A worker process on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Its host.
    pub host: HostName,
    /// `compute` or `network`.
    pub service: String,
    /// Its availability zone.
    pub zone: String,
    /// Its program's version.
    pub version: String,
    /// Whether new work may go there.
    pub enabled: bool,
    /// Why not.
    pub disabled_reason: Option<String>,
    /// Whether an operator declared it dead.
    pub forced_down: bool,
    /// When it was last heard.
    pub last_seen: Timestamp,
    /// What a network worker said that its host can carry.
    pub carries: Carries,
}

impl Service {
    /// Whether it counts as alive at `now`.
    #[must_use]
    pub fn is_up(&self, now: Timestamp) -> bool {
        !self.forced_down && now.since(self.last_seen) < DOWN_AFTER
    }
}

/// The schedulers' own entry: it says that somebody listens to heartbeats.
pub const SCHEDULER: &str = "scheduler";

pub(crate) fn read(row: &AnyRow) -> Result<Service> {
    Ok(Service {
        id: row.word("id")?,
        host: row.word("host")?,
        service: row.text("service")?,
        zone: row.text("zone")?,
        version: row.text("version")?,
        enabled: row.flag("enabled")?,
        disabled_reason: row.maybe_text("disabled_reason")?,
        forced_down: row.flag("forced_down")?,
        last_seen: row.time("last_seen")?,
        carries: row.json("carries")?,
    })
}

/// All services, by host.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn all(store: &Store) -> Result<Vec<Service>> {
    sqlx::query("SELECT * FROM services ORDER BY host, service")
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// One service of a host.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn find(tx: &mut Tx, host: &HostName, service: &str) -> Result<Option<Service>> {
    let row = sqlx::query("SELECT * FROM services WHERE host = $1 AND service = $2")
        .bind(host.as_str())
        .bind(service.to_owned())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Whether a host's service is dead: an operator said so, or it is silent although somebody listens. While
/// no scheduler listens (they are down, or the broker was away), silence says nothing.
///
/// How long it has been silent is told by what the schedulers wrote, both times by their clock: this
/// process's own clock may be wrong, or may just have been set. It only says whether a scheduler listens at
/// all, and of several the one whose clock is the furthest behind counts.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn is_down(tx: &mut Tx, host: &HostName, service: &str) -> Result<bool> {
    let now = Timestamp::now();
    let Some(found) = find(tx, host, service).await? else {
        return Ok(true);
    };
    if found.forced_down {
        return Ok(true);
    }
    let silent_from = micros(DOWN_AFTER);
    let listening: Option<i64> = sqlx::query_scalar(
        "SELECT MIN(last_seen) FROM services WHERE service = $1 AND last_seen > $2",
    )
    .bind(SCHEDULER)
    .bind(now.micros().saturating_sub(silent_from))
    .fetch_one(tx.conn())
    .await?;
    Ok(listening.is_some_and(|heard| Timestamp(heard).since(found.last_seen) >= DOWN_AFTER))
}

/// What a clock that was ahead has written counts as heard now: as it is, it would keep the dead alive until
/// that time has come. A clock may be a little ahead of another.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn none_later_than(store: &Store, now: Timestamp) -> Result<()> {
    let mut tx = store.begin().await?;
    sqlx::query("UPDATE services SET last_seen = $1 WHERE last_seen > $2")
        .bind(now.micros())
        .bind(now.micros().saturating_add(micros(DOWN_AFTER)))
        .execute(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(())
}

fn micros(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Notes that a service was heard. One whose reports would not be believed counts as silent: what was given
/// to its host goes elsewhere. One of a machine that is being removed, or was, counts for nothing.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn heard(tx: &mut Tx, beat: &HostBeat, at: Timestamp) -> Result<()> {
    if !beat.order.is_credible(at) {
        tracing::warn!(host = %beat.host, service = beat.service, epoch = beat.order.epoch,
            "began in a far future by its clock, and counts as silent: set the clock right and start \
             the worker again");
        return Ok(());
    }
    let known = sqlx::query(
        "UPDATE services SET zone = $3, version = $4, epoch = $5, last_seen = $6 \
         WHERE host = $1 AND service = $2 RETURNING carries",
    )
    .bind(beat.host.as_str())
    .bind(beat.service.clone())
    .bind(beat.zone.clone())
    .bind(beat.version.clone())
    .bind(beat.order.epoch)
    .bind(at.micros())
    .fetch_optional(tx.conn())
    .await?;
    if let Some(row) = known {
        // What is written may be of a newer version, which has gone back.
        let before: Carries = row.json("carries").unwrap_or_default();
        return carries(tx, beat, &before).await;
    }
    if !machines::may_speak(tx, &beat.host).await? {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO services (id, host, service, zone, version, epoch, last_seen) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (host, service) DO UPDATE SET \
         zone = excluded.zone, version = excluded.version, epoch = excluded.epoch, \
         last_seen = excluded.last_seen",
    )
    .bind(ServiceId::random().to_string())
    .bind(beat.host.as_str())
    .bind(beat.service.clone())
    .bind(beat.zone.clone())
    .bind(beat.version.clone())
    .bind(beat.order.epoch)
    .bind(at.micros())
    .execute(tx.conn())
    .await?;
    carries(tx, beat, &Carries::default()).await
}

/// Writes down what the host can carry, when that is something else than before; where its tunnel ends is told to
/// the hosts that it shares networks with.
async fn carries(tx: &mut Tx, beat: &HostBeat, before: &Carries) -> Result<()> {
    if beat.service != "network" || beat.carries == *before {
        return Ok(());
    }
    // A claim changes this row, and a port's host reads the address below: whoever comes second sees what the
    // other did.
    machines::hold_host(tx, &beat.host).await?;
    sqlx::query("UPDATE services SET carries = $3 WHERE host = $1 AND service = $2")
        .bind(beat.host.as_str())
        .bind(beat.service.clone())
        .bind(to_json(&beat.carries))
        .execute(tx.conn())
        .await?;
    if beat.carries.tunnel != before.tunnel {
        peers::moved(tx, &beat.host).await?;
    }
    Ok(())
}

/// Writes what an operator may change of a service.
///
/// # Errors
/// [`Error::NotFound`] when there is no such service.
pub async fn save(tx: &mut Tx, service: &Service) -> Result<()> {
    let done = sqlx::query(
        "UPDATE services SET enabled = $2, disabled_reason = $3, forced_down = $4 WHERE id = $1",
    )
    .bind(service.id.to_string())
    .bind(i64::from(service.enabled))
    .bind(service.disabled_reason.clone())
    .bind(i64::from(service.forced_down))
    .execute(tx.conn())
    .await?;
    match done.rows_affected() {
        0 => Err(Error::NotFound(format!("service {}", service.id))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use skybus_model::host::Resources;

    use super::*;
    use crate::testing::{TestCloud, TestStore};

    /// Writes down that a scheduler listened, and that a host was heard, so long ago by this clock; less
    /// than nothing is still to come.
    async fn wrote(cloud: &TestCloud, host: &HostName, (listened, heard): (i64, i64)) {
        let now = Timestamp::now();
        let mut tx = cloud.store.begin().await.unwrap();
        for (service, ago) in [(SCHEDULER, listened), ("compute", heard)] {
            let at = Timestamp(now.micros() - ago * 1_000_000);
            let beat = cloud.beat(host, service, Resources::default());
            super::heard(&mut tx, &beat, at).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn down(cloud: &TestCloud, host: &HostName) -> bool {
        let mut tx = cloud.store.begin().await.unwrap();
        is_down(&mut tx, host, "compute").await.unwrap()
    }

    /// This process's clock was set while the schedulers' goes on, by an hour or by seconds.
    async fn a_clock_that_is_wrong_makes_nobody_dead_and_keeps_nobody_alive(store: &Store) {
        let cloud = TestCloud::new(store.clone()).await;
        let host = cloud.host("a", Resources::default()).await;
        for (listened, heard) in [(3600, 3605), (25, 35), (5, 15), (-3600, -3590), (-25, -15)] {
            wrote(&cloud, &host, (listened, heard)).await;
            assert!(!down(&cloud, &host).await, "alive: {listened} {heard}");
        }
        for (listened, heard) in [(5, 36), (-3600, -3569), (-25, 6)] {
            wrote(&cloud, &host, (listened, heard)).await;
            assert!(down(&cloud, &host).await, "dead: {listened} {heard}");
        }
        wrote(&cloud, &host, (31, 3600)).await;
        assert!(!down(&cloud, &host).await, "nobody listens");
    }

    /// A scheduler's clock was ahead when it wrote, and was set back.
    async fn what_a_clock_that_was_ahead_has_written_keeps_nobody_alive(store: &Store) {
        let cloud = TestCloud::new(store.clone()).await;
        let host = cloud.host("a", Resources::default()).await;
        wrote(&cloud, &host, (0, -3600)).await;
        let now = Timestamp::now();
        none_later_than(store, now).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let row = find(&mut tx, &host, "compute").await.unwrap().unwrap();
        assert_eq!(row.last_seen, now);
        let listens = find(&mut tx, &host, SCHEDULER).await.unwrap().unwrap();
        assert!(listens.last_seen <= now, "what is not to come stays");
        drop(tx);
        // Another scheduler's clock may be a little ahead.
        wrote(&cloud, &host, (0, -5)).await;
        none_later_than(store, Timestamp::now()).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let row = find(&mut tx, &host, "compute").await.unwrap().unwrap();
        assert!(row.last_seen > now.after(Duration::from_secs(4)));
    }

    #[tokio::test]
    async fn on_sqlite() {
        let test = TestStore::sqlite().await;
        a_clock_that_is_wrong_makes_nobody_dead_and_keeps_nobody_alive(&test.store).await;
        let test = TestStore::sqlite().await;
        what_a_clock_that_was_ahead_has_written_keeps_nobody_alive(&test.store).await;
    }

    #[tokio::test]
    async fn on_postgresql() {
        let test = TestStore::postgres().await;
        a_clock_that_is_wrong_makes_nobody_dead_and_keeps_nobody_alive(&test.store).await;
        let test = TestStore::postgres().await;
        what_a_clock_that_was_ahead_has_written_keeps_nobody_alive(&test.store).await;
    }
}
