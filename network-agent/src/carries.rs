//! What a host can carry of networks that several hosts share: found by trying, since a kernel's
//! configuration says neither what it can load nor what it is allowed to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use skybus_model::{
    network::NetworkSpec,
    segment::{Carries, PhysicalNetwork, Segment, SegmentKind},
};
use skybus_sys::namespace;

use crate::{
    failure::Error,
    observed::{Link, Links},
    program::{self, Place},
    wire::{Lower, VXLAN_PORT, Wire},
};

/// What the operator said of a host's cables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wiring {
    /// Which interface is on which physical network.
    pub physical: BTreeMap<PhysicalNetwork, String>,
    /// The host's end of tunnels.
    pub tunnel: Option<Ipv4Addr>,
}

/// A host's cables, and what its kernel proved to be able to do with such.
#[derive(Debug, Default)]
pub struct Carrier {
    wiring: Wiring,
    proven: Mutex<BTreeSet<SegmentKind>>,
}

impl Wiring {
    /// What an imagined host, the n-th from 0 on, carries: all that it is said to, each at an address of
    /// its own.
    #[must_use]
    pub fn imagined(&self, n: u32) -> Carries {
        let physical: BTreeSet<PhysicalNetwork> = self.physical.keys().cloned().collect();
        let nth = |first: Ipv4Addr| Ipv4Addr::from(u32::from(first).saturating_add(n));
        Carries {
            flat: physical.clone(),
            vlan: physical,
            tunnel: self.tunnel.map(nth),
            lacks: BTreeMap::new(),
        }
    }
}

impl Carrier {
    /// A host that is wired like this.
    #[must_use]
    pub fn new(wiring: Wiring) -> Self {
        Self {
            wiring,
            proven: Mutex::default(),
        }
    }

    /// The host's end of tunnels.
    #[must_use]
    pub const fn tunnel(&self) -> Option<Ipv4Addr> {
        self.wiring.tunnel
    }

    /// What this host carries now. What its kernel has proven once is not tried again.
    ///
    /// # Errors
    /// When the host's links cannot be read.
    pub fn look(&self) -> Result<Carries, program::Error> {
        let host = Links::without_routes(Place::Host)?;
        Ok(self.judged(&host, |kind| self.proves(kind)))
    }

    /// The same, of what was seen; `proves` says whether the kernel makes links for a kind.
    fn judged(&self, host: &Links, proves: impl Fn(SegmentKind) -> Result<(), String>) -> Carries {
        let (mut carries, mut lacks) = (Carries::default(), Vec::new());
        for kind in [SegmentKind::Flat, SegmentKind::Vlan] {
            if let Err(why) = proves(kind) {
                lacks.push((kind, why));
                continue;
            }
            for (physical, name) in &self.wiring.physical {
                match (fits(host, physical, name, kind), kind) {
                    (Err(why), _) => lacks.push((kind, why)),
                    (Ok(_), SegmentKind::Flat) => drop(carries.flat.insert(physical.clone())),
                    (Ok(_), _) => drop(carries.vlan.insert(physical.clone())),
                }
            }
        }
        match (proves(SegmentKind::Vxlan), self.wiring.tunnel) {
            (Err(why), _) => lacks.push((SegmentKind::Vxlan, why)),
            (Ok(()), Some(own)) if !has(host, own) => {
                let why = format!(
                    "the tunnel address {own} is none of this host's; give it to an interface, or name one \
                     that the host has"
                );
                lacks.push((SegmentKind::Vxlan, why));
            }
            (Ok(()), own) => carries.tunnel = own,
        }
        for (kind, why) in lacks {
            let all = carries.lacks.entry(kind).or_default();
            if !all.is_empty() {
                all.push_str("; ");
            }
            all.push_str(&why);
        }
        carries
    }

    fn proves(&self, kind: SegmentKind) -> Result<(), String> {
        let proven = || self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if !proven().contains(&kind) {
            tried(kind)?;
            proven().insert(kind);
        }
        Ok(())
    }

    /// Why the host cannot take part in a network, as [`Carries::refusal`] says it.
    ///
    /// # Errors
    /// [`Error::Segment`] when it cannot.
    pub fn allow(&self, segment: &Segment) -> Result<(), Error> {
        if *segment == Segment::Local {
            return Ok(());
        }
        match self.look()?.refusal(segment) {
            Some(why) => Err(Error::Segment(why)),
            None => Ok(()),
        }
    }

