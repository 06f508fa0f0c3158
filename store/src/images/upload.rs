//! The arrival of an image's bytes: queued, saving, active; or back to queued.

use std::time::Duration;

use skybus_model::{Timestamp, id::ImageId, image::ImageStatus};

use crate::{Error, Result, Tx, row::Columns};

/// How often an upload shows that it is alive.
pub const BEAT_EVERY: Duration = Duration::from_secs(10);
/// After so long without a sign of life an upload's process is taken for dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(90);

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Bytes.
    pub size: i64,
    /// The size of the disk that is in them, in bytes.
    pub virtual_size: i64,
    /// Their MD5, in hexadecimal.
    pub md5: String,
    /// Their SHA-512, in hexadecimal.
    pub sha512: String,
}

/// Begins an upload under a name of its own.
///
/// # Errors
/// [`Error::Conflict`] when the image has bytes already, or they are arriving.
pub async fn begin(tx: &mut Tx, id: ImageId, upload: &str) -> Result<()> {
    let done = sqlx::query(
        "UPDATE images SET status = $3, upload = $2, upload_beat = $4, updated_at = $4 \
         WHERE id = $1 AND status = $5 AND deleted_at IS NULL",
    )
    .bind(id.to_string())
    .bind(upload.to_owned())
    .bind(ImageStatus::Saving.as_str())
    .bind(Timestamp::now().micros())
    .bind(ImageStatus::Queued.as_str())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    let row = sqlx::query("SELECT status FROM images WHERE id = $1 AND deleted_at IS NULL")
        .bind(id.to_string())
        .fetch_optional(tx.conn())
        .await?
        .ok_or_else(|| Error::NotFound(format!("image {id}")))?;
    let status = row.text("status")?;
    Err(Error::Conflict(format!(
        "the bytes of image {id} cannot be uploaded: its status is {status}, and it must be queued"
    )))
}

/// Shows that an upload is alive. `false` when it is no longer wanted: the image was deleted, or the
/// upload was given up.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn beat(tx: &mut Tx, id: ImageId, upload: &str) -> Result<bool> {
    let done = sqlx::query("UPDATE images SET upload_beat = $3 WHERE id = $1 AND upload = $2")
        .bind(id.to_string())
        .bind(upload.to_owned())
        .bind(Timestamp::now().micros())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends an upload: the bytes are there. `false` when it is no longer wanted.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn finish(tx: &mut Tx, id: ImageId, upload: &str, arrived: &Arrived) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE images SET status = $3, size = $4, virtual_size = $5, md5 = $6, sha512 = $7, \
         upload = NULL, upload_beat = NULL, updated_at = $8 WHERE id = $1 AND upload = $2",
    )
    .bind(id.to_string())
    .bind(upload.to_owned())
    .bind(ImageStatus::Active.as_str())
    .bind(arrived.size)
    .bind(arrived.virtual_size)
    .bind(arrived.md5.clone())
    .bind(arrived.sha512.clone())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends an upload of which nothing is kept: the image waits for its bytes again.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn give_up(tx: &mut Tx, id: ImageId, upload: &str) -> Result<()> {
    sqlx::query(
        "UPDATE images SET status = $3, upload = NULL, upload_beat = NULL, updated_at = $4 \
         WHERE id = $1 AND upload = $2",
    )
    .bind(id.to_string())
    .bind(upload.to_owned())
    .bind(ImageStatus::Queued.as_str())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives up the uploads that showed no life since `before`. Returns how many.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn give_up_dead(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE images SET status = $2, upload = NULL, upload_beat = NULL, updated_at = $3 \
         WHERE upload IS NOT NULL AND upload_beat < $1",
    )
    .bind(before.micros())
    .bind(ImageStatus::Queued.as_str())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
