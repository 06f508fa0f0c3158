//! What carries a network's frames between hosts, and which hosts can take part in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::server::state::{UnknownWord, words};

words! {
    /// The kinds of segments, in the words of the Network API's `provider:network_type`.
    SegmentKind {
        /// Nothing: a piece of layer 2 of each host's own.
        Local = "local",
        /// The whole of a physical network.
        Flat = "flat",
        /// An IEEE 802.1Q VLAN of a physical network.
        Vlan = "vlan",
        /// A VXLAN (RFC 7348) between the hosts that have ports of it.
        Vxlan = "vxlan",
    }
}

/// What carries a network's frames from host to host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Segment {
    /// Nothing: each host has a piece of its own.
    #[default]
    Local,
    /// The whole of a physical network, untagged; `physical` names it.
    Flat {
        /// Which one.
        physical: PhysicalNetwork,
    },
    /// A VLAN of a physical network; `physical` names that, `id` is the tag.
    Vlan {
        /// Which physical network.
        physical: PhysicalNetwork,
        /// The tag.
        id: VlanId,
    },
    /// A VXLAN between hosts that reach each other's tunnel addresses; `vni` is its number.
    Vxlan {
        /// Its network identifier.
        vni: Vni,
    },
}

impl Segment {
    /// Of which kind it is.
    #[must_use]
    pub const fn kind(&self) -> SegmentKind {
        match self {
            Self::Local => SegmentKind::Local,
            Self::Flat { .. } => SegmentKind::Flat,
            Self::Vlan { .. } => SegmentKind::Vlan,
            Self::Vxlan { .. } => SegmentKind::Vxlan,
        }
    }

    /// The physical network that it is a part of.
    #[must_use]
    pub const fn physical(&self) -> Option<&PhysicalNetwork> {
        match self {
            Self::Flat { physical } | Self::Vlan { physical, .. } => Some(physical),
            Self::Local | Self::Vxlan { .. } => None,
        }
    }

    /// Its number among those of its kind.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Vlan { id, .. } => Some(u32::from(id.0)),
            Self::Vxlan { vni } => Some(vni.0),
            Self::Local | Self::Flat { .. } => None,
        }
    }

    /// How much smaller than the wire's the largest packet is: what a VXLAN puts around each (RFC 7348:
    /// 14 bytes of the inner frame's header, 8 of VXLAN's, 8 of UDP's, 20 of IPv4's).
    #[must_use]
    pub const fn overhead(&self) -> u16 {
        match self {
            Self::Vxlan { .. } => 50,
            _ => 0,
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Flat { physical } => write!(f, "flat on {physical}"),
            Self::Vlan { physical, id } => write!(f, "VLAN {id} on {physical}"),
            Self::Vxlan { vni } => write!(f, "VXLAN {vni}"),
        }
    }
}

/// The name of a physical network: what hosts that are plugged into the same wire call that wire. One word
/// of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`, at most 64 long.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhysicalNetwork(String);

/// The number of a VLAN: 1 to 4094 (IEEE 802.1Q).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct VlanId(u16);

/// The number of a VXLAN: 1 to 16777215 (RFC 7348, 24 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Vni(u32);

/// What cannot be a part of a segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASegment {
    /// The text is no physical network's name.
    #[error(
        "{0:?} cannot be a physical network's name; use 1 to 64 letters, digits, '-', '_' and '.'"
    )]
    Physical(String),
    /// The number is no VLAN's.
    #[error("{0} cannot be a VLAN's number; use 1 to 4094")]
    Vlan(u32),
    /// The number is no VXLAN's.
    #[error("{0} cannot be a VXLAN's number; use 1 to 16777215")]
    Vni(u32),
}

impl PhysicalNetwork {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PhysicalNetwork {
    type Err = NotASegment;

