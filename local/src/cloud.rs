//! What one cloud remembers of itself: options, ports and secrets. All secrets are made once, here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skybus_model::HostName;

use crate::{DataDir, Error, options::Options, ports::Ports, secret};

/// The form of the file; raised when an older skybus could not read it any more.
const FORM: u32 = 1;

/// The roles that a process of their own plays, in the order in which they are listed.
pub const ROLES: [&str; 4] = ["api", "scheduler", "compute", "network"];

/// One cloud, as its `cloud.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    form: u32,
    /// This machine's name in the cloud.
    pub host: HostName,
    /// What the operator chose.
    pub options: Options,
    /// Where its processes listen.
    pub ports: Ports,
    /// What nobody else may know.
    pub secrets: Secrets,
}

/// Made once, and never shown in arguments, environments or logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Of the user `admin`.
    pub admin_password: String,
    /// Of the user `demo`.
    pub demo_password: String,
    /// Signs internal addresses.
    pub url_secret: String,
    /// Passwords of joined machines' accounts on the broker are derived with it. Unlike the others it is told to
    /// no other machine.
    #[serde(default)]
    pub account_key: String,
    /// Signs what network workers ask for their guests.
    pub metadata_secret: String,
    /// The broker's administrator.
    pub broker_password: String,
    /// The Erlang node's cookie.
    pub broker_cookie: String,
    /// Each role's account on the broker.
    pub accounts: BTreeMap<String, String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// Makes what an older skybus did not know of.
    pub fn complete(&mut self) {
        if self.account_key.is_empty() {
            self.account_key = secret::random_hex(32);
        }
    }

    fn make() -> Self {
        Self {
            admin_password: secret::random_hex(12),
            demo_password: secret::random_hex(12),
            url_secret: secret::random_hex(32),
            account_key: secret::random_hex(32),
            metadata_secret: secret::random_hex(32),
            broker_password: secret::random_hex(24),
            broker_cookie: secret::random_hex(24),
            accounts: ROLES
                .iter()
                .map(|role| ((*role).to_owned(), secret::random_hex(24)))
                .collect(),
        }
    }
}

impl Cloud {
    /// A new cloud.
    ///
    /// # Errors
    /// When the host has no free ports.
    pub fn new(options: Options) -> Result<Self, Error> {
        let name = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        Ok(Self {
            form: FORM,
            host: HostName::from_machine(&name),
            options,
            ports: Ports::find()?,
            secrets: Secrets::make(),
        })
    }

    /// The cloud that lives in this directory.
    ///
    /// # Errors
    /// [`Error::NoCloud`] when there is none, [`Error::Garbled`] when its file was spoilt.
    pub fn load(data: &DataDir) -> Result<Self, Error> {
        let path = data.cloud_file();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoCloud(data.path().to_owned()));
            }
            Err(error) => return Err(Error::file("reading", &path)(error)),
        };
        let garbled = |why: String| Error::Garbled {
            path: path.clone(),
            why,
        };
        // Only the message: the error's display would quote the line, which may be a secret.
        let cloud: Self = toml::from_str(&text).map_err(|e| garbled(e.message().to_owned()))?;
        if cloud.form != FORM {
            return Err(garbled(format!(
                "it has form {}, this skybus knows {FORM}",
                cloud.form
            )));
        }
        Ok(cloud)
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, data: &DataDir) -> Result<(), Error> {
        let text = toml::to_string(self).map_err(|e| Error::Garbled {
            path: data.cloud_file(),
            why: e.to_string(),
        })?;
        secret::write(&data.cloud_file(), &text)
    }

    /// Where its APIs are reached from this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let mut listen = self.options.listen;
        if listen.ip().is_unspecified() {
            listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{listen}")
    }

    /// Where its APIs are reached from other machines, or from this one where those cannot.
    #[must_use]
    pub fn public_url(&self) -> String {
        match self.options.public_address {
            Some(address) => format!("http://{address}:{}", self.options.listen.port()),
            None => self.url(),
        }
    }

    /// The Identity API, which clients are told.
    #[must_use]
    pub fn auth_url(&self) -> String {
        format!("{}/identity/v3", self.url())
    }

    /// The hosts that the workers speak for: this one, or those that they play.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostName> {
        if self.options.fake_hosts == 0 {
            return vec![self.host.clone()];
        }
        (1..=self.options.fake_hosts)
            .map(|number| HostName::from_machine(&format!("{}-{number}", self.host)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_what_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        assert!(matches!(Cloud::load(&data), Err(Error::NoCloud(_))));
        let cloud = Cloud::new(Options::default()).unwrap();
        cloud.save(&data).unwrap();
        assert_eq!(Cloud::load(&data).unwrap(), cloud);
    }

    #[test]
    fn a_cloud_of_an_older_skybus_is_given_the_key_that_it_lacks_once() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        let cloud = Cloud::new(Options::default()).unwrap();
        let line = format!("account_key = \"{}\"\n", cloud.secrets.account_key);
        let text = toml::to_string(&cloud).unwrap();
        assert!(text.contains(&line));
        std::fs::write(data.cloud_file(), text.replace(&line, "")).unwrap();
        let mut cloud = Cloud::load(&data).unwrap();
        cloud.secrets.complete();
        let made = cloud.secrets.account_key.clone();
        assert_eq!(made.len(), 64);
        cloud.secrets.complete();
        assert_eq!(cloud.secrets.account_key, made);
    }

    #[test]
    fn no_secret_is_shown_by_debug_or_by_a_spoilt_file() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        let cloud = Cloud::new(Options::default()).unwrap();
        let password = &cloud.secrets.admin_password;
        assert!(!format!("{cloud:?}").contains(password.as_str()));
        let text = toml::to_string(&cloud)
            .unwrap()
            .replace("demo_password", "demo_pasword");
        std::fs::write(data.cloud_file(), text).unwrap();
        let error = Cloud::load(&data).unwrap_err().to_string();
        assert!(error.contains("demo_pasword") && !error.contains(&cloud.secrets.demo_password));
    }
}
