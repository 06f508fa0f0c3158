//! The data directory: where everything of one cloud lies, and who may look into it.
//!
//! The directory itself can be passed through but not listed (0711): guests run as another user and
//! must reach their disks. What only the cloud may read has mode 0600 or lies in a directory of mode 0700.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::Error;

/// Where a cloud lives unless it is told otherwise.
pub const DEFAULT: &str = "/var/lib/skybus";

/// One cloud's directory, as an absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir(PathBuf);

/// Held by the supervisor as long as it lives. The kernel releases it when the process dies.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held, not used")] File);

impl DataDir {
    /// The directory at `path`, which need not exist yet.
    ///
    /// # Errors
    /// When the working directory is gone and the path is relative.
    pub fn at(path: &Path) -> Result<Self, Error> {
        std::path::absolute(path)
            .map(Self)
            .map_err(Error::file("finding", path))
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What the cloud remembers of itself; also the mark by which its directory is known.
    #[must_use]
    pub fn cloud_file(&self) -> PathBuf {
        self.0.join("cloud.toml")
    }

    /// What a machine that has joined another cloud remembers; the mark of its directory.
    #[must_use]
    pub fn host_file(&self) -> PathBuf {
        self.0.join("host.toml")
    }

    /// What runs.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.0.join("run/state.json")
    }

    /// A role's configuration.
    #[must_use]
    pub fn role_config(&self, role: &str) -> PathBuf {
        self.0.join("etc").join(format!("{role}.toml"))
    }

    /// A process's log.
    #[must_use]
    pub fn log(&self, process: &str) -> PathBuf {
        self.0.join("log").join(format!("{process}.log"))
    }

    /// The embedded database. It lies in a directory of its own because SQLite keeps more files beside
    /// it, all with whatever mode they happen to get.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.0.join("database/skybus.db")
    }

    /// The broker's own directory.
    #[must_use]
    pub fn broker(&self) -> PathBuf {
        self.0.join("broker")
    }

    /// Whether a cloud lives here.
    #[must_use]
    pub fn has_cloud(&self) -> bool {
        self.cloud_file().is_file()
    }

    /// Whether this is the directory of a machine that has joined another cloud.
    #[must_use]
    pub fn has_host(&self) -> bool {
        self.host_file().is_file()
    }

    /// Makes the directory and those in it that are not a role's own business.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn create(&self) -> Result<(), Error> {
        make(&self.0, 0o711)?;
        for (name, mode) in [
            ("run", 0o711),
            ("etc", 0o700),
            ("log", 0o700),
            ("broker", 0o700),
            ("database", 0o700),
        ] {
            make(&self.0.join(name), mode)?;
        }
        Ok(())
    }

    /// Takes the lock; `None` when another supervisor has it.
    ///
    /// # Errors
    /// When the lock file cannot be used at all.
    pub fn lock(&self) -> Result<Option<Lock>, Error> {
        locked(self.0.join("run/lock"))
    }

    /// Takes the turn of the command that joins; `None` when another one has it.
    ///
    /// # Errors
    /// When the lock file cannot be used at all.
    pub fn turn(&self) -> Result<Option<Lock>, Error> {
        locked(self.0.join("run/join.lock"))
    }

    /// Whether a supervisor runs this cloud now.
    #[must_use]
    pub fn is_supervised(&self) -> bool {
        self.path().join("run/lock").exists() && matches!(self.lock(), Ok(None))
    }

    /// Removes the directory with all that is in it.
    ///
    /// # Errors
    /// When it is not a cloud's, or something in it cannot be removed.
    pub fn purge(&self) -> Result<(), Error> {
        let mark = match (self.has_cloud(), self.has_host()) {
            (true, _) => self.cloud_file(),
            (false, true) => self.host_file(),
            (false, false) => return Err(Error::NotOurs(self.0.clone())),
        };
        let failed = || Error::file("removing", &self.0);
        // The mark goes last, so that an interrupted purge can be run again.
        for entry in fs::read_dir(&self.0).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            if path == mark {
                continue;
            }
            let gone = if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            gone.map_err(Error::file("removing", &path))?;
        }
        fs::remove_file(mark).map_err(failed())?;
        match fs::remove_dir(&self.0) {
            // Somebody's mount point: it is empty, which is what was asked for.
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => Ok(()),
            other => other.map_err(failed()),
        }
    }
}

fn locked(path: PathBuf) -> Result<Option<Lock>, Error> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(Error::file("opening", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock(file))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Error::file("locking", &path)(error.into())),
    }
}

fn make(path: &Path, mode: u32) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(Error::file("making", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holds_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        data.create().unwrap();
        let first = data.lock().unwrap();
        assert!(first.is_some() && data.is_supervised());
        drop(first);
        assert!(!data.is_supervised());
    }

    #[test]
    fn purge_leaves_alone_what_is_not_a_cloud() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("thesis.txt"), "years of work").unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        assert!(matches!(data.purge(), Err(Error::NotOurs(_))));
        assert!(directory.path().join("thesis.txt").exists());
        fs::write(data.cloud_file(), "").unwrap();
        data.purge().unwrap();
        assert!(!directory.path().exists());
    }
}
