//! A floating IP as a client asks for it, checked before anything is written.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use skybus_model::id::{NetworkId, PortId, SubnetId};
use skybus_store::{
    Tx,
    networks::{network, ports, subnets},
};

use super::super::{
    body::{Body, wrong},
    listing::scope,
};
use crate::http::{Auth, Error};

/// Where a floating IP is to lead to.
#[derive(Debug)]
pub(super) struct Wish {
    /// Nothing when it was not spoken of; `Some(None)` is nowhere.
    pub(super) port: Option<Option<PortId>>,
    /// The fixed IP that the port must have.
    pub(super) fixed: Option<Ipv4Addr>,
}

/// Takes `port_id` and `fixed_ip_address`.
pub(super) fn wish(body: &mut Body) -> Result<Wish, Error> {
    let port = match body.value("port_id") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(value) => {
            let text = value.as_str().unwrap_or_default();
            let id = text.parse::<PortId>();
            Some(Some(id.map_err(|error| wrong("port_id", &value, error))?))
        }
    };
    let fixed = body.word::<Ipv4Addr>("fixed_ip_address")?;
    if fixed.is_some() && !matches!(port, Some(Some(_))) {
        return Err(Error::bad_request(
            "fixed_ip_address cannot be specified without a port_id",
        ));
    }
    Ok(Wish { port, fixed })
}

/// Takes `floating_ip_address`, which only an administrator may choose.
pub(super) fn address(body: &mut Body, auth: &Auth) -> Result<Option<Ipv4Addr>, Error> {
    let wanted = body.word::<Ipv4Addr>("floating_ip_address")?;
    if wanted.is_some() && !auth.is_admin() {
        return Err(Error::forbidden(
            "only an administrator can choose a floating IP's address; leave floating_ip_address out",
        ));
    }
    Ok(wanted)
}

/// What can only be as it is.
pub(super) fn take_fixed(body: &mut Body) -> Result<(), Error> {
    body.only("qos_policy_id", &[], "QoS is not built yet")?;
    body.only("dns_name", &[json!("")], "DNS names are not built yet")?;
    body.only("dns_domain", &[json!("")], "DNS domains are not built yet")
}

/// Refuses a network that is not external, and what is not of its subnet.
pub(super) async fn check_network(
    tx: &mut Tx,
    auth: &Auth,
    id: NetworkId,
    wanted: (Option<SubnetId>, Option<Ipv4Addr>),
) -> Result<(), Error> {
    let network = match network::get(tx.conn(), id, scope(auth)?).await {
        Err(skybus_store::Error::NotFound(_)) => return Err(Error::not_found("network", id)),
        other => other?,
    };
    if !network.external {
        return Err(Error::bad_request(format!(
            "Network {id} is not a valid external network; those with router:external are"
        )));
    }
    let own = subnets::of_network(tx.conn(), id).await?;
    let (subnet, address) = wanted;
    if let Some(subnet) = subnet
        && own.as_ref().is_none_or(|own| own.id != subnet)
    {
        return Err(Error::bad_request(format!(
            "subnet {subnet} is not a subnet of network {id}"
        )));
    }
    if let (Some(address), Some(own)) = (address, own)
        && !own.cidr.contains(&address)
    {
        let text = format!(
            "IP address {address} is not of network {id}: its subnet is {}",
            own.cidr
        );
        return Err(Error::bad_request(text).named("InvalidIpForNetwork"));
    }
    Ok(())
}

/// Refuses a port that is not the caller's to lead anything to, or has another fixed IP.
pub(super) async fn check_port(
    tx: &mut Tx,
    auth: &Auth,
    id: PortId,
    fixed: Option<Ipv4Addr>,
) -> Result<(), Error> {
    let port = match ports::get(tx.conn(), id, scope(auth)?).await {
        Err(skybus_store::Error::NotFound(_)) => return Err(Error::not_found("port", id)),
        other => other?,
    };
    match fixed {
        Some(fixed) if fixed != port.address => Err(Error::bad_request(format!(
            "Port {id} does not have fixed ip {fixed}; it has {}",
            port.address
        ))),
        _ => Ok(()),
    }
}
