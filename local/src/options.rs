//! What the operator may choose, on the command line and remembered from the first start.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use skybus_model::segment::PhysicalNetwork;

use crate::{Error, data_dir};

pub mod cables;

pub use cables::Physical;
pub(crate) use cables::{physical, tunnel};

/// How guests are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VirtType {
    /// By KVM when it proves to work here, else by emulation.
    Auto,
    /// By KVM.
    Kvm,
    /// By QEMU's emulation.
    Tcg,
    /// In memory only: no guest runs, no root is needed.
    Fake,
}

impl VirtType {
    /// As it is written in configuration files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
            Self::Fake => "fake",
        }
    }
}

/// Start a cloud on this machine: a broker, one process per role, all on loopback.
///
/// What is chosen at the first start is remembered in the data directory.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "skybus up", version)]
pub struct Up {
    /// Return when the cloud answers, and leave it running
    #[arg(long)]
    pub detach: bool,
    /// Addresses of the first network, e.g. 10.1.0.0/16
    #[arg(long, value_name = "CIDR", value_parser = cidr)]
    pub fixed_range: Option<String>,
    /// How many of them the first network takes: a power of two
    #[arg(long, value_name = "COUNT", value_parser = network_size)]
    pub network_size: Option<u32>,
    /// What carries the first network between hosts: local (nothing), flat:PHYSICAL or vxlan:NUMBER; chosen
    /// once, at the first start
    #[arg(long, value_name = "SEGMENT", value_parser = cables::first_segment)]
    pub flat_segment: Option<String>,
    /// Addresses for floating IPs, the external network's, e.g. 172.17.1.0/24; chosen once, at the first start
    #[arg(long, value_name = "CIDR", value_parser = cidr)]
    pub floating_range: Option<String>,
    /// The interface on whose wire this machine answers for floating IPs, e.g. eth0; without, only this
    /// machine and its guests reach them
    #[arg(long, value_name = "NAME", value_parser = interface)]
    pub public_interface: Option<String>,
    /// This machine is on the physical network NAME by INTERFACE, e.g. trunk=eth1: it can carry VLANs of it, or
    /// the whole; may be given several times
    #[arg(long, value_name = "NAME=INTERFACE", value_parser = physical)]
    pub physical: Vec<(PhysicalNetwork, String)>,
    /// The address of this machine under which other hosts send it what is on VXLANs
    #[arg(long, value_name = "ADDRESS", value_parser = tunnel)]
    pub tunnel_address: Option<Ipv4Addr>,
    /// How guests are run
    #[arg(long, value_enum)]
    pub virt_type: Option<VirtType>,
    /// Play so many hosts in memory (with --virt-type fake)
    #[arg(long, value_name = "COUNT")]
    pub fake_hosts: Option<u32>,
    /// Where everything of this cloud lies
    #[arg(long, value_name = "DIR", env = "SKYBUS_DATA_DIR", default_value = data_dir::DEFAULT)]
    pub data_dir: PathBuf,
    /// Where the APIs listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// An address of this machine under which other machines reach the cloud: APIs and broker listen there
    #[arg(long, value_name = "ADDRESS")]
    pub public_address: Option<Ipv4Addr>,
    /// Use this RabbitMQ instead of one of our own: amqp://ADMIN:PASSWORD@HOST:PORT
    #[arg(
        long,
        value_name = "URL",
        env = "SKYBUS_BROKER",
        hide_env_values = true
    )]
    pub broker: Option<String>,
    /// That RabbitMQ's management API, when it is not at port 15672 of the same host
    #[arg(
        long,
        value_name = "URL",
        env = "SKYBUS_BROKER_MANAGEMENT",
        hide_env_values = true
    )]
    pub broker_management: Option<String>,
    /// Use this database instead of SQLite: postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long,
        value_name = "URL",
        env = "SKYBUS_DATABASE",
        hide_env_values = true
    )]
    pub database: Option<String>,
}

/// What one cloud was told at its starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// See [`Up::fixed_range`].
    pub fixed_range: String,
    /// See [`Up::network_size`].
    pub network_size: u32,
    /// See [`Up::flat_segment`].
    #[serde(default = "cables::local")]
    pub flat_segment: String,
    /// See [`Up::floating_range`].
    pub floating_range: String,
    /// See [`Up::public_interface`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_interface: Option<String>,
    /// See [`Up::virt_type`].
    pub virt_type: VirtType,
    /// See [`Up::fake_hosts`].
    pub fake_hosts: u32,
    /// See [`Up::listen`].
    pub listen: SocketAddr,
    /// See [`Up::public_address`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_address: Option<Ipv4Addr>,
    /// See [`Up::broker`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// See [`Up::broker_management`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker_management: Option<String>,
    /// See [`Up::database`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// See [`Up::tunnel_address`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel_address: Option<Ipv4Addr>,
    /// See [`Up::physical`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub physical: Physical,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fixed_range: "10.1.0.0/16".to_owned(),
            network_size: 512,
            flat_segment: cables::local(),
            floating_range: "172.17.1.0/24".to_owned(),
            public_interface: None,
            virt_type: VirtType::Auto,
            fake_hosts: 0,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8774)),
            public_address: None,
            broker: None,
            broker_management: None,
            database: None,
            tunnel_address: None,
            physical: Physical::new(),
        }
    }
}

