//! The scheduler's configuration file.

use std::net::SocketAddr;

use anyhow::ensure;
use serde::Deserialize;
use skybus_model::HostName;
use skybus_store::hosts::Ratios;

/// What a scheduler must know.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The role's own directory; nothing is kept in it.
    pub data_dir: std::path::PathBuf,
    /// Where `/healthz` and `/metrics` listen.
    pub health: SocketAddr,
    /// This machine's name in the cloud; the system's own name when it is not given.
    #[serde(default)]
    pub host: Option<HostName>,
    /// The broker, with this role's account.
    pub broker: String,
    /// What is logged: `info`, `debug`, …
    #[serde(default = "info")]
    pub log: String,
    /// The database.
    pub database: String,
    /// The key that signs addresses in commands: hexadecimal, 32 bytes or more.
    pub url_secret: String,
    /// How many virtual CPUs may be given for each real one.
    #[serde(default = "sixteen")]
    pub cpu_ratio: f64,
    /// How much memory may be given for each MiB that is there.
    #[serde(default = "one")]
    pub ram_ratio: f64,
    /// How much disk may be given for each GiB that is there.
    #[serde(default = "one")]
    pub disk_ratio: f64,
    /// Whether servers are spread over the hosts or packed onto few.
    #[serde(default)]
    pub placement: Placement,
}

/// Whether servers are spread over the hosts or packed onto few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// The emptiest host first.
    #[default]
    Spread,
    /// The fullest host that still fits first.
    Pack,
}

fn info() -> String {
    "info".to_owned()
}

const fn sixteen() -> f64 {
    16.0
}

const fn one() -> f64 {
    1.0
}

impl Config {
    /// This machine's name in the cloud.
    #[must_use]
    pub fn host(&self) -> HostName {
        self.host.clone().unwrap_or_else(|| {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            HostName::from_machine(name.trim())
        })
    }

    /// The allocation ratios in thousandths.
    ///
    /// # Errors
    /// When one is not between 0.001 and 1000.
    pub fn ratios(&self) -> anyhow::Result<Ratios> {
        Ok(Ratios {
            vcpus: thousandths("cpu_ratio", self.cpu_ratio)?,
            ram: thousandths("ram_ratio", self.ram_ratio)?,
            disk: thousandths("disk_ratio", self.disk_ratio)?,
        })
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "checked to be between 1 and 1,000,000"
)]
fn thousandths(name: &str, ratio: f64) -> anyhow::Result<i64> {
    ensure!(
        (0.001..=1000.0).contains(&ratio),
        "{name} = {ratio} must be between 0.001 and 1000"
    );
    Ok((ratio * 1000.0).round() as i64)
}
