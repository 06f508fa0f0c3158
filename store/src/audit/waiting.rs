//! Messages that have been waiting to leave for far too long.

use std::time::Duration;

use super::{
    Look, Outcome,
    finding::{Finding, Kind, Resource, age},
};
use crate::{Result, Store, Tx, row::Columns};

/// What can leave does so within milliseconds, and within seconds after the broker came back.
const LONG: Duration = Duration::from_secs(600);

const WAITING: &str = "SELECT routing_key, COUNT(*) AS n, MIN(made_at) AS oldest FROM outbox \
     WHERE made_at < $1 GROUP BY routing_key ORDER BY routing_key";

pub(super) async fn find(store: &Store, look: &Look) -> Result<Vec<Finding>> {
    if !look.bus_is_well {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    let rows = sqlx::query(WAITING)
        .bind(look.before(LONG))
        .fetch_all(store.pool())
        .await?;
    for row in rows {
        let oldest = age(look, row.time("oldest")?);
        findings.push(Finding {
            kind: Kind::MessageWaits,
            resource: Resource::Messages(row.text("routing_key")?),
            found: format!("{} wait, the oldest for {oldest}", row.number("n")?),
            expected: "messages that leave within seconds".to_owned(),
            repair: "drop them; what they were about is in the rows, and is said again where it still holds"
                .to_owned(),
        });
    }
    Ok(findings)
}

pub(super) async fn repair(tx: &mut Tx, key: &str, look: &Look) -> Result<Outcome> {
    let done = sqlx::query("DELETE FROM outbox WHERE routing_key = $1 AND made_at < $2")
        .bind(key.to_owned())
        .bind(look.before(LONG))
        .execute(tx.conn())
        .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Gone,
        dropped => Outcome::Repaired(format!("{dropped} dropped")),
    })
}