    /// The link that a network needs on this host; nothing for one that each host has for itself.
    ///
    /// # Errors
    /// [`Error::Segment`] when nothing is there for it to lie on, or only something narrower than its packets.
    pub fn wire(&self, network: &NetworkSpec, host: &Links) -> Result<Option<Wire>, Error> {
        let segment = &network.segment;
        let refuse = |why: String| Error::Segment(format!("it cannot carry {segment}: {why}"));
        let lower = |physical: &PhysicalNetwork| {
            let Some(name) = self.wiring.physical.get(physical) else {
                let none = Carries::default().refusal(segment).unwrap_or_default();
                return Err(Error::Segment(none));
            };
            let link = there(host, physical, name).map_err(refuse)?;
            if link.mtu < u32::from(network.mtu) {
                return Err(refuse(format!(
                    "its packets of {} bytes do not fit through {name}, which takes {}; `ip link set {name} mtu \
                     {0}` widens it if all that is on its wire can take as much, or make the network's MTU smaller",
                    network.mtu, link.mtu
                )));
            }
            Ok(Lower {
                name: name.clone(),
                index: link.ifindex,
            })
        };
        Ok(match segment {
            Segment::Local => None,
            Segment::Flat { physical } => Some(Wire::Flat(lower(physical)?)),
            Segment::Vlan { physical, id } => Some(Wire::Vlan(lower(physical)?, *id)),
            Segment::Vxlan { vni } => {
                let own = self.wiring.tunnel.ok_or_else(|| {
                    Error::Segment(Carries::default().refusal(segment).unwrap_or_default())
                })?;
                Some(Wire::Vxlan(
                    *vni,
                    own,
                    network.peers.iter().copied().collect(),
                ))
            }
        })
    }
}

/// Makes a link of this kind where it can do no harm; why it could not, if so.
fn tried(kind: SegmentKind) -> Result<(), String> {
    let (what, module, line) = match kind {
        SegmentKind::Local => return Ok(()),
        SegmentKind::Flat => (
            "macvlan",
            "macvlan",
            "link add link here name tried type macvlan mode passthru".to_owned(),
        ),
        SegmentKind::Vlan => (
            "802.1Q",
            "8021q",
            "link add link here name tried type vlan id 1".to_owned(),
        ),
        SegmentKind::Vxlan => (
            "VXLAN",
            "vxlan",
            format!("link add tried type vxlan id 1 local 192.0.2.1 dstport {VXLAN_PORT}"),
        ),
    };
    let script = format!(
        "link add here type veth peer name there\nlink set here up\n{line}\nlink set tried up\nlink delete tried\n"
    );
    let mut outcome = Ok(());
    let made = namespace::scratch(|| {
        outcome = program::ip(Place::Host, &script);
        Ok(())
    });
    let said = match (made, outcome) {
        (Ok(()), Ok(())) => return Ok(()),
        (Err(error), _) => error.to_string(),
        (_, Err(error)) => error.to_string(),
    };
    Err(format!(
        "the kernel has no {what} ({said}); load it with `modprobe {module}`, or boot a kernel that has it"
    ))
}

/// The interface that is on a physical network.
fn there<'a>(host: &'a Links, physical: &PhysicalNetwork, name: &str) -> Result<&'a Link, String> {
    let link = host.links.get(name).ok_or_else(|| {
        format!("its interface on {physical}, {name}, is not there; plug it in, or name another")
    })?;
    if link.flags.iter().any(|flag| flag == "LOOPBACK") {
        return Err(format!(
            "its interface on {physical}, {name}, is the loopback, which leads nowhere; name another"
        ));
    }
    if !link.up() {
        return Err(format!(
            "its interface on {physical}, {name}, is down; switch it on with `ip link set {name} up`"
        ));
    }
    Ok(link)
}

/// Whether a link of this kind can lie on the interface.
fn fits<'a>(
    host: &'a Links,
    physical: &PhysicalNetwork,
    name: &str,
    kind: SegmentKind,
) -> Result<&'a Link, String> {
    let link = there(host, physical, name)?;
    if kind != SegmentKind::Flat {
        return Ok(link);
    }
    if let Some(address) = link.addr_info.iter().find(|address| {
        let local = address.local.parse::<Ipv6Addr>();
        // The kernel gives such a one to every interface, unasked.
        !local.is_ok_and(|local| local.is_unicast_link_local())
    }) {
        return Err(format!(
            "its interface on {physical}, {name}, has an address of the host itself, {}, that would no longer be \
             reached; take it away, or name another interface",
            address.local
        ));
    }
    match &link.master {
        Some(master) => Err(format!(
            "its interface on {physical}, {name}, is a part of {master}; take it out, or name another interface"
        )),
        None => Ok(link),
    }
}

fn has(host: &Links, address: Ipv4Addr) -> bool {
    let mut all = host.links.values().flat_map(Link::addresses);
    all.any(|net| net.addr() == address)
}

#[cfg(test)]
mod tests;
