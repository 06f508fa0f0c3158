//! What is on the host, as `ip` and `/proc` show it.

use std::{collections::BTreeMap, fs, io, net::Ipv4Addr};

use ipnet::Ipv4Net;
use serde::Deserialize;

use crate::program::{self, Error, Place};

/// A link as `ip -json -details address` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Link {
    /// Its name.
    #[serde(default)]
    pub ifname: String,
    /// Its number in its namespace.
    #[serde(default)]
    pub ifindex: u32,
    /// The number of the link that it lies on, where that is in another namespace.
    #[serde(default)]
    pub link_index: Option<u32>,
    /// `UP`, `NO-CARRIER` and so on.
    #[serde(default)]
    pub flags: Vec<String>,
    /// The largest packet.
    #[serde(default)]
    pub mtu: u32,
    /// The bridge that it is plugged into.
    #[serde(default)]
    pub master: Option<String>,
    /// Its hardware address.
    #[serde(default)]
    pub address: Option<String>,
    /// A text that somebody put on it.
    #[serde(default)]
    pub ifalias: Option<String>,
    /// What kind of link it is.
    #[serde(default)]
    pub linkinfo: Option<LinkInfo>,
    /// Its addresses.
    #[serde(default)]
    pub addr_info: Vec<Address>,
}

/// What kind of link it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct LinkInfo {
    /// `bridge`, `veth`, `tun`.
    #[serde(default)]
    pub info_kind: String,
    /// What such a link has that others have not.
    #[serde(default)]
    pub info_data: serde_json::Value,
    /// What a bridge holds about it.
    #[serde(default)]
    pub info_slave_data: Option<BridgePort>,
}

/// What a bridge holds about a link that is plugged into it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct BridgePort {
    /// Whether a frame may leave where it came in.
    #[serde(default)]
    pub hairpin: bool,
}

/// An address of a link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Address {
    /// `inet` or `inet6`.
    #[serde(default)]
    pub family: String,
    /// The address.
    #[serde(default)]
    pub local: String,
    /// The length of its prefix.
    #[serde(default)]
    pub prefixlen: u8,
}

/// A route as `ip -json route` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Route {
    /// Where to; `default` is everywhere.
    #[serde(default)]
    pub dst: String,
    /// By way of.
    #[serde(default)]
    pub gateway: Option<String>,
    /// Through which link.
    #[serde(default)]
    pub dev: Option<String>,
}

/// Links and routes of one place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    /// By name.
    pub links: BTreeMap<String, Link>,
    /// Of the main table.
    pub routes: Vec<Route>,
}

impl Link {
    /// Whether it is switched on.
    #[must_use]
    pub fn up(&self) -> bool {
        self.flags.iter().any(|flag| flag == "UP")
    }

    /// Whether its bridge may send a frame back out of it.
    #[must_use]
    pub fn reflects(&self) -> bool {
        let info = self.linkinfo.as_ref();
        info.and_then(|info| info.info_slave_data.as_ref())
            .is_some_and(|port| port.hairpin)
    }

    /// What kind of link it is, if that is told.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.linkinfo.as_ref().map_or("", |info| &info.info_kind)
    }

    /// A word or number that only its kind of link has; empty when it has none.
    #[must_use]
    pub fn data(&self, key: &str) -> String {
        let info = self.linkinfo.as_ref();
        match info.and_then(|info| info.info_data.get(key)) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    /// Its IPv4 addresses; others are none of ours.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Net> {
        self.addr_info.iter().filter_map(|address| {
            let local: Ipv4Addr = address.local.parse().ok()?;
            Ipv4Net::new(local, address.prefixlen).ok()
        })
    }

    /// Whether it has this address.
    #[must_use]
    pub fn has(&self, address: Ipv4Net) -> bool {
        self.addresses().any(|other| other == address)
    }
}

impl Links {
    /// Reads them.
    ///
    /// # Errors
    /// When `ip` cannot be asked.
    pub fn read(place: Place<'_>) -> Result<Self, Error> {
        let mut read = Self::without_routes(place)?;
        read.routes = program::ip_show(place, &["-4", "route"])?;
        Ok(read)
    }

    /// Reads the links alone.
    ///
    /// # Errors
    /// When `ip` cannot be asked.
    pub fn without_routes(place: Place<'_>) -> Result<Self, Error> {
        let links: Vec<Link> = program::ip_show(place, &["address"])?;
        let named = links.into_iter().filter(|link| !link.ifname.is_empty());
        Ok(Self {
            links: named.map(|link| (link.ifname.clone(), link)).collect(),
            routes: Vec::new(),
        })
    }

    /// Everything that is reached directly or by a route from here.
    #[must_use]
    pub fn used(&self) -> Vec<Ipv4Net> {
        let addresses = self.links.values().flat_map(Link::addresses);
        let routes = self.routes.iter().filter_map(|route| {
            let dst = &route.dst;
            dst.parse::<Ipv4Net>()
                .ok()
                .or_else(|| dst.parse::<Ipv4Addr>().ok().map(Ipv4Net::from))
        });
        addresses.chain(routes).collect()
    }
}

/// The value of a kernel setting at this place; nothing when this kernel has no such setting.
///
/// # Errors
/// When it is there and cannot be read.
pub fn setting(place: Place<'_>, key: &str) -> io::Result<Option<String>> {
    let path = setting_path(key);
    place.run(|| match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    })
}

/// Changes a kernel setting at this place.
///
/// # Errors
/// When it cannot be written.
pub fn set(place: Place<'_>, key: &str, value: &str) -> io::Result<()> {
    let path = setting_path(key);
    place
        .run(|| fs::write(&path, value))
        .map_err(|error| io::Error::new(error.kind(), format!("writing {path}: {error}")))
}

/// A setting's path is looked up in the namespace of the thread that opens it.
fn setting_path(key: &str) -> String {
    format!("/proc/sys/{}", key.replace('.', "/"))
}
