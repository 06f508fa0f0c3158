//! An image's row, typed.

use std::collections::BTreeMap;

use skybus_model::{
    Timestamp,
    id::{ImageId, ProjectId},
    image::{DiskFormat, ImageStatus, Visibility},
};
use sqlx::any::AnyRow;

use crate::{Result, row::Columns};

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// The project that it belongs to.
    pub project: ProjectId,
    /// Its name; need not be unique.
    pub name: Option<String>,
    /// Where it is in its life.
    pub status: ImageStatus,
    /// Who may see it.
    pub visibility: Visibility,
    /// What its bytes are. Must be known before they arrive.
    pub disk_format: Option<DiskFormat>,
    /// What they are wrapped in: `bare`, that is nothing.
    pub container_format: Option<String>,
    /// The least disk of a server that is made of it, GiB.
    pub min_disk: i64,
    /// The least memory of a server that is made of it, MiB.
    pub min_ram: i64,
    /// Whether it must not be deleted.
    pub protected: bool,
    /// Whether lists leave it out.
    pub hidden: bool,
    /// Its size in bytes, once they are there.
    pub size: Option<i64>,
    /// The size of the disk that is in it, in bytes.
    pub virtual_size: Option<i64>,
    /// The MD5 of its bytes (`checksum`).
    pub md5: Option<String>,
    /// The SHA-512 of its bytes (`os_hash_value`).
    pub sha512: Option<String>,
    /// Words that its owner put on it, sorted.
    pub tags: Vec<String>,
    /// Further keys and values of its owner.
    pub properties: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

pub(super) fn read(row: &AnyRow) -> Result<Image> {
    Ok(Image {
        id: row.word("id")?,
        project: row.word("project")?,
        name: row.maybe_text("name")?,
        status: row.word("status")?,
        visibility: row.word("visibility")?,
        disk_format: row.maybe_word("disk_format")?,
        container_format: row.maybe_text("container_format")?,
        min_disk: row.number("min_disk")?,
        min_ram: row.number("min_ram")?,
        protected: row.flag("protected")?,
        hidden: row.flag("hidden")?,
        size: row.maybe_number("size")?,
        virtual_size: row.maybe_number("virtual_size")?,
        md5: row.maybe_text("md5")?,
        sha512: row.maybe_text("sha512")?,
        tags: row.json("tags")?,
        properties: row.json("properties")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
