//! Where the bytes of images are: one file per image, below the data directory.
//!
//! Bytes arrive in `images/tmp` under the upload's own name and move to `images/ID` only when they are
//! complete, checked and on the disk. So a file under an image's id is always whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use md5::Md5;
use sha2::{Digest, Sha512};
use skybus_model::{id::ImageId, image::DiskFormat};
use skybus_store::images::upload::Arrived;

use super::content::{self, HEAD, Refused};

/// The largest image: 1 TiB.
pub(super) const MOST_BYTES: u64 = 1 << 40;
/// So much of the disk stays free: the database may be on it too.
const RESERVE: u64 = 256 << 20;
/// How often the free space is looked at.
const LOOK_EVERY: u64 = 64 << 20;

/// Why bytes were not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("{0}")]
    Refused(#[from] Refused),
    #[error("the image is larger than the {MOST_BYTES} bytes that are allowed")]
    TooLarge,
    #[error("there is not enough space for the image on the cloud's side")]
    NoSpace,
    #[error("the image's file could not be written")]
    Disk(#[source] io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Disk(error),
        }
    }
}

/// The directories of an API server's images.
#[derive(Debug, Clone)]
pub(super) struct Files {
    whole: PathBuf,
    arriving: PathBuf,
}

impl Files {
    /// Those below this data directory.
    pub(super) fn below(data: &Path) -> Self {
        let whole = data.join("images");
        Self {
            arriving: whole.join("tmp"),
            whole,
        }
    }

    /// The file of an image.
    pub(super) fn of(&self, id: ImageId) -> PathBuf {
        self.whole.join(id.to_string())
    }

    /// The file of an upload.
    pub(super) fn arriving(&self, upload: &str) -> PathBuf {
        self.arriving.join(upload)
    }

    /// Where whole files are.
    pub(super) fn whole_directory(&self) -> &Path {
        &self.whole
    }

    /// Where arriving files are.
    pub(super) fn arriving_directory(&self) -> &Path {
        &self.arriving
    }

    /// How many bytes may still be written.
    pub(super) fn room(&self) -> io::Result<u64> {
        fs::create_dir_all(&self.arriving)?;
        let disk = rustix::fs::statvfs(&self.arriving)?;
        Ok(disk
            .f_bavail
            .saturating_mul(disk.f_frsize)
            .saturating_sub(RESERVE))
    }

    /// Puts an upload's file into the image's place, durably.
    pub(super) fn settle(&self, upload: &str, id: ImageId) -> io::Result<()> {
        fs::rename(self.arriving(upload), self.of(id))?;
        File::open(&self.whole)?.sync_all()
    }

    /// Removes a file that may be gone already.
    pub(super) fn remove(path: &Path) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "a file of an image was not removed");
            }
            _ => {}
        }
    }
}

/// An arriving file: writes, counts and sums up what is given to it. It blocks.
pub(super) struct Arriving {
    files: Files,
    file: File,
    format: DiskFormat,
    head: Vec<u8>,
    size: u64,
    look_at: u64,
    md5: Md5,
    sha512: Sha512,
}

impl Arriving {
    pub(super) fn begin(files: &Files, upload: &str, format: DiskFormat) -> Result<Self, Failed> {
        fs::create_dir_all(&files.arriving)?;
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(files.arriving(upload))?;
        Ok(Self {
            files: files.clone(),
            file,
            format,
            head: Vec::with_capacity(HEAD),
            size: 0,
            look_at: 0,
            md5: Md5::new(),
            sha512: Sha512::new(),
        })
    }

    pub(super) fn take(&mut self, bytes: &Bytes) -> Result<(), Failed> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > MOST_BYTES {
            return Err(Failed::TooLarge);
        }
        if self.size >= self.look_at {
            if self.files.room()? < LOOK_EVERY {
                return Err(Failed::NoSpace);
            }
            self.look_at = self.size + LOOK_EVERY;
        }
        let missing = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        if missing > 0 {
            self.head.extend(bytes.get(..missing).unwrap_or_default());
            if self.head.len() == HEAD {
                // What is wrong already now need not be written; the size is not known yet.
                content::check(self.format, &self.head, MOST_BYTES)?;
            }
        }
        self.md5.update(bytes);
        self.sha512.update(bytes);
        self.file.write_all(bytes)?;
        Ok(())
    }

    /// Checks the content and puts the bytes on the disk.
    pub(super) fn end(self) -> Result<Arrived, Failed> {
        let virtual_size = content::check(self.format, &self.head, self.size)?;
        self.file.sync_all()?;
        let number = |n: u64| i64::try_from(n).map_err(|_| Failed::TooLarge);
        Ok(Arrived {
            size: number(self.size)?,
            virtual_size: number(virtual_size)?,
            md5: hex::encode(self.md5.finalize()),
            sha512: hex::encode(self.sha512.finalize()),
        })
    }
}
