//! Worker processes as operators see them: enabled or not, and when they were last heard.

use skybus_model::{
    HostName, Timestamp,
    id::ServiceId,
    message::heartbeat::{DOWN_AFTER, HostBeat},
};
use sqlx::any::AnyRow;

use crate::{Error, Result, Store, Tx, row::Columns};

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
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn is_down(tx: &mut Tx, host: &HostName, service: &str) -> Result<bool> {
    let now = Timestamp::now();
    let Some(found) = find(tx, host, service).await? else {
        return Ok(true);
    };
    if found.forced_down || found.is_up(now) {
        return Ok(found.forced_down);
    }
    let heard: Option<i64> =
        sqlx::query_scalar("SELECT MAX(last_seen) FROM services WHERE service = $1")
            .bind(SCHEDULER)
            .fetch_one(tx.conn())
            .await?;
    Ok(heard.is_some_and(|heard| now.since(Timestamp(heard)) < DOWN_AFTER))
}

/// Notes that a service was heard.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn heard(tx: &mut Tx, beat: &HostBeat, at: Timestamp) -> Result<()> {
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
