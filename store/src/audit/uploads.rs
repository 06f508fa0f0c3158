//! Images that wait for an upload that nobody makes any more.

use std::time::Duration;

use skybus_model::id::ImageId;

use super::{
    Look, Outcome,
    finding::{Finding, Kind, Resource, age},
};
use crate::{Result, Store, Tx, row::Columns};

/// An API server's sweep gives up an upload much earlier (`images::upload::DEAD_AFTER`).
const LONG: Duration = Duration::from_secs(300);

const DEAD: &str = "SELECT id, upload_beat FROM images WHERE deleted_at IS NULL AND \
     (upload IS NOT NULL AND upload_beat < $1 OR upload IS NULL AND status = 'saving') ORDER BY id";

pub(super) async fn find(store: &Store, look: &Look) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let rows = sqlx::query(DEAD)
        .bind(look.before(LONG))
        .fetch_all(store.pool())
        .await?;
    for row in rows {
        let found = match row.maybe_time("upload_beat")? {
            Some(beat) => format!("its upload has shown no life for {}", age(look, beat)),
            None => "it is said to be uploaded, and no upload is known".to_owned(),
        };
        findings.push(Finding {
            kind: Kind::UploadDead,
            resource: Resource::Image(row.word("id")?),
            found,
            expected: "an image that is queued, and can be uploaded again".to_owned(),
            repair: "give the upload up; the image is queued".to_owned(),
        });
    }
    Ok(findings)
}

pub(super) async fn repair(tx: &mut Tx, image: ImageId, look: &Look) -> Result<Outcome> {
    let done = sqlx::query(
        "UPDATE images SET status = 'queued', upload = NULL, upload_beat = NULL, updated_at = $3 \
         WHERE id = $2 AND deleted_at IS NULL AND \
         (upload IS NOT NULL AND upload_beat < $1 OR upload IS NULL AND status = 'saving')",
    )
    .bind(look.before(LONG))
    .bind(image.to_string())
    .bind(look.now.micros())
    .execute(tx.conn())
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Gone,
        _ => Outcome::Repaired("the image is queued".to_owned()),
    })
}
