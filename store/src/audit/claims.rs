//! What is claimed of a host, against the servers that are on it.

use skybus_model::{HostName, host::Resources};
use sqlx::any::AnyRow;

use super::{
    Look, Outcome,
    finding::{Finding, Kind, Resource},
};
use crate::{Engine, Result, Store, Tx, row::Columns};

/// Hosts and the sums over their servers, in one statement: a claim changes with its server, so that what
/// one statement sees fits, however busy the cloud is.
macro_rules! sums {
    ($rest:literal) => {
        concat!(
            "SELECT h.name, h.servers, h.used_vcpus, h.used_ram_mib, h.used_disk_gib, COUNT(s.id) AS n, \
             CAST(COALESCE(SUM(s.vcpus), 0) AS BIGINT) AS vcpus, \
             CAST(COALESCE(SUM(s.ram_mib), 0) AS BIGINT) AS ram_mib, \
             CAST(COALESCE(SUM(s.disk_gib), 0) AS BIGINT) AS disk_gib \
             FROM hosts h LEFT JOIN servers s ON s.host = h.name AND s.deleted_at IS NULL ",
            $rest,
            " GROUP BY h.name, h.servers, h.used_vcpus, h.used_ram_mib, h.used_disk_gib ORDER BY h.name"
        )
    };
}

struct Sums {
    host: HostName,
    claimed: (i64, Resources),
    there: (i64, Resources),
}

fn read(row: &AnyRow) -> Result<Sums> {
    Ok(Sums {
        host: row.word("name")?,
        claimed: (
            row.number("servers")?,
            Resources {
                vcpus: row.number("used_vcpus")?,
                ram_mib: row.number("used_ram_mib")?,
                disk_gib: row.number("used_disk_gib")?,
            },
        ),
        there: (
            row.number("n")?,
            Resources {
                vcpus: row.number("vcpus")?,
                ram_mib: row.number("ram_mib")?,
                disk_gib: row.number("disk_gib")?,
            },
        ),
    })
}

fn words((servers, sum): (i64, Resources)) -> String {
    let Resources {
        vcpus,
        ram_mib,
        disk_gib,
    } = sum;
    format!("{servers} servers, {vcpus} vCPUs, {ram_mib} MiB, {disk_gib} GiB")
}

pub(super) async fn find(store: &Store, _: &Look) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for row in sqlx::query(sums!("")).fetch_all(store.pool()).await? {
        let sums = read(&row)?;
        if sums.claimed != sums.there {
            findings.push(Finding {
                kind: Kind::ClaimDrift,
                resource: Resource::Host(sums.host),
                found: format!("claimed: {}", words(sums.claimed)),
                expected: format!("the sum of its servers: {}", words(sums.there)),
                repair: "write the sum of its servers".to_owned(),
            });
        }
    }
    Ok(findings)
}

pub(super) async fn repair(tx: &mut Tx, host: &HostName) -> Result<Outcome> {
    // Whoever claims or gives back holds this row until it commits. Only with it locked is it added up.
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT name FROM hosts WHERE name = $1 FOR UPDATE")
            .bind(host.as_str())
            .fetch_optional(tx.conn())
            .await?;
    }
    let row = sqlx::query(sums!("WHERE h.name = $1"))
        .bind(host.as_str())
        .fetch_optional(tx.conn())
        .await?;
    let Some(sums) = row.as_ref().map(read).transpose()? else {
        return Ok(Outcome::Gone);
    };
    if sums.claimed == sums.there {
        return Ok(Outcome::Gone);
    }
    let (servers, sum) = sums.there;
    sqlx::query(
        "UPDATE hosts SET servers = $2, used_vcpus = $3, used_ram_mib = $4, used_disk_gib = $5 \
         WHERE name = $1",
    )
    .bind(host.as_str())
    .bind(servers)
    .bind(sum.vcpus)
    .bind(sum.ram_mib)
    .bind(sum.disk_gib)
    .execute(tx.conn())
    .await?;
    Ok(Outcome::Repaired(format!(
        "claimed is now: {}",
        words(sums.there)
    )))
}
