//! The network worker's configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use skybus_model::{HostName, segment::PhysicalNetwork};

use crate::carries::Wiring;

/// The content of the file that `--config` names.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The worker's own directory.
    pub data_dir: PathBuf,
    /// Where `/healthz` and `/metrics` are served.
    pub health: SocketAddr,
    /// The broker's address, with the host's account.
    pub broker: String,
    /// What is logged.
    #[serde(default = "info")]
    pub log: String,
    /// This host.
    pub host: HostName,
    /// Its availability zone.
    #[serde(default = "nova")]
    pub zone: String,
    /// Where the API is, for the guests' metadata.
    pub api_url: String,
    /// Proves to the API that a question comes from a network worker.
    pub metadata_secret: String,
    /// Real networks or imagined ones.
    #[serde(default)]
    pub driver: DriverKind,
    /// How many hosts this process plays; 0 for the one that it is on.
    #[serde(default)]
    pub fake_hosts: u32,
    /// The word that marks what this cloud makes on the host. Made from the directory when not given.
    #[serde(default)]
    pub cloud: Option<String>,
    /// How many seconds something that nobody knows of is kept, cut off, before it is removed.
    #[serde(default = "ten_minutes")]
    pub orphan_grace: u64,
    /// The interface on whose wire this host answers for floating IPs. Without, they are reached from this
    /// host and its guests alone.
    #[serde(default)]
    pub public_interface: Option<String>,
    /// For how many seconds after a start floating IPs that are only remembered are not answered for, because
    /// they may have moved, unless the control plane says that they are here.
    #[serde(default = "one_minute")]
    pub floating_doubt: u64,
    /// This host's end of VXLANs, one of its addresses. Without, it carries none. Of hosts that one process
    /// plays, the first has this one, the next the next.
    #[serde(default)]
    pub tunnel_address: Option<Ipv4Addr>,
    /// Which interface is on which physical network. Flat networks and VLANs of others are not carried.
    #[serde(default)]
    pub physical: BTreeMap<PhysicalNetwork, String>,
}

/// Real networks or imagined ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverKind {
    /// Namespaces, bridges and rules of this Linux host.
    #[default]
    Linux,
    /// Nothing but records, for simulations.
    Fake,
}

impl Config {
    /// The hosts that this process speaks for.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostName> {
        if self.fake_hosts == 0 {
            return vec![self.host.clone()];
        }
        (1..=self.fake_hosts)
            .filter_map(|n| format!("{}-{n}", self.host).parse().ok())
            .collect()
    }

    /// The word that marks what this cloud makes on the host: the same as long as the directory is.
    #[must_use]
    pub fn cloud(&self) -> String {
        self.cloud.clone().unwrap_or_else(|| {
            let directory =
                std::path::absolute(&self.data_dir).unwrap_or_else(|_| self.data_dir.clone());
            hex::encode(&Sha256::digest(directory.as_os_str().as_encoded_bytes())[..4])
        })
    }

    /// The cables to other hosts.
    #[must_use]
    pub fn wiring(&self) -> Wiring {
        Wiring {
            physical: self.physical.clone(),
            tunnel: self.tunnel_address,
        }
    }

    /// Where the journal is.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.data_dir.join("journal.db")
    }

    /// How long something that nobody knows of is kept.
    #[must_use]
    pub const fn orphan_grace(&self) -> Duration {
        Duration::from_secs(self.orphan_grace)
    }

    /// How long floating IPs that are only remembered are not answered for.
    #[must_use]
    pub const fn doubt(&self) -> Duration {
        Duration::from_secs(self.floating_doubt)
    }

    /// Refuses what would only show later.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn checked(self) -> anyhow::Result<Self> {
        let cloud = self.cloud();
        let fits =
            (1..=12).contains(&cloud.len()) && cloud.bytes().all(|b| b.is_ascii_alphanumeric());
        anyhow::ensure!(fits, "cloud = {cloud:?}: use 1 to 12 letters and digits");
        let fake = self.driver == DriverKind::Fake;
        anyhow::ensure!(
            self.fake_hosts == 0 || fake,
            "fake_hosts needs driver = \"fake\""
        );
        if let Some(public) = &self.public_interface {
            anyhow::ensure!(
                interface(public),
                "public_interface = {public:?} cannot be an interface's name"
            );
        }
        let mut taken = BTreeSet::new();
        for (physical, name) in &self.physical {
            anyhow::ensure!(
                interface(name),
                "physical: {physical} = {name:?} cannot be an interface's name"
            );
            anyhow::ensure!(
                taken.insert(name),
                "physical: {name} is on two physical networks; one interface is on one"
            );
        }
        if let Some(own) = self.tunnel_address {
            let one = !own.is_unspecified() && !own.is_multicast() && !own.is_broadcast();
            anyhow::ensure!(
                one && !own.is_loopback(),
                "tunnel_address = {own}: use an address under which other hosts reach this one"
            );
        }
        Ok(self)
    }
}

fn interface(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.@".contains(&b);
    (1..=15).contains(&name.len()) && name.bytes().all(plain)
}

/// Without the two secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("host", &self.host)
            .field("data_dir", &self.data_dir)
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}

fn info() -> String {
    "info".to_owned()
}

fn nova() -> String {
    "nova".to_owned()
}

const fn ten_minutes() -> u64 {
    600
}

const fn one_minute() -> u64 {
    60
}

#[cfg(test)]
mod tests {
    use skybus_model::segment::Carries;

    use super::*;

    const TEXT: &str = r#"
        data_dir = "/var/lib/x/network"
        health = "127.0.0.1:1"
        broker = "amqp://a:secret-a@127.0.0.1:2/skybus"
        host = "node-1"
        api_url = "http://127.0.0.1:3"
        metadata_secret = "secret-b"
    "#;

    fn read(more: &str) -> anyhow::Result<Config> {
        toml::from_str::<Config>(&format!("{TEXT}{more}"))
            .map_err(Into::into)
            .and_then(Config::checked)
    }

    #[test]
    fn the_least_that_must_be_said() {
        let config = read("").unwrap();
        assert_eq!((config.hosts().len(), config.cloud().len()), (1, 8));
        assert!(!format!("{config:?}").contains("secret"));
        assert_eq!(
            read("driver=\"fake\"\nfake_hosts=3").unwrap().hosts()[2].as_str(),
            "node-1-3"
        );
    }

    #[test]
    fn the_cables_of_a_host_and_of_those_that_are_played() {
        let text = "tunnel_address = \"192.0.2.9\"\n[physical]\ntrunk = \"eth1\"\nlab-2 = \"eth2\"";
        let wiring = read(text).unwrap().wiring();
        assert_eq!(wiring.physical[&"trunk".parse().unwrap()], "eth1");
        let third = wiring.imagined(2);
        assert_eq!(third.tunnel, Some([192, 0, 2, 11].into()));
        assert_eq!((third.flat.len(), third.vlan.len()), (2, 2));
        assert_eq!(read("").unwrap().wiring().imagined(2), Carries::default());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bad in [
            "fake_hosts = 2",
            "cloud = \"a b\"",
            "cloud = \"\"",
            "hots = 1",
            "public_interface = \"\"",
            "public_interface = \"eth0; x\"",
            "public_interface = \"sixteen-letters0\"",
            "physical = { \"a b\" = \"eth1\" }",
            "physical = { a = \"eth1; x\" }",
            "physical = { a = \"eth1\", b = \"eth1\" }",
            "tunnel_address = \"127.0.0.1\"",
            "tunnel_address = \"239.1.1.1\"",
            "tunnel_address = \"fe80::1\"",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
