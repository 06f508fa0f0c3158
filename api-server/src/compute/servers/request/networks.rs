//! Where the interfaces of a boot go.

use std::net::Ipv4Addr;

use serde_json::Value;
use skybus_model::id::{NetworkId, PortId};

use crate::{
    compute::fields::{Fields, Invalid},
    http::Microversion,
};

/// The most interfaces of one server.
const MOST_NETWORKS: usize = 16;

/// Where the interfaces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Networks {
    /// To the one network that the project can use.
    Auto,
    /// Nowhere: a server without network.
    None,
    /// To these, in this order.
    These(Vec<Interface>),
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Interface {
    /// A new port on this network, with this fixed IP or any.
    On(NetworkId, Option<Ipv4Addr>),
    /// A port that exists.
    Port(PortId),
}

/// Reads `networks`.
pub(super) fn networks(fields: &Fields<'_>, version: Microversion) -> Result<Networks, Invalid> {
    let field = fields.at("networks");
    match fields.value("networks") {
        None if version.since(37) => Err(Invalid::new(
            field,
            "it is required since microversion 2.37; give a list, \"auto\" or \"none\"",
        )),
        None => Ok(Networks::Auto),
        Some(Value::String(word)) if version.since(37) => match word.as_str() {
            "auto" => Ok(Networks::Auto),
            "none" => Ok(Networks::None),
            _ => Err(Invalid::new(
                field,
                "it must be a list, \"auto\" or \"none\"",
            )),
        },
        Some(_) => {
            let list = fields.list("networks", MOST_NETWORKS)?.unwrap_or_default();
            if list.is_empty() {
                return Ok(Networks::Auto);
            }
            let interfaces: Result<Vec<_>, _> = list
                .iter()
                .enumerate()
                .map(|(at, one)| interface(&Fields::object(&format!("{field}.{at}"), one)?))
                .collect();
            Ok(Networks::These(interfaces?))
        }
    }
}

fn interface(fields: &Fields<'_>) -> Result<Interface, Invalid> {
    fields.only(&["uuid", "port", "fixed_ip", "tag"])?;
    if fields.given("tag") {
        return Err(Invalid::new(
            fields.at("tag"),
            "tagged interfaces are not built yet",
        ));
    }
    let fixed = fields
        .text("fixed_ip", 1..=64)?
        .map(|text| {
            text.parse::<Ipv4Addr>().map_err(|_| {
                Invalid::new(
                    fields.at("fixed_ip"),
                    format!("{text:?} is not an IPv4 address"),
                )
            })
        })
        .transpose()?;
    let id = |key: &str| fields.text(key, 1..=64);
    match (id("port")?, id("uuid")?) {
        (Some(_), _) if fixed.is_some() => Err(Invalid::new(
            fields.at("fixed_ip"),
            "a port has its address already; leave fixed_ip out",
        )),
        (Some(port), _) => port
            .parse()
            .map(Interface::Port)
            .map_err(|e| Invalid::new(fields.at("port"), e.to_string())),
        (None, Some(network)) => network
            .parse()
            .map(|network| Interface::On(network, fixed))
            .map_err(|e| Invalid::new(fields.at("uuid"), e.to_string())),
        (None, None) => Err(fields.missing("uuid")),
    }
}
