//! What a machine that has joined remembers: whose token it had, its own key, and what it was granted.

use serde::{Deserialize, Serialize};
use skybus_model::{
    HostName,
    join::{Asked, Grant, Token, hash},
    machine::Role,
};

use crate::{
    DataDir, Error,
    options::{Physical, VirtType},
    ports::Ports,
    roles::config::ZONE,
    secret,
};

/// The form of the file; raised when an older skybus could not read it any more.
const FORM: u32 = 1;

/// One machine, as its `host.toml` says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    form: u32,
    /// Its name in the cloud.
    pub name: HostName,
    /// What it is to run.
    pub role: Role,
    /// The address of the cloud's APIs.
    pub api: String,
    secret: String,
    key: String,
    /// Whether the cloud said that it was removed.
    #[serde(default)]
    pub removed: bool,
    /// What was chosen on this machine.
    pub chosen: Chosen,
    /// Where its health pages are.
    pub ports: Ports,
    /// What it was granted, once it was let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
}

/// What is chosen on the machine that joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// How guests are run.
    pub virt_type: VirtType,
    /// The availability zone.
    pub zone: String,
    /// The interface on whose wire it answers for floating IPs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_interface: Option<String>,
    /// Where the APIs listen, if it runs them.
    pub listen: std::net::SocketAddr,
    /// The directory that all API servers share, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<std::path::PathBuf>,
    /// Its end of VXLANs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel_address: Option<std::net::Ipv4Addr>,
    /// Which interface is on which physical network.
    #[serde(default, skip_serializing_if = "Physical::is_empty")]
    pub physical: Physical,
}

impl Default for Chosen {
    fn default() -> Self {
        Self {
            virt_type: VirtType::Auto,
            zone: ZONE.to_owned(),
            public_interface: None,
            listen: ([0, 0, 0, 0], 8774).into(),
            shared: None,
            tunnel_address: None,
            physical: Physical::new(),
        }
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Host({} of {})", self.name, self.api)
    }
}

impl Host {
    /// A machine that holds a token and has asked nobody yet.
    ///
    /// # Errors
    /// When the host has no free ports.
    pub fn new(token: &Token) -> Result<Self, Error> {
        Ok(Self {
            form: FORM,
            name: token.name.clone(),
            role: token.role,
            api: token.api.clone(),
            secret: token.secret.clone(),
            key: secret::random_hex(32),
            removed: false,
            chosen: Chosen::default(),
            ports: Ports::find()?,
            grant: None,
        })
    }

    /// Whether this is the token that it has.
    #[must_use]
    pub fn has(&self, token: &Token) -> bool {
        self.name == token.name && self.api == token.api && self.secret == token.secret
    }

    /// Takes another token, before it was let in with the one that it has.
    pub fn take(&mut self, token: &Token) {
        self.name = token.name.clone();
        self.role = token.role;
        self.api.clone_from(&token.api);
        self.secret.clone_from(&token.secret);
    }

    /// What it asks the cloud with. The key itself never leaves the machine.
    #[must_use]
    pub fn asks(&self) -> Asked {
        Asked {
            name: self.name.clone(),
            secret: self.secret.clone(),
            key: hash(&self.key),
        }
    }

    /// The processes that it runs.
    #[must_use]
    pub fn roles(&self) -> Vec<&'static str> {
        self.role.services().iter().map(|s| s.as_str()).collect()
    }

    /// The machine whose directory this is.
    ///
    /// # Errors
    /// [`Error::NoCloud`] when it is nobody's, [`Error::Garbled`] when the file was spoilt.
    pub fn load(data: &DataDir) -> Result<Self, Error> {
        let path = data.host_file();
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
        let host: Self = toml::from_str(&text).map_err(|e| garbled(e.message().to_owned()))?;
        if host.form != FORM {
            return Err(garbled(format!(
                "it has form {}, this skybus knows {FORM}",
                host.form
            )));
        }
        Ok(host)
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, data: &DataDir) -> Result<(), Error> {
        let text = toml::to_string(self).map_err(|e| Error::Garbled {
            path: data.host_file(),
            why: e.to_string(),
        })?;
        secret::write(&data.host_file(), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            api: "http://192.0.2.1:8774".to_owned(),
            name: "b".parse().unwrap(),
            role: Role::Compute,
            secret: "the-secret".to_owned(),
        }
    }

    #[test]
    fn what_was_saved_is_what_is_loaded_and_the_key_never_leaves() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        assert!(matches!(Host::load(&data), Err(Error::NoCloud(_))));
        let mut host = Host::new(&token()).unwrap();
        host.save(&data).unwrap();
        assert_eq!(Host::load(&data).unwrap(), host);
        assert!(host.has(&token()) && host.roles() == ["compute", "network"]);
        let asked = serde_json::to_string(&host.asks()).unwrap();
        assert!(!asked.contains(&host.key) && asked.contains(&hash(&host.key)));
        let key = host.key.clone();
        host.take(&Token {
            secret: "another".to_owned(),
            ..token()
        });
        assert!(!host.has(&token()) && host.key == key);
        assert!(!format!("{host:?}").contains("another"));
    }
}
