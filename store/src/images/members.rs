//! The projects that an image is shared with.

use skybus_model::{
    Timestamp,
    id::{ImageId, ProjectId},
};
use sqlx::{Any, Executor, any::AnyRow};

use crate::{Error, Result, Tx, row::Columns};

/// What a member may say to an image that was shared with it.
pub const STATUSES: [&str; 3] = ["pending", "accepted", "rejected"];

/// A project that an image is shared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The image.
    pub image: ImageId,
    /// The project.
    pub project: ProjectId,
    /// One of [`STATUSES`]; only what is accepted shows in the member's lists.
    pub status: String,
    /// When it was shared.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

fn read(row: &AnyRow) -> Result<Member> {
    Ok(Member {
        image: row.word("image")?,
        project: row.word("member")?,
        status: row.text("status")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Shares an image with a project.
///
/// # Errors
/// [`Error::Conflict`] when it is shared with it already.
pub async fn add(tx: &mut Tx, image: ImageId, project: ProjectId) -> Result<Member> {
    let done = sqlx::query(
        "INSERT INTO image_members (image, member, status, created_at, updated_at) \
         VALUES ($1, $2, 'pending', $3, $3) ON CONFLICT DO NOTHING",
    )
    .bind(image.to_string())
    .bind(project.to_string())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        let text = format!("image {image} is shared with project {project} already");
        return Err(Error::Conflict(text));
    }
    get(tx.conn(), image, project).await
}

/// One member.
///
/// # Errors
/// [`Error::NotFound`] when the image is not shared with that project.
pub async fn get<'e, D>(db: D, image: ImageId, project: ProjectId) -> Result<Member>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query("SELECT * FROM image_members WHERE image = $1 AND member = $2")
        .bind(image.to_string())
        .bind(project.to_string())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::NotFound(format!("member {project} of image {image}")))
}

/// The members of an image, oldest first.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list<'e, D>(db: D, image: ImageId) -> Result<Vec<Member>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query("SELECT * FROM image_members WHERE image = $1 ORDER BY created_at, member")
        .bind(image.to_string())
        .fetch_all(db)
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Sets what a member says to an image.
///
/// # Errors
/// [`Error::NotFound`] when the image is not shared with that project.
pub async fn answer(
    tx: &mut Tx,
    image: ImageId,
    project: ProjectId,
    status: &str,
) -> Result<Member> {
    sqlx::query(
        "UPDATE image_members SET status = $3, updated_at = $4 WHERE image = $1 AND member = $2",
    )
    .bind(image.to_string())
    .bind(project.to_string())
    .bind(status.to_owned())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    get(tx.conn(), image, project).await
}

/// Shares an image with a project no longer.
///
/// # Errors
/// [`Error::NotFound`] when it was not.
pub async fn remove(tx: &mut Tx, image: ImageId, project: ProjectId) -> Result<()> {
    let done = sqlx::query("DELETE FROM image_members WHERE image = $1 AND member = $2")
        .bind(image.to_string())
        .bind(project.to_string())
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound(format!(
            "member {project} of image {image}"
        )));
    }
    Ok(())
}
