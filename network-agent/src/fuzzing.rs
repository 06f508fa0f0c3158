//! Doors for the targets in `fuzz/`: where a guest's question is forwarded to, and what a port becomes
//! on the host.

use std::path::Path;

use reqwest::Url;
use skybus_model::network::PortSpec;

use crate::{
    desired::{Network, Port},
    dhcp, filter,
    metadata::Upstream,
    transit::Transit,
};

/// The address to ask for a guest's path; `None` when it is refused.
#[must_use]
pub fn forwarded(upstream: &Upstream, path_and_query: &str) -> Option<Url> {
    upstream.address(path_and_query)
}

/// What is written on the host for a port: the packet filter, the configuration of DHCP, its machines.
/// `None` when the port is refused.
#[must_use]
pub fn written(spec: &PortSpec) -> Option<[String; 3]> {
    let port = Port::try_from(spec).ok()?;
    let network = Network {
        spec: spec.network.clone(),
        transit: Transit::choose(spec.network.id, &[]).ok()?,
        ports: [(port.id, port)].into(),
    };
    Some([
        filter::render(&network),
        dhcp::configuration(&network, Path::new("/run/x")),
        dhcp::machines(&network),
    ])
}