    fn from_str(text: &str) -> Result<Self, NotASegment> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASegment::Physical(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for PhysicalNetwork {
    type Error = NotASegment;
    fn try_from(text: String) -> Result<Self, NotASegment> {
        text.parse()
    }
}

impl From<PhysicalNetwork> for String {
    fn from(name: PhysicalNetwork) -> Self {
        name.0
    }
}

impl fmt::Display for PhysicalNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<u32> for VlanId {
    type Error = NotASegment;
    fn try_from(id: u32) -> Result<Self, NotASegment> {
        u16::try_from(id)
            .ok()
            .filter(|id| (1..=4094).contains(id))
            .map(Self)
            .ok_or(NotASegment::Vlan(id))
    }
}

impl From<VlanId> for u32 {
    fn from(id: VlanId) -> Self {
        id.0.into()
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u32> for Vni {
    type Error = NotASegment;
    fn try_from(vni: u32) -> Result<Self, NotASegment> {
        if (1..1 << 24).contains(&vni) {
            Ok(Self(vni))
        } else {
            Err(NotASegment::Vni(vni))
        }
    }
}

impl From<Vni> for u32 {
    fn from(vni: Vni) -> Self {
        vni.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a host found, by trying, that it can carry. Nothing is said of local segments: every host has them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Carries {
    /// Physical networks of which it can carry the whole.
    #[serde(default)]
    pub flat: BTreeSet<PhysicalNetwork>,
    /// Physical networks of which it can carry VLANs.
    #[serde(default)]
    pub vlan: BTreeSet<PhysicalNetwork>,
    /// Its end of tunnels, if it can carry VXLANs.
    #[serde(default)]
    pub tunnel: Option<Ipv4Addr>,
    /// Why it cannot carry a kind, for kinds that it was meant to carry or that its kernel lacks.
    #[serde(default)]
    pub lacks: BTreeMap<SegmentKind, String>,
}

impl Carries {
    /// Why the host cannot carry `segment`, in a part of a sentence; `None` when it can.
    #[must_use]
    pub fn refusal(&self, segment: &Segment) -> Option<String> {
        let carried = match segment {
            Segment::Local => true,
            Segment::Flat { physical } => self.flat.contains(physical),
            Segment::Vlan { physical, .. } => self.vlan.contains(physical),
            Segment::Vxlan { .. } => self.tunnel.is_some(),
        };
        if carried {
            return None;
        }
        let why = self.lacks.get(&segment.kind()).cloned();
        let missing = || match segment.physical() {
            Some(physical) => format!("none of its interfaces is named as being on {physical}"),
            None => "no tunnel address is configured".to_owned(),
        };
        Some(format!(
            "it cannot carry {segment}: {}",
            why.unwrap_or_else(missing)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vlan(physical: &str, id: u32) -> Segment {
        Segment::Vlan {
            physical: physical.parse().unwrap(),
            id: id.try_into().unwrap(),
        }
    }

    #[test]
    fn numbers_and_names_that_cannot_be_are_refused() {
        for bad in [0, 4095, 65_536 + 100] {
            assert!(VlanId::try_from(bad).is_err(), "{bad}");
        }
        for bad in [0, 1 << 24] {
            assert!(Vni::try_from(bad).is_err(), "{bad}");
        }
        for bad in ["", "a b", "a\"", &"x".repeat(65)] {
            assert!(bad.parse::<PhysicalNetwork>().is_err(), "{bad}");
        }
        let read = |text: &str| serde_json::from_str::<Segment>(text);
        let text = r#"{"kind": "vlan", "physical": "trunk", "id": 100}"#;
        assert_eq!(read(text).unwrap(), vlan("trunk", 100));
        assert!(read(&text.replace("100", "5000")).is_err());
        assert!(read(&text.replace("trunk", "tr unk")).is_err());
    }

    #[test]
    fn a_host_says_what_it_lacks() {
        let mut carries = Carries::default();
        assert_eq!(carries.refusal(&Segment::Local), None);
        let refused = |carries: &Carries| carries.refusal(&vlan("trunk", 100)).unwrap();
        assert!(refused(&carries).ends_with("none of its interfaces is named as being on trunk"));
        let why = "the kernel has no 802.1Q".to_owned();
        carries.lacks.insert(SegmentKind::Vlan, why);
        assert_eq!(
            refused(&carries),
            "it cannot carry VLAN 100 on trunk: the kernel has no 802.1Q"
        );
        carries.vlan.insert("trunk".parse().unwrap());
        assert_eq!(carries.refusal(&vlan("trunk", 100)), None);
        assert!(carries.refusal(&vlan("other", 100)).is_some());
    }
}
