//! Networks as a host needs to know them: a port with its addresses and the rules that guard it.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::{
    id::{NetworkId, PortId, ServerId, SubnetId},
    segment::Segment,
    server::state::{UnknownWord, words},
};

words! {
    /// Which way the packets go that a rule speaks of.
    Direction {
        /// To the server.
        Ingress = "ingress",
        /// From the server.
        Egress = "egress",
    }
}

/// The part of a network that a host must make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// The network.
    pub id: NetworkId,
    /// Its one subnet.
    pub subnet: SubnetId,
    /// The subnet's addresses.
    pub cidr: Ipv4Net,
    /// The gateway's address, the same on every host.
    pub gateway: Ipv4Addr,
    /// Name servers for the guests.
    pub dns: Vec<Ipv4Addr>,
    /// The largest packet.
    pub mtu: u16,
    /// What carries its frames to other hosts.
    #[serde(default)]
    pub segment: Segment,
    /// The tunnel addresses of all hosts that have ports of it, also of the one that is told; empty unless it
    /// is a VXLAN.
    #[serde(default)]
    pub peers: Vec<Ipv4Addr>,
    /// Of two descriptions of a network the one with the higher number is newer. Ports have counters of their
    /// own, and commands for different ports may overtake each other.
    #[serde(default)]
    pub revision: i64,
}

/// A port as its host must make it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortSpec {
    /// The port.
    pub id: PortId,
    /// The server that it belongs to.
    pub server: ServerId,
    /// Its network.
    pub network: NetworkSpec,
    /// Its hardware address.
    pub mac: String,
    /// Its fixed IP.
    pub address: Ipv4Addr,
    /// Its floating IPs: addresses of the outside that are translated to and from its fixed IP.
    #[serde(default)]
    pub floating: Vec<Ipv4Addr>,
    /// The guest's host name, for DHCP.
    pub hostname: String,
    /// What may pass, both ways. What no rule allows is dropped. Groups are already resolved.
    pub rules: Vec<RuleSpec>,
}

/// One thing that may pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSpec {
    /// To or from the server.
    pub direction: Direction,
    /// What kind of packet.
    pub matches: PacketMatch,
    /// From (ingress) or to (egress) where. Empty means anywhere.
    pub remotes: Vec<Ipv4Net>,
}

/// What kind of packet a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PacketMatch {
    /// Every packet.
    Any,
    /// TCP to these ports, both included; `None` for all.
    Tcp(Option<(u16, u16)>),
    /// UDP to these ports, both included; `None` for all.
    Udp(Option<(u16, u16)>),
    /// ICMP of this type and code; `None` for all.
    Icmp {
        /// The type.
        kind: Option<u8>,
        /// The code.
        code: Option<u8>,
    },
    /// Another protocol, by number.
    Protocol(u8),
}
