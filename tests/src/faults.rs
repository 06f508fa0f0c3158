//! Arming fault points in the processes of a cloud, and seeing which of them are come to.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use skybus_fault::{Armed, Point};

/// The programs in which points can be armed.
pub const ROLES: [&str; 4] = ["api", "scheduler", "compute", "network"];

/// A point that a role came to, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hit {
    /// The role: `api`.
    pub role: &'static str,
    /// The point.
    pub point: Point,
    /// With what: a message's type, or `-`.
    pub what: String,
}

/// The directory in which points are armed.
#[derive(Debug, Clone)]
pub struct Faults(PathBuf);

impl Faults {
    /// The directory, made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn at(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).context("making the directory for fault points")?;
        Ok(Self(directory.to_owned()))
    }

    /// The directory itself.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }

    fn file(&self, role: &str, ending: &str) -> PathBuf {
        self.0.join(format!("skybus-{role}.{ending}"))
    }

    /// Has a role die there. It is written beside first: the role must not read half of it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn arm(&self, role: &str, at: &Armed) -> Result<()> {
        let _ = self.death(role)?;
        let draft = self.file(role, "draft");
        fs::write(&draft, at.to_string())?;
        Ok(fs::rename(draft, self.file(role, "arm"))?)
    }

    /// Takes it back. Whether it was still armed.
    #[must_use]
    pub fn disarm(&self, role: &str) -> bool {
        fs::remove_file(self.file(role, "arm")).is_ok()
    }

    /// Where the role has died since it was armed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn death(&self, role: &str) -> Result<Option<String>> {
        let file = self.file(role, "died");
        match fs::read_to_string(&file) {
            Ok(text) => {
                fs::remove_file(file)?;
                Ok(Some(text.trim().to_owned()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// From now on it is noted which points are come to.
    ///
    /// # Errors
    /// When the files cannot be made.
    pub fn watch(&self) -> Result<()> {
        for role in ROLES {
            fs::write(self.file(role, "hits"), "")?;
        }
        Ok(())
    }

    /// What was come to since [`Self::watch`]; it is not noted any more.
    ///
    /// # Errors
    /// When a file cannot be read or names an unknown point.
    pub fn watched(&self) -> Result<BTreeSet<Hit>> {
        let mut hits = BTreeSet::new();
        for role in ROLES {
            let file = self.file(role, "hits");
            let text = fs::read_to_string(&file)?;
            fs::remove_file(file)?;
            for line in text.lines() {
                let (point, what) = line.split_once(' ').context("a hit without its what")?;
                let (point, what) = (point.parse()?, what.to_owned());
                hits.insert(Hit { role, point, what });
            }
        }
        Ok(hits)
    }
}