impl Options {
    /// What holds after this command line: what it names wins over what is remembered.
    ///
    /// # Errors
    /// When it contradicts itself, or would change what only the first start can choose.
    pub fn chosen(up: &Up, remembered: Option<&Self>) -> Result<Self, Error> {
        let mut options = remembered.cloned().unwrap_or_default();
        if let Some(former) = remembered {
            fixed_once(
                "--fixed-range",
                up.fixed_range.as_ref(),
                &former.fixed_range,
            )?;
            fixed_once(
                "--network-size",
                up.network_size.as_ref(),
                &former.network_size,
            )?;
            fixed_once(
                "--flat-segment",
                up.flat_segment.as_ref(),
                &former.flat_segment,
            )?;
            fixed_once(
                "--floating-range",
                up.floating_range.as_ref(),
                &former.floating_range,
            )?;
            let former = former.database.as_deref().unwrap_or("SQLite");
            fixed_once("--database", up.database.as_deref(), former)?;
        }
        set(&mut options.fixed_range, up.fixed_range.clone());
        set(&mut options.network_size, up.network_size);
        set(&mut options.flat_segment, up.flat_segment.clone());
        set(&mut options.floating_range, up.floating_range.clone());
        set(
            &mut options.public_interface,
            up.public_interface.clone().map(Some),
        );
        set(&mut options.tunnel_address, up.tunnel_address.map(Some));
        set(&mut options.physical, cables::named(&up.physical)?);
        set(&mut options.virt_type, up.virt_type);
        set(&mut options.fake_hosts, up.fake_hosts);
        set(&mut options.listen, up.listen);
        options.public(up)?;
        set(&mut options.broker, up.broker.clone().map(Some));
        set(
            &mut options.broker_management,
            up.broker_management.clone().map(Some),
        );
        set(&mut options.database, up.database.clone().map(Some));
        if remembered.is_none() {
            options.check_ranges()?;
        }
        if options.fake_hosts > 0 && options.virt_type != VirtType::Fake {
            return Err(Error::Options(
                "--fake-hosts plays hosts in memory; give --virt-type fake as well".to_owned(),
            ));
        }
        if options.broker_management.is_some() && options.broker.is_none() {
            return Err(Error::Options(
                "--broker-management belongs to a broker of yours; give --broker as well"
                    .to_owned(),
            ));
        }
        Ok(options)
    }

    /// Refuses floating IPs that would be addresses of the first network.
    fn check_ranges(&self) -> Result<(), Error> {
        let (first, _) = ends(&self.fixed_range);
        let last = first.saturating_add(self.network_size - 1);
        let (begin, end) = ends(&self.floating_range);
        if begin <= last && first <= end {
            return Err(Error::Options(format!(
                "the floating IPs {} would be addresses of the first network, {} from {} on; choose \
                 another --floating-range or --fixed-range",
                self.floating_range,
                self.network_size,
                Ipv4Addr::from(first)
            )));
        }
        Ok(())
    }
}

/// The first and the last address of a range that [`cidr`] has checked.
fn ends(range: &str) -> (u32, u32) {
    let (address, length) = range.split_once('/').unwrap_or((range, "32"));
    let first = address.parse::<Ipv4Addr>().map_or(0, u32::from);
    let length = length.parse::<u32>().unwrap_or(32);
    let rest = u32::MAX.checked_shr(length).unwrap_or(0);
    (first, first | rest)
}

impl Options {
    /// The APIs listen where other machines are told to look for them.
    fn public(&mut self, up: &Up) -> Result<(), Error> {
        set(&mut self.public_address, up.public_address.map(Some));
        let Some(address) = self.public_address else {
            return Ok(());
        };
        if up.listen.is_none() && up.public_address.is_some() && !self.listen.ip().is_unspecified()
        {
            self.listen.set_ip(address.into());
        }
        let heard = self.listen.ip().is_unspecified() || self.listen.ip() == address;
        if heard {
            return Ok(());
        }
        Err(Error::Options(format!(
            "the APIs would listen on {}, where nobody finds them at the public address {address}; give \
             --listen {address}:{port} or --listen 0.0.0.0:{port}, or leave --listen out",
            self.listen,
            port = self.listen.port(),
        )))
    }
}

fn set<T>(place: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *place = value;
    }
}

fn fixed_once<T: PartialEq + ?Sized>(
    option: &str,
    given: Option<&T>,
    former: &T,
) -> Result<(), Error> {
    // The values are not shown: a database's address holds a password.
    if given.is_some_and(|given| given != former) {
        return Err(Error::Options(format!(
            "this cloud was made with another {option}, which cannot be changed any more; leave the \
             option out, or use another --data-dir"
        )));
    }
    Ok(())
}

fn cidr(text: &str) -> Result<String, String> {
    let (address, length) = text
        .split_once('/')
        .ok_or("write it as ADDRESS/LENGTH, e.g. 10.1.0.0/16")?;
    let address: Ipv4Addr = address
        .parse()
        .map_err(|_| format!("{address} is no IPv4 address"))?;
    let length: u32 = length
        .parse()
        .map_err(|_| format!("{length} is no prefix length"))?;
    if !(8..=30).contains(&length) {
        return Err("the prefix length must be from 8 to 30".to_owned());
    }
    let network = Ipv4Addr::from(u32::from(address) & (u32::MAX << (32 - length)));
    if network != address {
        return Err(format!(
            "{address} is not the first address of it; write {network}/{length}"
        ));
    }
    Ok(text.to_owned())
}

/// As the network agent reads it.
pub(crate) fn interface(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.@".contains(&b);
    if (1..=15).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("that is no interface's name; `ip link` lists them".to_owned())
    }
}

fn network_size(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(size) if size.is_power_of_two() && (8..=1 << 24).contains(&size) => Ok(size),
        _ => Err("give a power of two from 8 on, e.g. 256 or 512".to_owned()),
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
