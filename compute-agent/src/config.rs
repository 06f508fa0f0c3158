//! What the operator decides: `skybus-compute --config FILE.toml`.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;
use skybus_model::HostName;

/// How guests are to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VirtType {
    /// KVM if it is proved to run guests here, else emulation.
    #[default]
    Auto,
    /// KVM, unproved.
    Kvm,
    /// Emulation.
    Tcg,
    /// No machines at all: hosts in memory.
    Fake,
}

/// The configuration of a compute worker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The worker's own directory: journal, images, servers. An absolute path.
    pub data_dir: PathBuf,
    /// Where `/healthz` and `/metrics` are served.
    pub health: SocketAddr,
    /// The broker with the host's own account.
    pub broker: String,
    /// How much to log.
    #[serde(default = "info")]
    pub log: String,
    /// This host's name; the prefix of the hosts' names when hosts are faked.
    pub host: HostName,
    /// The availability zone that this host is in.
    #[serde(default = "nova")]
    pub zone: String,
    /// Where images and config drives are fetched from.
    pub api_url: String,
    /// How guests are to be run.
    #[serde(default)]
    pub virt_type: VirtType,
    /// How many hosts to play, with `virt_type = "fake"`. 0 is one host, named `host`.
    #[serde(default)]
    pub fake_hosts: u32,
}

fn info() -> String {
    "info".to_owned()
}

fn nova() -> String {
    "nova".to_owned()
}

/// The configuration asks for something that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Relative paths would mean something else to QEMU than to the worker.
    #[error("data_dir {0} must be an absolute path")]
    Relative(PathBuf),
    /// A unix socket's address has room for 107 bytes.
    #[error(
        "data_dir {0} is too long: the sockets of guests below it would not fit; use at most {MOST} bytes"
    )]
    TooLong(PathBuf),
    /// Playing several hosts needs the fake driver.
    #[error("fake_hosts = {0} needs virt_type = \"fake\"")]
    NotFake(u32),
    /// `HOST-N` is not a host's name.
    #[error(transparent)]
    Name(#[from] skybus_model::host::NotAHostName),
}

/// `/servers/<36>/run/serial.sock` and the closing zero leave this many bytes of 108.
const MOST: usize = 48;

impl Config {
    /// The hosts that this process stands for, or what is wrong with the configuration.
    ///
    /// # Errors
    /// [`Refused`] says which line to change.
    pub fn hosts(&self) -> Result<Vec<HostName>, Refused> {
        if !self.data_dir.is_absolute() {
            return Err(Refused::Relative(self.data_dir.clone()));
        }
        if self.virt_type != VirtType::Fake {
            if self.data_dir.as_os_str().len() > MOST {
                return Err(Refused::TooLong(self.data_dir.clone()));
            }
            if self.fake_hosts > 0 {
                return Err(Refused::NotFake(self.fake_hosts));
            }
        }
        if self.fake_hosts == 0 {
            return Ok(vec![self.host.clone()]);
        }
        (1..=self.fake_hosts)
            .map(|n| Ok(format!("{}-{n}", self.host).parse()?))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Result<Config, toml::de::Error> {
        toml::from_str(&format!(
            "data_dir = '/var/lib/skybus/compute'\nhealth = '127.0.0.1:0'\nbroker = 'amqp://x'\n\
             host = 'node'\napi_url = 'http://127.0.0.1:8774'\n{more}"
        ))
    }

    #[test]
    fn one_process_can_stand_for_many_hosts_only_when_they_are_faked() {
        let many = config("virt_type = 'fake'\nfake_hosts = 3")
            .unwrap()
            .hosts()
            .unwrap();
        assert_eq!(
            many.iter().map(HostName::as_str).collect::<Vec<_>>(),
            ["node-1", "node-2", "node-3"]
        );
        assert_eq!(config("").unwrap().hosts().unwrap()[0].as_str(), "node");
        assert!(matches!(
            config("fake_hosts = 3").unwrap().hosts(),
            Err(Refused::NotFake(3))
        ));
    }

    #[test]
    fn a_word_that_is_not_known_is_refused() {
        assert!(config("virt_typ = 'kvm'").is_err());
        assert!(config("virt_type = 'xen'").is_err());
    }

    #[test]
    fn a_directory_that_leaves_no_room_for_sockets_is_refused_before_a_guest_needs_it() {
        let mut long = config("").unwrap();
        long.data_dir = PathBuf::from(format!("/{}", "x".repeat(MOST)));
        assert!(matches!(long.hosts(), Err(Refused::TooLong(_))));
        long.data_dir = PathBuf::from("relative");
        assert!(matches!(long.hosts(), Err(Refused::Relative(_))));
    }
}
