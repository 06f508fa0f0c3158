//! Tokens that are used again for a few minutes, so that not every command waits for a password to be
//! checked, which is slow on purpose.
//!
//! A token lies in a file of its own (mode 0600, in a directory of mode 0700) below the user's cache
//! directory; whoever can read it could read the user's clouds.yaml as well. A file that anybody else
//! may read is not used. `SKYBUS_TOKEN_CACHE=off` turns it off. Where there are no such modes there is
//! no cache.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use super::{Account, Proof, token::Token};

/// A token is not used for longer, however long the cloud would take it.
const LONGEST: Duration = Duration::from_secs(600);

/// The place of one account's token.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    file: PathBuf,
    account: String,
}

impl Place {
    /// Where this account's token would be; none when it is not to be kept.
    pub(crate) fn of(account: &Account, directory: Option<PathBuf>) -> Option<Self> {
        let off = std::env::var("SKYBUS_TOKEN_CACHE").is_ok_and(|v| v == "off");
        let Proof::Password { user, .. } = &account.proof else {
            return None;
        };
        if off || !cfg!(unix) {
            return None;
        }
        let account = format!("{} {user:?} {:?}", account.auth_url, account.project);
        let mut hasher = DefaultHasher::new();
        account.hash(&mut hasher);
        let file = directory?.join(format!("token-{:016x}", hasher.finish()));
        Some(Self { file, account })
    }

    /// The token that is kept, if it is young and nobody else could have read it.
    pub(crate) fn read(&self) -> Option<Token> {
        let about = fs::symlink_metadata(&self.file).ok()?;
        let young = about
            .modified()
            .ok()?
            .elapsed()
            .is_ok_and(|age| age < LONGEST);
        if !young || !about.is_file() || !is_private(&about) {
            return None;
        }
        let mut kept: Value = serde_json::from_slice(&fs::read(&self.file).ok()?).ok()?;
        let ours = kept["account"] == self.account.as_str();
        let id = kept["id"].as_str().filter(|_| ours)?.to_owned();
        Some(Token {
            id,
            body: kept["body"].take(),
        })
    }

    /// Keeps a token. Failing to is no failure of the command.
    pub(crate) fn write(&self, token: &Token) {
        let kept = json!({"account": self.account, "id": token.id, "body": token.body});
        // Written beside and renamed, so that nobody reads a half.
        let beside = self.file.with_extension(std::process::id().to_string());
        let written =
            create(&beside).and_then(|mut file| file.write_all(kept.to_string().as_bytes()));
        if written
            .and_then(|()| fs::rename(&beside, &self.file))
            .is_err()
        {
            let _ = fs::remove_file(&beside);
        }
    }
}

/// The directory for what may be thrown away, `~/.cache/skybus`; none for a user without a home.
pub(crate) fn directory() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let home = || {
        set("HOME")
            .filter(|home| home.is_dir())
            .map(|home| home.join(".cache"))
    };
    set("XDG_CACHE_HOME")
        .or_else(home)
        .map(|base| base.join("skybus"))
}

#[cfg(unix)]
fn create(file: &Path) -> std::io::Result<fs::File> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(directory) = file.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
}

#[cfg(not(unix))]
fn create(_: &Path) -> std::io::Result<fs::File> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn is_private(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    about.permissions().mode() & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_: &fs::Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::auth::Named;

    fn account(user: &str) -> Account {
        let user = Named {
            name: Some(user.to_owned()),
            ..Named::default()
        };
        Account {
            auth_url: "http://c".to_owned(),
            proof: Proof::Password {
                user,
                password: "secret".to_owned(),
            },
            project: Named::default(),
            region: None,
        }
    }

    #[test]
    fn a_token_is_kept_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let inside = || Some(directory.path().join("skybus"));
        let place = Place::of(&account("demo"), inside()).unwrap();
        assert!(place.read().is_none());
        place.write(&Token {
            id: "t".to_owned(),
            body: json!({"project": {"id": "p"}}),
        });
        assert_eq!(place.read().unwrap().project(), "p");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&place.file), mode(&directory.path().join("skybus"))),
            (0o600, 0o700)
        );
        assert!(!fs::read_to_string(&place.file).unwrap().contains("secret"));
        assert!(
            Place::of(&account("admin"), inside())
                .unwrap()
                .read()
                .is_none()
        );
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::of(&account("demo"), Some(directory.path().to_owned())).unwrap();
        place.write(&Token {
            id: "t".to_owned(),
            body: json!({}),
        });
        fs::set_permissions(&place.file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(place.read().is_none());
    }
}
