//! What an image's first bytes say about it.
//!
//! A QCOW2 file can name other files of the host as its backing or data file; an image that does is
//! refused here, before QEMU ever opens it. Layout: <https://www.qemu.org/docs/master/interop/qcow2.html>.

use std::{fs::File, io::Read, path::Path};

use skybus_model::image::DiskFormat;

const MAGIC: &[u8; 4] = b"QFI\xfb";
/// "The guest's data is in another file."
const EXTERNAL_DATA: u64 = 1 << 2;

/// Why an image cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It does not begin as a QCOW2 file does.
    #[error("it is not a QCOW2 file, although the catalogue says so")]
    NotQcow2,
    /// It would make QEMU open another file of the host.
    #[error("it refers to another file; upload it flattened (qemu-img convert)")]
    RefersElsewhere,
}

/// How large the disk is that the image at `path` holds, in bytes.
///
/// # Errors
/// [`Unusable`] says what is wrong with it.
pub fn disk_size(path: &Path, format: DiskFormat) -> Result<u64, Unusable> {
    let unreadable = |error: std::io::Error| Unusable::Unreadable(error.to_string());
    let mut file = File::open(path).map_err(unreadable)?;
    match format {
        DiskFormat::Raw => Ok(file.metadata().map_err(unreadable)?.len()),
        DiskFormat::Qcow2 => {
            let mut head = Vec::new();
            Read::by_ref(&mut file)
                .take(104)
                .read_to_end(&mut head)
                .map_err(unreadable)?;
            qcow2_size(&head)
        }
    }
}

pub(crate) fn qcow2_size(head: &[u8]) -> Result<u64, Unusable> {
    let word = |at: usize| {
        head.get(at..at + 4)?
            .try_into()
            .ok()
            .map(u32::from_be_bytes)
    };
    let long = |at: usize| {
        head.get(at..at + 8)?
            .try_into()
            .ok()
            .map(u64::from_be_bytes)
    };
    let (Some(version), Some(backing), Some(size)) = (word(4), long(8), long(24)) else {
        return Err(Unusable::NotQcow2);
    };
    if !head.starts_with(MAGIC) || !(2..=3).contains(&version) {
        return Err(Unusable::NotQcow2);
    }
    let features = if version == 3 {
        long(72).ok_or(Unusable::NotQcow2)?
    } else {
        0
    };
    if backing != 0 || features & EXTERNAL_DATA != 0 {
        return Err(Unusable::RefersElsewhere);
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: u32, backing: u64, size: u64, features: u64) -> Vec<u8> {
        let mut head = vec![0; 104];
        head[..4].copy_from_slice(MAGIC);
        head[4..8].copy_from_slice(&version.to_be_bytes());
        head[8..16].copy_from_slice(&backing.to_be_bytes());
        head[24..32].copy_from_slice(&size.to_be_bytes());
        head[72..80].copy_from_slice(&features.to_be_bytes());
        head
    }

    #[test]
    fn the_size_is_the_disks_and_not_the_files() {
        assert_eq!(qcow2_size(&head(3, 0, 1 << 30, 0)), Ok(1 << 30));
        assert_eq!(qcow2_size(&head(2, 0, 7, u64::MAX)), Ok(7));
    }

    #[test]
    fn an_image_that_leads_to_other_files_is_refused() {
        assert_eq!(
            qcow2_size(&head(3, 512, 1, 0)),
            Err(Unusable::RefersElsewhere)
        );
        assert_eq!(
            qcow2_size(&head(3, 0, 1, EXTERNAL_DATA)),
            Err(Unusable::RefersElsewhere)
        );
    }

    #[test]
    fn rubbish_of_any_length_is_not_qcow2() {
        for length in 0..104 {
            assert_eq!(qcow2_size(&vec![0x51; length]), Err(Unusable::NotQcow2));
        }
        assert_eq!(qcow2_size(&head(3, 0, 1, 0)[..40]), Err(Unusable::NotQcow2));
        assert_eq!(qcow2_size(&head(4, 0, 1, 0)), Err(Unusable::NotQcow2));
    }
}
