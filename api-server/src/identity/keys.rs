//! The keys that seal tokens: files in a directory, as Keystone keeps them.
//!
//! `0` is the staged key, the highest number the primary one, which seals; every key opens. Rotating
//! makes the staged key primary and stages a new one, so that another API server, which is given the
//! same directory a while later, can already open what the new primary sealed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use fernet::Fernet;

/// How many keys are kept; a token sealed by an older one is no longer good.
pub const MOST_KEYS: usize = 5;

/// The keys could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory or a file in it could not be read or written.
    #[error("the token keys in {path} cannot be read or written")]
    File {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not a key.
    #[error(
        "{path} does not hold a key: 32 bytes in base64 are expected; remove it or put it right"
    )]
    NotAKey {
        /// The path.
        path: PathBuf,
    },
}

/// The keys of one cloud.
pub struct Keys {
    directory: PathBuf,
    /// The primary key first.
    ring: RwLock<Vec<Fernet>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the keys in a directory; makes the first two when there are none.
    ///
    /// # Errors
    /// [`Error`] when that is not possible.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let at = |source| Error::File {
            path: directory.to_owned(),
            source,
        };
        fs::create_dir_all(directory).map_err(at)?;
        set_mode(directory, 0o700).map_err(at)?;
        if numbers(directory)?.is_empty() {
            write(directory, 0)?;
            write(directory, 1)?;
        }
        let ring = RwLock::new(read(directory)?);
        Ok(Self {
            directory: directory.to_owned(),
            ring,
        })
    }

    /// Reads the directory again, after a rotation by another process.
    ///
    /// # Errors
    /// [`Error`] when that is not possible; the keys stay as they were.
    pub fn reload(&self) -> Result<(), Error> {
        let fresh = read(&self.directory)?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Makes the staged key primary, stages a new one and drops the oldest beyond [`MOST_KEYS`].
    ///
    /// # Errors
    /// [`Error`] when a file cannot be written; what was done until then is consistent.
    pub fn rotate(&self) -> Result<(), Error> {
        let mut found = numbers(&self.directory)?;
        let next = found.last().map_or(1, |last| last + 1);
        let (staged, primary) = (file(&self.directory, 0), file(&self.directory, next));
        if staged.exists() {
            fs::rename(&staged, &primary).map_err(|source| Error::File {
                path: primary.clone(),
                source,
            })?;
        } else {
            write(&self.directory, next)?;
        }
        write(&self.directory, 0)?;
        found.retain(|number| *number != 0);
        found.push(next);
        let surplus = (found.len() + 1).saturating_sub(MOST_KEYS);
        for number in found.iter().take(surplus) {
            let path = file(&self.directory, *number);
            fs::remove_file(&path).map_err(|source| Error::File { path, source })?;
        }
        self.reload()
    }

    /// Seals bytes into text that only these keys open.
    #[must_use]
    pub fn seal(&self, bytes: &[u8]) -> String {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        // `read` never gives an empty ring.
        ring.first()
            .map(|key| key.encrypt(bytes))
            .unwrap_or_default()
    }

    /// Opens what was sealed; `None` when it was not, or with a key that is gone.
    #[must_use]
    pub fn open_sealed(&self, text: &str) -> Option<Vec<u8>> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.iter().find_map(|key| key.decrypt(text).ok())
    }
}

fn file(directory: &Path, number: u64) -> PathBuf {
    directory.join(number.to_string())
}

fn numbers(directory: &Path) -> Result<Vec<u64>, Error> {
    let at = |source| Error::File {
        path: directory.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(at)? {
        let name = entry.map_err(at)?.file_name();
        if let Some(number) = name.to_str().and_then(|name| name.parse().ok()) {
            found.push(number);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn read(directory: &Path) -> Result<Vec<Fernet>, Error> {
    // Primary (the highest) first, the staged key last: that is the order in which they are tried.
    numbers(directory)?
        .into_iter()
        .rev()
        .map(|number| {
            let path = file(directory, number);
            let text = fs::read_to_string(&path).map_err(|source| Error::File {
                path: path.clone(),
                source,
            })?;
            Fernet::new(text.trim()).ok_or(Error::NotAKey { path })
        })
        .collect()
}

/// Writes a new key under a number; whole or not at all.
fn write(directory: &Path, number: u64) -> Result<(), Error> {
    let path = file(directory, number);
    let draft = directory.join(format!(".{number}.new"));
    let done = fs::write(&draft, "")
        .and_then(|()| set_mode(&draft, 0o600))
        .and_then(|()| fs::write(&draft, Fernet::generate_key()))
        .and_then(|()| fs::File::open(&draft)?.sync_all())
        .and_then(|()| fs::rename(&draft, &path));
    done.map_err(|source| Error::File { path, source })
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(directory: &Path) -> usize {
        numbers(directory).unwrap().len()
    }

    #[test]
    fn what_was_sealed_is_opened_until_its_key_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::open(directory.path()).unwrap();
        let sealed = keys.seal(b"a token");
        for rotation in 1..=10 {
            keys.rotate().unwrap();
            assert!(count(directory.path()) <= MOST_KEYS);
            let opened = keys.open_sealed(&sealed);
            // Of five keys one is staged and one seals; three older ones still open.
            assert_eq!(
                opened.is_some(),
                rotation <= MOST_KEYS - 2,
                "after {rotation}"
            );
        }
        assert_eq!(keys.open_sealed(&keys.seal(b"new")).unwrap(), b"new");
    }

    #[test]
    fn a_server_that_has_not_read_the_new_keys_yet_opens_what_they_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let (here, there) = (
            Keys::open(directory.path()).unwrap(),
            Keys::open(directory.path()).unwrap(),
        );
        here.rotate().unwrap();
        assert!(there.open_sealed(&here.seal(b"x")).is_some());
        there.reload().unwrap();
        assert!(here.open_sealed(&there.seal(b"x")).is_some());
    }

    #[test]
    fn keys_are_for_their_owner_alone_and_rubbish_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::open(directory.path()).unwrap();
        for name in ["0", "1"] {
            let mode = fs::metadata(directory.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(keys.open_sealed("rubbish"), None);
        fs::write(directory.path().join("7"), "rubbish").unwrap();
        let error = Keys::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains("/7"), "{error}");
        // The keys that were read stay in use.
        assert!(keys.reload().is_err());
        assert!(keys.open_sealed(&keys.seal(b"x")).is_some());
    }
}
