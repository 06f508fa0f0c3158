//! Servers that have fewer ports than they were accepted with.

use skybus_model::id::ServerId;

use super::{
    Look, Outcome,
    finding::{Finding, Kind, Resource},
};
use crate::{Result, Store, row::Columns};

/// Not one that is being deleted, or was to be: its ports go as its host lets go of them.
const LOST: &str = "SELECT s.id, s.interfaces, COUNT(p.id) AS there FROM servers s \
     LEFT JOIN ports p ON p.server = s.id WHERE s.deleted_at IS NULL AND s.interfaces IS NOT NULL \
     AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.server = s.id AND o.kind = 'delete') \
     GROUP BY s.id, s.interfaces HAVING COUNT(p.id) < s.interfaces ORDER BY s.id";

pub(super) async fn find(store: &Store, _: &Look) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for row in sqlx::query(LOST).fetch_all(store.pool()).await? {
        let id: ServerId = row.word("id")?;
        let (wanted, there) = (row.number("interfaces")?, row.number("there")?);
        findings.push(Finding {
            kind: Kind::ServerWithoutPort,
            resource: Resource::Server(id),
            found: format!("{there} ports"),
            expected: format!("{wanted} ports, as it was accepted with"),
            repair:
                "nothing: no row says which address it had; delete the server and boot it again"
                    .to_owned(),
        });
    }
    Ok(findings)
}

pub(super) fn leave() -> Outcome {
    let text = "no row says which address it had; delete the server and boot it again";
    Outcome::Left(text.to_owned())
}
