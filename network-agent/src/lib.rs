//! The network worker of a host: makes the networks that the control plane asks for, and keeps them.
//!
//! Read [`desired`] (what should be), then [`linux`] (how a host is brought there), then the pure
//! functions that it uses: [`links`], [`wire`], [`filter`], [`dhcp`], [`uplink`]. [`agent`] is the part that hears
//! commands and reports. [`metadata`] forwards the guests' questions about themselves.

pub mod agent;
pub mod announce;
pub mod beat;
pub mod carries;
pub mod changes;
pub mod config;
pub mod decision;
pub mod desired;
pub mod dhcp;
pub mod dnsmasq;
pub mod driver;
pub mod failure;
pub mod filter;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod links;
pub mod linux;
pub mod metadata;
pub mod observed;
pub mod orphans;
pub mod outside;
pub mod plan;
pub mod program;
pub mod record;
pub mod report;
pub mod ruleset;
pub mod teardown;
pub mod transit;
pub mod tunnels;
pub mod uplink;
pub mod wire;
pub mod worker;

#[cfg(test)]
pub(crate) mod testing;
