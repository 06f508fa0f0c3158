//! Finding images: those of a project, those that are public, those that were shared with it.

use skybus_model::{
    id::ImageId,
    image::{ImageStatus, Visibility},
};
use sqlx::{Any, Executor};

use super::{Image, Scope, row::read};
use crate::{Error, Result};

/// One image, if it may be seen. A community image is seen by everyone who knows its id, a shared one
/// by every member, accepted or not.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is someone else's.
pub async fn get<'e, D>(db: D, id: ImageId, scope: Scope) -> Result<Image>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(
        "SELECT * FROM images WHERE id = $1 AND deleted_at IS NULL AND ($2 = '' OR project = $2 \
         OR visibility IN ('public', 'community') OR (visibility = 'shared' AND EXISTS \
         (SELECT 1 FROM image_members m WHERE m.image = images.id AND m.member = $2)))",
    )
    .bind(id.to_string())
    .bind(scope.filter())
    .fetch_optional(db)
    .await?
    .as_ref()
    .map(read)
    .transpose()?
    .ok_or_else(|| Error::NotFound(format!("image {id}")))
}

/// The images that a list may show, oldest first: the project's own, the public ones, those shared with
/// it under `member_status` (`all` for any), and community images only where they are asked for.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list<'e, D>(
    db: D,
    scope: Scope,
    visibility: Option<Visibility>,
    member_status: &str,
) -> Result<Vec<Image>>
where
    D: Executor<'e, Database = Any>,
{
    let visibility = visibility.map_or("", Visibility::as_str);
    sqlx::query(
        "SELECT * FROM images WHERE deleted_at IS NULL AND ($2 = '' OR visibility = $2) \
         AND ($1 = '' OR project = $1 OR visibility = 'public' \
         OR (visibility = 'community' AND $2 = 'community') \
         OR (visibility = 'shared' AND EXISTS (SELECT 1 FROM image_members m \
         WHERE m.image = images.id AND m.member = $1 AND ($3 = 'all' OR m.status = $3)))) \
         ORDER BY created_at, id",
    )
    .bind(scope.filter())
    .bind(visibility)
    .bind(member_status.to_owned())
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Whether the bytes of an image belong to a row: the file of one that does not may go.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn has_bytes<'e, D>(db: D, id: ImageId) -> Result<bool>
where
    D: Executor<'e, Database = Any>,
{
    match get(db, id, Scope::Everything).await {
        // A file is put into its place shortly before the row says that it is there.
        Ok(image) => Ok(matches!(
            image.status,
            ImageStatus::Active | ImageStatus::Saving
        )),
        Err(Error::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
