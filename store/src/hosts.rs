//! Compute hosts: what they have, what of it is claimed, and the claim itself.
//!
//! A server's claim is its row's `host`; the sums in `hosts` are kept in the same transactions, so that
//! claiming is one compare-and-set statement and any number of schedulers can run side by side.

use skybus_model::{HostName, Timestamp, host::Resources};
use sqlx::{AssertSqlSafe, any::AnyRow};

use crate::{
    Engine, Result, Store, Tx, machines,
    row::{Columns, places},
    services::{self, Service},
};

/// A compute host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// Its availability zone.
    pub zone: String,
    /// `kvm`, `tcg` or `fake`.
    pub hypervisor: String,
    /// Its agent's version.
    pub version: String,
    /// What it has.
    pub capacity: Resources,
    /// What is claimed.
    pub used: Resources,
    /// How many servers claim it.
    pub servers: i64,
}

/// How much may be claimed of each resource, in thousandths of the capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratios {
    /// Virtual CPUs.
    pub vcpus: i64,
    /// Memory.
    pub ram: i64,
    /// Disk.
    pub disk: i64,
}

fn read(row: &AnyRow) -> Result<Host> {
    Ok(Host {
        name: row.word("name")?,
        zone: row.text("zone")?,
        hypervisor: row.text("hypervisor")?,
        version: row.text("version")?,
        capacity: Resources {
            vcpus: row.number("vcpus")?,
            ram_mib: row.number("ram_mib")?,
            disk_gib: row.number("disk_gib")?,
        },
        used: Resources {
            vcpus: row.number("used_vcpus")?,
            ram_mib: row.number("used_ram_mib")?,
            disk_gib: row.number("used_disk_gib")?,
        },
        servers: row.number("servers")?,
    })
}

/// All hosts, by name.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn all(store: &Store) -> Result<Vec<Host>> {
    let rows = sqlx::query("SELECT * FROM hosts ORDER BY name")
        .fetch_all(store.pool())
        .await?;
    rows.iter().map(read).collect()
}

/// A host as its servers' owners and operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub host: HostName,
    /// Its availability zone.
    pub zone: String,
    /// Its compute worker, once that was heard.
    pub compute: Option<Service>,
}

/// How the named hosts stand.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn standing(store: &Store, hosts: &[HostName]) -> Result<Vec<Standing>> {
    if hosts.is_empty() {
        return Ok(Vec::new());
    }
    let text = format!(
        "SELECT hosts.name, hosts.zone AS host_zone, services.* FROM hosts \
         LEFT JOIN services ON services.host = hosts.name AND services.service = 'compute' \
         WHERE hosts.name IN ({})",
        places(1..=hosts.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(text));
    for host in hosts {
        query = query.bind(host.to_string());
    }
    let rows = query.fetch_all(store.pool()).await?;
    rows.iter()
        .map(|row| {
            let heard = row.maybe_text("host")?.is_some();
            Ok(Standing {
                host: row.word("name")?,
                zone: row.text("host_zone")?,
                compute: heard.then(|| services::read(row)).transpose()?,
            })
        })
        .collect()
}

/// Writes what a host says of itself; what is claimed of it stays. One of a machine that is being removed, or
/// was, counts for nothing.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn register(tx: &mut Tx, host: &Host) -> Result<()> {
    let known = sqlx::query(
        "UPDATE hosts SET zone = $2, hypervisor = $3, version = $4, vcpus = $5, ram_mib = $6, disk_gib = $7 \
         WHERE name = $1",
    )
    .bind(host.name.as_str())
    .bind(host.zone.clone())
    .bind(host.hypervisor.clone())
    .bind(host.version.clone())
    .bind(host.capacity.vcpus)
    .bind(host.capacity.ram_mib)
    .bind(host.capacity.disk_gib)
    .execute(tx.conn())
    .await?;
    if known.rows_affected() == 1 || !machines::may_speak(tx, &host.name).await? {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO hosts (name, zone, hypervisor, version, vcpus, ram_mib, disk_gib, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO UPDATE SET \
         zone = excluded.zone, hypervisor = excluded.hypervisor, version = excluded.version, \
         vcpus = excluded.vcpus, ram_mib = excluded.ram_mib, disk_gib = excluded.disk_gib",
    )
    .bind(host.name.as_str())
    .bind(host.zone.clone())
    .bind(host.hypervisor.clone())
    .bind(host.version.clone())
    .bind(host.capacity.vcpus)
    .bind(host.capacity.ram_mib)
    .bind(host.capacity.disk_gib)
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Claims `wanted` on a host if it still fits and an operator has not closed the host; whether it did.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn claim(
    tx: &mut Tx,
    host: &HostName,
    wanted: Resources,
    ratios: Ratios,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE hosts SET used_vcpus = used_vcpus + $2, used_ram_mib = used_ram_mib + $3, \
         used_disk_gib = used_disk_gib + $4, servers = servers + 1 WHERE name = $1 \
         AND (used_vcpus + $2) * 1000 <= vcpus * $5 \
         AND (used_ram_mib + $3) * 1000 <= ram_mib * $6 \
         AND (used_disk_gib + $4) * 1000 <= disk_gib * $7 \
         AND EXISTS (SELECT 1 FROM services WHERE services.host = hosts.name \
         AND service = 'compute' AND enabled = 1 AND forced_down = 0)",
    )
    .bind(host.as_str())
    .bind(wanted.vcpus)
    .bind(wanted.ram_mib)
    .bind(wanted.disk_gib)
    .bind(ratios.vcpus)
    .bind(ratios.ram)
    .bind(ratios.disk)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a claim back.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn release(tx: &mut Tx, host: &HostName, claimed: Resources) -> Result<()> {
    sqlx::query(
        "UPDATE hosts SET used_vcpus = used_vcpus - $2, used_ram_mib = used_ram_mib - $3, \
         used_disk_gib = used_disk_gib - $4, servers = servers - 1 WHERE name = $1",
    )
    .bind(host.as_str())
    .bind(claimed.vcpus)
    .bind(claimed.ram_mib)
    .bind(claimed.disk_gib)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes other changes of a host's claims wait for this transaction. SQLite has one writer anyway.
pub(crate) async fn lock(tx: &mut Tx, host: &HostName) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT name FROM hosts WHERE name = $1 FOR UPDATE")
            .bind(host.as_str())
            .fetch_optional(tx.conn())
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
