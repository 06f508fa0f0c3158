//! Which interface of a machine leads where, as it is named on the command line.

use std::{collections::BTreeMap, net::Ipv4Addr};

use skybus_model::segment::{NotASegment, PhysicalNetwork, Vni};

use super::interface;
use crate::Error;

/// Interfaces by the physical network that they are on.
pub type Physical = BTreeMap<PhysicalNetwork, String>;

/// `NAME=INTERFACE`.
///
/// # Errors
/// What it should look like.
pub fn physical(text: &str) -> Result<(PhysicalNetwork, String), String> {
    let (name, link) = text
        .split_once('=')
        .ok_or("write it as NAME=INTERFACE, e.g. trunk=eth1")?;
    let name = name
        .parse()
        .map_err(|error: NotASegment| error.to_string())?;
    Ok((name, interface(link)?))
}

/// An address that other hosts can send to.
///
/// # Errors
/// What it should look like.
pub fn tunnel(text: &str) -> Result<Ipv4Addr, String> {
    let address: Ipv4Addr = text
        .parse()
        .map_err(|_| format!("{text} is no IPv4 address"))?;
    let nobody = address.is_unspecified() || address.is_multicast() || address.is_broadcast();
    if nobody || address.is_loopback() {
        return Err("give an address under which other hosts reach this one".to_owned());
    }
    Ok(address)
}

/// What carries the first network when nobody said: nothing.
pub fn local() -> String {
    "local".to_owned()
}

/// A segment in a word, as the API server's configuration has it.
///
/// # Errors
/// What it should look like.
pub fn first_segment(text: &str) -> Result<String, String> {
    let form = "give local, flat:PHYSICAL or vxlan:NUMBER, e.g. flat:physnet1";
    let fits = |error: NotASegment| error.to_string();
    match text.split_once(':') {
        None if text == local() => {}
        Some(("flat", physical)) => {
            physical.parse::<PhysicalNetwork>().map_err(fits)?;
        }
        Some(("vxlan", number)) => {
            let number: u32 = number.parse().map_err(|_| form)?;
            Vni::try_from(number).map_err(fits)?;
        }
        _ => return Err(form.to_owned()),
    }
    Ok(text.to_owned())
}

/// All that was named, in place of what was before; nothing when nothing was.
///
/// # Errors
/// When a network or an interface is named twice.
pub fn named(all: &[(PhysicalNetwork, String)]) -> Result<Option<Physical>, Error> {
    let mut named = Physical::new();
    for (name, link) in all {
        let twice = named.values().any(|other| other == link);
        if named.insert(name.clone(), link.clone()).is_some() || twice {
            return Err(Error::Options(format!(
                "--physical {name}={link}: each physical network has one interface here, and each interface is on \
                 one; leave the other out"
            )));
        }
    }
    Ok((!named.is_empty()).then_some(named))
}
