//! The network worker of a host: makes the networks that the control plane asks for, and keeps them.
//!
//! Read [`desired`] (what should be), then [`linux`] (how a host is brought there), then the pure
//! functions that it uses: [`links`], [`filter`], [`dhcp`], [`uplink`]. [`agent`] is the part that hears
//! commands and reports. [`metadata`] forwards the guests' questions about themselves.

pub mod changes;
pub mod desired;
pub mod dhcp;
pub mod dnsmasq;
pub mod failure;
pub mod filter;
pub mod links;
pub mod linux;
pub mod observed;
pub mod program;
pub mod ruleset;
pub mod transit;
pub mod uplink;

#[cfg(test)]
pub(crate) mod testing;
