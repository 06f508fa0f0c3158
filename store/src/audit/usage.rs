//! What projects and users are said to use, against what they have.

use sqlx::any::AnyRow;

use super::{
    Look, Outcome,
    finding::{Finding, Kind, Resource},
};
use crate::{Engine, Result, Store, Tx, compute::quotas, row::Columns};

/// Use as it is counted and as it is, in one statement: both change together, so that what one statement
/// sees fits.
macro_rules! sums {
    ($having:literal) => {
        concat!(
            "SELECT holder, resource, CAST(SUM(counted) AS BIGINT) AS used, \
             CAST(SUM(there) AS BIGINT) AS there FROM (\
             SELECT project AS holder, resource, used AS counted, 0 AS there FROM quota_usage \
             WHERE resource IN ('instances', 'cores', 'ram', 'key_pairs', 'floating_ips') \
             UNION ALL SELECT project, 'instances', 0, COUNT(*) FROM servers \
             WHERE deleted_at IS NULL GROUP BY project \
             UNION ALL SELECT project, 'cores', 0, SUM(vcpus) FROM servers \
             WHERE deleted_at IS NULL GROUP BY project \
             UNION ALL SELECT project, 'ram', 0, SUM(ram_mib) FROM servers \
             WHERE deleted_at IS NULL GROUP BY project \
             UNION ALL SELECT owner, 'key_pairs', 0, COUNT(*) FROM keypairs GROUP BY owner \
             UNION ALL SELECT project, 'floating_ips', 0, COUNT(*) FROM floating_ips GROUP BY project\
             ) AS sums GROUP BY holder, resource HAVING ",
            $having,
            " ORDER BY holder, resource"
        )
    };
}

fn numbers(row: &AnyRow) -> Result<(i64, i64)> {
    Ok((row.number("used")?, row.number("there")?))
}

pub(super) async fn find(store: &Store, _: &Look) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let rows = sqlx::query(sums!("SUM(counted) <> SUM(there)"))
        .fetch_all(store.pool())
        .await?;
    for row in rows {
        let Some(resource) = quotas::Resource::named(&row.text("resource")?) else {
            continue;
        };
        let (used, there) = numbers(&row)?;
        findings.push(Finding {
            kind: Kind::QuotaDrift,
            resource: Resource::Usage(row.text("holder")?, resource),
            found: format!("{used} {resource} counted as used"),
            expected: format!("{there}, which is what there is"),
            repair: format!("count {there} as used"),
        });
    }
    Ok(findings)
}

pub(super) async fn repair(
    tx: &mut Tx,
    holder: &str,
    resource: quotas::Resource,
) -> Result<Outcome> {
    sqlx::query(
        "INSERT INTO quota_usage (project, resource, used) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING",
    )
    .bind(holder.to_owned())
    .bind(resource.as_str())
    .execute(tx.conn())
    .await?;
    // Whoever takes or gives back holds this row until it commits. Only with it locked is it added up.
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT used FROM quota_usage WHERE project = $1 AND resource = $2 FOR UPDATE")
            .bind(holder.to_owned())
            .bind(resource.as_str())
            .fetch_one(tx.conn())
            .await?;
    }
    let row = sqlx::query(sums!("holder = $1 AND resource = $2"))
        .bind(holder.to_owned())
        .bind(resource.as_str())
        .fetch_one(tx.conn())
        .await?;
    let (used, there) = numbers(&row)?;
    if used == there {
        return Ok(Outcome::Gone);
    }
    sqlx::query("UPDATE quota_usage SET used = $3 WHERE project = $1 AND resource = $2")
        .bind(holder.to_owned())
        .bind(resource.as_str())
        .bind(there)
        .execute(tx.conn())
        .await?;
    Ok(Outcome::Repaired(format!(
        "{there} {resource} are counted as used now, not {used}"
    )))
}
