//! Making, changing and deleting images.

use skybus_model::{
    Timestamp,
    id::{ImageId, ProjectId},
    image::{ImageStatus, Visibility},
};

use super::{Image, Scope, get};
use crate::{Error, Result, Tx, row::to_json};

/// What an image is made from: everything that its owner says; its bytes come later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImage {
    /// The id that it must have; otherwise a random one.
    pub id: Option<ImageId>,
    /// The image as its owner describes it. Status, sizes, sums and times are not looked at.
    pub described: Image,
}

impl Image {
    /// An image of `project` of which nothing is known yet.
    #[must_use]
    pub fn blank(project: ProjectId) -> Self {
        let now = Timestamp::now();
        Self {
            id: ImageId::random(),
            project,
            name: None,
            status: ImageStatus::Queued,
            visibility: Visibility::Shared,
            disk_format: None,
            container_format: None,
            min_disk: 0,
            min_ram: 0,
            protected: false,
            hidden: false,
            size: None,
            virtual_size: None,
            md5: None,
            sha512: None,
            tags: Vec::new(),
            properties: std::collections::BTreeMap::new(),
            created_at: now,
            updated_at: now,
        }
    }
}

/// Makes an image without bytes.
///
/// # Errors
/// [`Error::Conflict`] when the wanted id is, or was, another image's.
pub async fn create(tx: &mut Tx, new: NewImage) -> Result<Image> {
    let image = new.described;
    let id = new.id.unwrap_or(image.id);
    let done = sqlx::query(
        "INSERT INTO images (id, project, name, status, visibility, disk_format, \
         container_format, min_disk, min_ram, protected, hidden, tags, properties, created_at, \
         updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(image.project.to_string())
    .bind(image.name)
    .bind(ImageStatus::Queued.as_str())
    .bind(image.visibility.as_str())
    .bind(image.disk_format.map(|format| format.as_str().to_owned()))
    .bind(image.container_format)
    .bind(image.min_disk)
    .bind(image.min_ram)
    .bind(i64::from(image.protected))
    .bind(i64::from(image.hidden))
    .bind(to_json(&image.tags))
    .bind(to_json(&image.properties))
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::Conflict(format!("Image ID {id} already exists!")));
    }
    get(tx.conn(), id, Scope::Everything).await
}

/// Writes everything of `image` that its owner may change.
///
/// # Errors
/// [`Error::NotFound`] when it was deleted meanwhile.
pub async fn update(tx: &mut Tx, image: &Image) -> Result<Image> {
    let done = sqlx::query(
        "UPDATE images SET name = $2, visibility = $3, disk_format = $4, container_format = $5, \
         min_disk = $6, min_ram = $7, protected = $8, hidden = $9, tags = $10, properties = $11, \
         project = $12, updated_at = $13 WHERE id = $1 AND deleted_at IS NULL",
    )
    .bind(image.id.to_string())
    .bind(image.name.clone())
    .bind(image.visibility.as_str())
    .bind(image.disk_format.map(|format| format.as_str().to_owned()))
    .bind(image.container_format.clone())
    .bind(image.min_disk)
    .bind(image.min_ram)
    .bind(i64::from(image.protected))
    .bind(i64::from(image.hidden))
    .bind(to_json(&image.tags))
    .bind(to_json(&image.properties))
    .bind(image.project.to_string())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound(format!("image {}", image.id)));
    }
    get(tx.conn(), image.id, Scope::Everything).await
}

/// Deletes an image. The row stays, so that its id is not used again; the caller removes the file.
///
/// # Errors
/// [`Error::NotFound`] when it was deleted before.
pub async fn delete(tx: &mut Tx, id: ImageId) -> Result<()> {
    let done = sqlx::query(
        "UPDATE images SET status = $2, upload = NULL, upload_beat = NULL, deleted_at = $3, \
         updated_at = $3 WHERE id = $1 AND deleted_at IS NULL",
    )
    .bind(id.to_string())
    .bind(ImageStatus::Deleted.as_str())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound(format!("image {id}")));
    }
    Ok(())
}
