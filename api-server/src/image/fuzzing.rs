//! Doors for the targets in `fuzz/`: image headers, ranges, changes and the conditions of a list.

use serde_json::Value;
use skybus_model::{
    Timestamp,
    id::{ImageId, ProjectId},
    image::{DiskFormat, ImageStatus, Visibility},
};
use skybus_store::images::Image;

use super::{
    content,
    download::{self, Wanted},
    filters::Filters,
    patch,
};
use crate::http::{Error, Params};

/// The size of the disk in an image of `size` bytes that begin with `head`; `None` when it is refused.
#[must_use]
pub fn disk_size(format: DiskFormat, head: &[u8], size: u64) -> Option<u64> {
    let head = head.get(..content::HEAD).unwrap_or(head);
    content::check(format, head, size).ok()
}

/// The first and last byte that the header asks for, of `size`: all of them when it says nothing that is
/// understood, `None` when there are none.
#[must_use]
pub fn range(header: &str, size: u64) -> Option<(u64, u64)> {
    match download::wanted(header, size) {
        Wanted::Whole => Some((0, size.saturating_sub(1))),
        Wanted::Part(from, to) => Some((from, to)),
        Wanted::Nothing => None,
    }
}

/// The keys that a list of changes names, in one dialect or the older one.
///
/// # Errors
/// As a client would hear it.
pub fn changes(body: &Value, old_dialect: bool) -> Result<Vec<String>, Error> {
    let changes = patch::read(body, old_dialect)?;
    Ok(changes.into_iter().map(|change| change.key).collect())
}

/// Whether a list with these conditions shows one plain image.
///
/// # Errors
/// As a client would hear it.
pub fn lists(params: &Params) -> Result<bool, Error> {
    Ok(Filters::read(params)?.show(&plain()))
}

fn plain() -> Image {
    Image {
        id: ImageId::from_uuid(uuid::Uuid::from_u128(1)),
        project: ProjectId::from_uuid(uuid::Uuid::from_u128(2)),
        name: Some("plain".to_owned()),
        status: ImageStatus::Active,
        visibility: Visibility::Private,
        disk_format: Some(DiskFormat::Raw),
        container_format: Some("bare".to_owned()),
        min_disk: 0,
        min_ram: 0,
        protected: false,
        hidden: false,
        size: Some(4096),
        virtual_size: Some(4096),
        md5: None,
        sha512: None,
        tags: vec!["tag".to_owned()],
        properties: [("key".to_owned(), "value".to_owned())].into(),
        created_at: Timestamp(1),
        updated_at: Timestamp(2),
    }
}
