//! Networks, subnets, ports, the security groups that guard the ports, and floating IPs.
//!
//! A network's frames are carried between hosts by its segment ([`segments`]); which hosts are the ends of a
//! VXLAN is said by `peers`. A port is created with its address in the transaction that needs it ([`ports::create`]), told to a
//! host ([`binding::bind`]) and told again whenever what may pass changes ([`refresh`]). What a host is
//! told is made in one place, [`spec`]. What is *not* here: who may do what, and HTTP.

pub mod allocation;
pub mod binding;
pub mod bootstrap;
pub mod cut;
pub mod first_use;
pub mod floating;
pub mod groups;
mod membership;
pub mod network;
pub(crate) mod peers;
pub mod plugging;
pub mod ports;
pub mod quotas;
pub mod refresh;
pub mod rules;
pub mod scope;
pub mod segments;
pub mod spec;
pub mod subnets;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::on_both;

pub use floating::FloatingIp;
pub use network::Network;
pub use plugging::Plug;
pub use ports::{NewPort, Port};
pub use rules::Rule;
pub use scope::Scope;
pub use subnets::Subnet;
