//! The API server's configuration file.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::Ipv4Net;
use serde::Deserialize;
use skybus_bus::accounts::{self, Management, subscriber};
use skybus_model::{
    HostName,
    segment::{NotASegment, Segment, SegmentKind},
};
use skybus_store::networks::segments;

/// `skybus-api --config FILE`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The role's own directory: token keys, images.
    pub data_dir: PathBuf,
    /// Where `/healthz` and `/metrics` are.
    pub health: SocketAddr,
    /// `amqp://USER:PASSWORD@HOST:PORT/VHOST`.
    pub broker: String,
    /// What is logged, e.g. `info` or `info,skybus_api=debug`.
    #[serde(default = "info")]
    pub log: String,
    /// Where the APIs are.
    pub listen: SocketAddr,
    /// The address that clients reach them under; it goes into the catalog.
    pub public_url: String,
    /// `sqlite:///path` or `postgres://…`.
    pub database: String,
    /// RabbitMQ's management API, for subscribers' accounts and queues that nobody leads.
    #[serde(default)]
    pub management: Option<String>,
    /// This machine's name in the cloud; the system's own name when it is not given.
    #[serde(default)]
    pub host: Option<HostName>,
    /// Whether this is the machine on which the cloud was made.
    #[serde(default)]
    pub first: bool,
    /// Where other machines reach this cloud, if they do.
    #[serde(default)]
    pub reach: Option<Reach>,
    /// Derives the passwords of joined machines' accounts on the broker; 64 hexadecimal digits. It goes with
    /// `management` and is never told to a machine that joins.
    #[serde(default)]
    pub account_key: Option<String>,
    /// Signs internal addresses; 64 hexadecimal digits, the same at schedulers.
    pub url_secret: String,
    /// Shared with the network agents; 64 hexadecimal digits.
    pub metadata_secret: String,
    /// The one region.
    #[serde(default = "region_one")]
    pub region: String,
    /// For how long a token is good, in seconds.
    #[serde(default = "four_hours")]
    pub token_lifetime: u64,
    /// What the first start makes.
    pub bootstrap: Bootstrap,
}

/// Where other machines reach this cloud.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// The APIs: `http://ADDRESS:PORT`.
    pub api: String,
    /// The broker, without an account: `amqp://ADDRESS:PORT/VHOST`.
    pub broker: String,
}

/// What the first start makes; later starts leave it as it is.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// The password of the user `admin`.
    pub admin_password: String,
    /// The password of the user `demo`.
    pub demo_password: String,
    /// The addresses of the first network.
    #[serde(default = "fixed_range")]
    pub fixed_range: Ipv4Net,
    /// How many of them the first network has.
    #[serde(default = "network_size")]
    pub network_size: u32,
    /// What carries the first network between hosts: `local`, `flat:PHYSICAL` or `vxlan:VNI`.
    #[serde(default)]
    pub flat_segment: FlatSegment,
    /// The addresses of the outside that projects can hold: the external network's.
    #[serde(default = "floating_range")]
    pub floating_range: Ipv4Net,
}

/// What carries the first network's frames between hosts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct FlatSegment(pub Segment);

impl TryFrom<String> for FlatSegment {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let read = |segment: Result<Segment, NotASegment>| segment.map_err(|e| e.to_string());
        let segment = match word.split_once(':') {
            None if word == "local" => Segment::Local,
            Some(("flat", physical)) => read(segments::of_parts(SegmentKind::Flat, physical, 0))?,
            Some(("vxlan", vni)) => {
                let vni = vni.parse().unwrap_or_default();
                read(segments::of_parts(SegmentKind::Vxlan, "", vni))?
            }
            _ => {
                return Err(format!(
                    "{word:?} is no segment of the first network; use local, flat:PHYSICAL or vxlan:VNI"
                ));
            }
        };
        Ok(Self(segment))
    }
}

impl Config {
    /// The broker's management, if this process was told where it is.
    ///
    /// # Errors
    /// When an address cannot be read.
    pub fn management(&self) -> Result<Option<Management>, accounts::Error> {
        let Some(address) = &self.management else {
            return Ok(None);
        };
        // Everything of this cloud lives in the virtual host that this process itself uses.
        let host = subscriber::virtual_host(&self.broker)?;
        Management::new(address, &host).map(Some)
    }
}

fn info() -> String {
    "info".to_owned()
}

fn region_one() -> String {
    "RegionOne".to_owned()
}

const fn four_hours() -> u64 {
    4 * 3600
}

fn fixed_range() -> Ipv4Net {
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 1, 0, 0), 16)
}

fn floating_range() -> Ipv4Net {
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(172, 17, 1, 0), 24)
}

const fn network_size() -> u32 {
    512
}

impl std::fmt::Debug for Config {
    /// Without what is secret: passwords are also inside the addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("listen", &self.listen)
            .field("public_url", &self.public_url)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bootstrap")
            .field("fixed_range", &self.fixed_range)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_networks_segment_is_one_word() {
        let read = |word: &str| FlatSegment::try_from(word.to_owned()).map(|read| read.0);
        let told = |word: &str| read(word).unwrap().to_string();
        assert_eq!(told("local"), "local");
        assert_eq!(told("flat:trunk"), "flat on trunk");
        assert_eq!(told("vxlan:70000"), "VXLAN 70000");
        for bad in [
            "",
            "flat",
            "flat:",
            "flat:a b",
            "vlan:trunk:7",
            "vxlan:0",
            "vxlan:x",
            "vxlan:16777216",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
