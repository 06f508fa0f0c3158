//! What an image's bytes really are. A guest's owner wrote them, so nothing in them is believed.
//!
//! The danger is a header that makes the host read something else: a qcow2 file that names another file
//! as its backing or data file, or a "raw" image that is really a qcow2 file and is once opened as one.
//! Only the header is read, and only here; everything that is not understood is refused.

mod qcow2;

use skybus_model::image::DiskFormat;

/// So many bytes of the beginning are looked at.
pub(super) const HEAD: usize = 4096;
/// The largest disk that an image may describe: 16 TiB.
const MOST_VIRTUAL: u64 = 16 << 40;

/// Why bytes are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the upload is empty")]
    Empty,
    #[error(
        "disk_format is raw, but the bytes are {0}; set the right disk_format, or convert them"
    )]
    NotRaw(&'static str),
    #[error("disk_format is raw, but the bytes are compressed with {0}; decompress them first")]
    Compressed(&'static str),
    #[error("disk_format is qcow2, but the bytes do not begin with a qcow2 header")]
    NotQcow2,
    #[error("the qcow2 header is damaged: {0}")]
    Damaged(&'static str),
    #[error(
        "the qcow2 image {0}; that is not allowed, because it would read other files of the host"
    )]
    Reaches(&'static str),
    #[error("the qcow2 image uses {0}, which is not supported")]
    Unsupported(&'static str),
}

/// The size of the disk that is in an image of `size` bytes which begin with `head`.
pub(super) fn check(format: DiskFormat, head: &[u8], size: u64) -> Result<u64, Refused> {
    if size == 0 {
        return Err(Refused::Empty);
    }
    match format {
        DiskFormat::Raw => raw(head, size),
        DiskFormat::Qcow2 => qcow2::check(head, size),
    }
}

/// Beginnings that a raw disk does not have.
const KNOWN: &[(usize, &[u8], &str)] = &[
    (0, b"QFI\xfb", "a qcow2 image"),
    (0, b"QED\0", "a QED image"),
    (0, b"KDMV", "a VMDK image"),
    (0, b"COWD", "a VMDK image"),
    (0, b"# Disk DescriptorFile", "a VMDK descriptor"),
    (0, b"vhdxfile", "a VHDX image"),
    (0, b"conectix", "a VHD image"),
    (0, b"LUKS\xba\xbe", "an encrypted volume"),
    (64, b"\x7f\x10\xda\xbe", "a VDI image"),
];

const PACKED: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
];

fn raw(head: &[u8], size: u64) -> Result<u64, Refused> {
    for (at, magic, what) in KNOWN {
        if head.get(*at..).is_some_and(|rest| rest.starts_with(magic)) {
            return Err(Refused::NotRaw(what));
        }
    }
    for (magic, what) in PACKED {
        if head.starts_with(magic) {
            return Err(Refused::Compressed(what));
        }
    }
    // A disk has whole sectors.
    Ok(size.next_multiple_of(512))
}

#[cfg(test)]
mod tests;
