//! Where a guest's files are, and who may touch them.
//!
//! The directory is root's, so that a guest that broke out of its QEMU can neither swap a file for a
//! link nor reach another guest's. What QEMU writes is its user's own; the sockets that QEMU makes have
//! a directory of their own, and the monitor's, which the worker trusts, is not among them.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use skybus_model::id::ServerId;

/// The directory that holds every guest's files, below the worker's own.
#[must_use]
pub fn servers(data_dir: &Path) -> PathBuf {
    data_dir.join("servers")
}

/// The files of one guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    directory: PathBuf,
}

impl Files {
    /// The files of `server` below the worker's directory.
    #[must_use]
    pub fn of(data_dir: &Path, server: ServerId) -> Self {
        Self {
            directory: servers(data_dir).join(server.to_string()),
        }
    }

    /// The guest's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The root disk.
    #[must_use]
    pub fn disk(&self) -> PathBuf {
        self.directory.join("disk.qcow2")
    }

    /// The config drive, if the server has one.
    #[must_use]
    pub fn config_drive(&self) -> PathBuf {
        self.directory.join("config.img")
    }

    /// Everything that the guest wrote to its serial port.
    #[must_use]
    pub fn console_log(&self) -> PathBuf {
        self.directory.join("console.log")
    }

    /// What QEMU itself had to say.
    #[must_use]
    pub fn qemu_log(&self) -> PathBuf {
        self.directory.join("qemu.log")
    }

    /// The monitor.
    #[must_use]
    pub fn monitor(&self) -> PathBuf {
        self.directory.join("qmp.sock")
    }

    /// The serial port, to talk to.
    #[must_use]
    pub fn serial(&self) -> PathBuf {
        self.directory.join("run/serial.sock")
    }

    /// The screen.
    #[must_use]
    pub fn vnc(&self) -> PathBuf {
        self.directory.join("run/vnc.sock")
    }

    /// Makes the directories, with the guest's user as owner of what QEMU writes into.
    ///
    /// # Errors
    /// When they cannot be made or given away.
    pub fn make(&self, uid: u32, gid: u32) -> io::Result<()> {
        let run = self.directory.join("run");
        fs::create_dir_all(&run)?;
        fs::set_permissions(&self.directory, fs::Permissions::from_mode(0o711))?;
        fs::set_permissions(&run, fs::Permissions::from_mode(0o700))?;
        chown(&run, Some(uid), Some(gid))?;
        let log = self.console_log();
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)?;
        give(&log, uid, gid)?;
        // Disks that are there may have been made by a worker that chose another user for this guest.
        for disk in [self.disk(), self.config_drive()] {
            if disk.exists() {
                give(&disk, uid, gid)?;
            }
        }
        Ok(())
    }

    /// Removes everything. Nothing being there is fine.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Gives a file to a guest's user, for nobody else to read.
///
/// # Errors
/// When it cannot be given away.
pub fn give(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    chown(path, Some(uid), Some(gid))
}

/// The directory on the way to `data_dir` that an unprivileged guest could not pass, if there is one.
#[must_use]
pub fn closed_on_the_way(data_dir: &Path) -> Option<PathBuf> {
    let closed =
        |path: &&Path| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o001 == 0);
    data_dir
        .ancestors()
        .skip(1)
        .find(closed)
        .map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn disks_follow_their_guest_to_another_user() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("passed over: giving files away needs root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(dir.path(), ServerId::random());
        files.make(2_000_000_001, 2_000_000_001).unwrap();
        fs::write(files.disk(), "").unwrap();
        give(&files.disk(), 2_000_000_001, 2_000_000_001).unwrap();
        files.make(2_000_000_002, 2_000_000_002).unwrap();
        assert_eq!(fs::metadata(files.disk()).unwrap().uid(), 2_000_000_002);
        assert!(!files.config_drive().exists());
    }
}
