//! The header of a qcow2 file, as QEMU's `docs/interop/qcow2.txt` lays it out.

use super::{MOST_VIRTUAL, Refused};

const MAGIC: &[u8] = b"QFI\xfb";
/// QEMU's own bound on the first-level table.
const MOST_L1: u64 = 32 << 20;
const CORRUPT: u64 = 1 << 1;
const DATA_FILE: u64 = 1 << 2;
const EXTENDED_L2: u64 = 1 << 4;
/// Dirty, corrupt, data file, compression type, extended L2 entries.
const KNOWN_FEATURES: u64 = 0b1_1111;
const END: u32 = 0;
const DATA_FILE_NAME: u32 = 0x4441_5441;

struct Header<'a>(&'a [u8]);

impl Header<'_> {
    fn u32(&self, at: usize) -> Result<u32, Refused> {
        let bytes = self
            .0
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(u32::from_be_bytes)
            .ok_or(Refused::Damaged("it is cut short"))
    }

    fn u64(&self, at: usize) -> Result<u64, Refused> {
        let bytes = self
            .0
            .get(at..at + 8)
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(u64::from_be_bytes)
            .ok_or(Refused::Damaged("it is cut short"))
    }
}

pub(super) fn check(head: &[u8], size: u64) -> Result<u64, Refused> {
    if !head.starts_with(MAGIC) {
        return Err(Refused::NotQcow2);
    }
    let header = Header(head);
    let version = header.u32(4)?;
    if !(2..=3).contains(&version) {
        return Err(Refused::Unsupported("a version other than 2 or 3"));
    }
    if header.u64(8)? != 0 || header.u32(16)? != 0 {
        return Err(Refused::Reaches("has a backing file"));
    }
    let cluster_bits = header.u32(20)?;
    if !(9..=21).contains(&cluster_bits) {
        return Err(Refused::Damaged("its cluster size is not one that exists"));
    }
    let cluster = 1_u64 << cluster_bits;
    if header.u32(32)? != 0 {
        return Err(Refused::Unsupported("encryption"));
    }
    let features = if version == 3 { header.u64(72)? } else { 0 };
    incompatible(features)?;
    if version == 3 {
        extensions(&header, cluster)?;
    }
    let disk = header.u64(24)?;
    if disk == 0 || disk > MOST_VIRTUAL {
        return Err(Refused::Damaged(
            "its disk has no size, or one above 16 TiB",
        ));
    }
    tables(&header, disk, cluster, features, size)?;
    Ok(disk.next_multiple_of(512))
}

fn incompatible(features: u64) -> Result<(), Refused> {
    if features & DATA_FILE != 0 {
        return Err(Refused::Reaches("keeps its data in another file"));
    }
    if features & CORRUPT != 0 {
        return Err(Refused::Damaged("it is marked as corrupt"));
    }
    if features & !KNOWN_FEATURES != 0 {
        return Err(Refused::Unsupported("a feature that is not known here"));
    }
    Ok(())
}

/// The extensions between the header and the end of the first cluster.
fn extensions(header: &Header<'_>, cluster: u64) -> Result<(), Refused> {
    let length = header.u32(100)?;
    if length < 104 || u64::from(length) > cluster || length % 8 != 0 {
        return Err(Refused::Damaged("its header length does not fit"));
    }
    let mut at = length as usize;
    // The table of feature names is the longest extension that QEMU writes, some 400 bytes. A list
    // that goes on beyond what was read is nobody's honest work.
    while (at as u64) + 8 <= cluster {
        let (kind, length) = (header.u32(at)?, header.u32(at + 4)? as usize);
        match kind {
            END => return Ok(()),
            DATA_FILE_NAME => return Err(Refused::Reaches("names another file for its data")),
            _ => {
                at = at
                    .saturating_add(8)
                    .saturating_add(length.next_multiple_of(8));
            }
        }
    }
    if at as u64 > cluster {
        return Err(Refused::Damaged(
            "one of its extensions is longer than the header",
        ));
    }
    Ok(())
}

/// The first-level and the reference count table lie within the file and are as large as the disk needs.
fn tables(
    header: &Header<'_>,
    disk: u64,
    cluster: u64,
    features: u64,
    size: u64,
) -> Result<(), Refused> {
    let entry = if features & EXTENDED_L2 != 0 { 16 } else { 8 };
    let per_l2 = cluster.saturating_mul(cluster / entry);
    let needed = disk.div_ceil(per_l2).saturating_mul(8);
    let l1 = u64::from(header.u32(36)?).saturating_mul(8);
    if l1 > MOST_L1 || l1 < needed {
        return Err(Refused::Damaged(
            "its first-level table does not fit its disk",
        ));
    }
    let counts = u64::from(header.u32(56)?).saturating_mul(cluster);
    for (offset, length) in [(header.u64(40)?, l1), (header.u64(48)?, counts)] {
        let within = offset.checked_add(length).is_some_and(|end| end <= size);
        if offset < cluster || offset % cluster != 0 || length == 0 || !within {
            return Err(Refused::Damaged(
                "one of its tables lies outside the file; is it cut short?",
            ));
        }
    }
    Ok(())
}
