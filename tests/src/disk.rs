//! A small disk that a test can fill.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::ran;

const MOUNT: Duration = Duration::from_secs(60);
const MIB: usize = 1024 * 1024;

/// A disk in memory, which is away when this is dropped. Making one needs root.
#[derive(Debug)]
pub struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Puts a disk of so many MiB at this place, which need not be there.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn at(place: &Path, mib: u32) -> Result<Self> {
        fs::create_dir_all(place)?;
        let options = format!("size={mib}m,mode=0755");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &options, "skybus-test"])
            .arg(place);
        let ran = ran::run(&mut mount, MOUNT)?;
        ran.ok().context("a test of a full disk needs root")?;
        Ok(Self {
            place: place.to_owned(),
        })
    }

    /// Fills it to the last byte.
    ///
    /// # Errors
    /// When it fails in another way than by being full.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::create(self.filling())?;
        // In ever smaller pieces, for what is left of a page.
        for size in [MIB, 4096, 1] {
            let piece = vec![0x55; size];
            loop {
                match file.write(&piece) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(full) if full.kind() == ErrorKind::StorageFull => break,
                    Err(other) => return Err(other.into()),
                }
            }
        }
        Ok(())
    }

    /// Gives back the room that was taken.
    ///
    /// # Errors
    /// When it cannot.
    pub fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.filling())?)
    }

    fn filling(&self) -> PathBuf {
        self.place.join("filling")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps it until it ends.
        let mut unmount = Command::new("umount");
        let _nothing_could_be_done = ran::run(unmount.arg("--lazy").arg(&self.place), MOUNT);
    }
}
