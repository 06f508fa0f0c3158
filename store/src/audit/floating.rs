//! Floating IPs that lead to a port that is not there.

use skybus_model::{
    Timestamp,
    id::{FloatingIpId, PortId},
};

use super::{
    Look, Outcome,
    finding::{Finding, Kind, Resource},
};
use crate::{Engine, Result, Store, Tx, networks::floating, row::Columns};

const ASTRAY: &str = "SELECT f.id, f.port FROM floating_ips f LEFT JOIN ports p ON p.id = f.port \
     WHERE f.port IS NOT NULL AND p.id IS NULL ORDER BY f.id";

pub(super) async fn find(store: &Store, _: &Look) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for row in sqlx::query(ASTRAY).fetch_all(store.pool()).await? {
        let port: PortId = row.word("port")?;
        findings.push(Finding {
            kind: Kind::FloatingIpAstray,
            resource: Resource::FloatingIp(row.word("id")?),
            found: format!("it leads to port {port}, which has no row"),
            expected: "a port that is there, or none".to_owned(),
            repair: "let it lead nowhere; its project keeps it".to_owned(),
        });
    }
    Ok(findings)
}

pub(super) async fn repair(tx: &mut Tx, id: FloatingIpId) -> Result<Outcome> {
    // Whoever leads it elsewhere holds this row. Only with it locked is the port looked for.
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT id FROM floating_ips WHERE id = $1 FOR UPDATE")
            .bind(id.to_string())
            .fetch_optional(tx.conn())
            .await?;
    }
    let done = sqlx::query(
        "UPDATE floating_ips SET port = NULL, updated_at = $2 WHERE id = $1 AND port IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM ports WHERE ports.id = floating_ips.port)",
    )
    .bind(id.to_string())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(Outcome::Gone);
    }
    let address = floating::get(tx.conn(), id, crate::networks::Scope::Everything)
        .await?
        .address;
    Ok(Outcome::Repaired(format!("{address} leads nowhere now")))
}
