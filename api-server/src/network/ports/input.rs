//! A port as a client asks for it, checked before anything is written.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use skybus_model::id::{NetworkId, ProjectId, SecurityGroupId, SubnetId};
use skybus_store::{
    Tx,
    networks::{Port, Scope, groups, network, ports, subnets},
};

use super::super::{
    body::{Body, wrong},
    listing::scope,
};
use crate::http::{Auth, Error};

/// Where a port's address is to be from, and which it is to be.
#[derive(Debug, Default)]
pub(super) struct FixedIp {
    pub(super) subnet: Option<SubnetId>,
    pub(super) address: Option<Ipv4Addr>,
}

/// Takes `fixed_ips`: at most one.
pub(super) fn fixed_ip(body: &mut Body) -> Result<Option<FixedIp>, Error> {
    let one = match body.value("fixed_ips") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) if list.len() == 1 => list.into_iter().next(),
        Some(other) => {
            return Err(wrong(
                "fixed_ips",
                &other,
                "a port has exactly one fixed IP",
            ));
        }
    };
    let Some(Value::Object(fields)) = one else {
        return Err(Error::bad_request("each of fixed_ips must be an object"));
    };
    let mut fixed = FixedIp::default();
    for (key, value) in fields {
        let text = value.as_str().unwrap_or_default();
        match key.as_str() {
            "subnet_id" => {
                fixed.subnet = Some(text.parse().map_err(|error| wrong(&key, &value, error))?);
            }
            "ip_address" => {
                fixed.address = Some(
                    text.parse()
                        .map_err(|_| wrong(&key, &value, "it must be an IPv4 address"))?,
                );
            }
            _ => {
                return Err(wrong(
                    "fixed_ips",
                    &json!(key),
                    "use subnet_id and ip_address",
                ));
            }
        }
    }
    Ok(Some(fixed))
}

/// Takes `mac_address`, which only an administrator may choose.
pub(super) fn mac(body: &mut Body, auth: &Auth) -> Result<Option<String>, Error> {
    let Some(mac) = body.text("mac_address")? else {
        return Ok(None);
    };
    if !auth.is_admin() {
        return Err(Error::forbidden(
            "only an administrator can choose a port's hardware address",
        ));
    }
    let mac = mac.to_ascii_lowercase();
    if ports::is_mac(&mac) {
        return Ok(Some(mac));
    }
    Err(wrong(
        "mac_address",
        &json!(mac),
        "it must be like fa:16:3e:12:34:56",
    ))
}

/// Takes `security_groups`.
pub(super) fn groups(body: &mut Body) -> Result<Option<Vec<SecurityGroupId>>, Error> {
    body.words::<SecurityGroupId>("security_groups")
}

/// The groups, if all of them are the project's.
pub(super) async fn own_groups(
    tx: &mut Tx,
    project: ProjectId,
    wanted: Vec<SecurityGroupId>,
) -> Result<Vec<SecurityGroupId>, Error> {
    for id in &wanted {
        match groups::get(tx.conn(), *id, Scope::Project(project)).await {
            Err(skybus_store::Error::NotFound(_)) => {
                return Err(Error::not_found("security group", id));
            }
            other => other?,
        };
    }
    Ok(wanted)
}

/// Refuses a network that the caller cannot see, and the outside.
pub(super) async fn check_network(tx: &mut Tx, auth: &Auth, id: NetworkId) -> Result<(), Error> {
    let network = match network::get(tx.conn(), id, scope(auth)?).await {
        Err(skybus_store::Error::NotFound(_)) => return Err(Error::not_found("network", id)),
        other => other?,
    };
    if !network.external {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "network {id} is external: no port can be on it; make a port elsewhere and lead a floating IP to it"
    )))
}

/// Refuses a subnet that is not the network's.
pub(super) async fn check_subnet(
    tx: &mut Tx,
    network: NetworkId,
    wanted: Option<SubnetId>,
) -> Result<(), Error> {
    let Some(wanted) = wanted else { return Ok(()) };
    let own = subnets::of_network(tx.conn(), network).await?;
    if own.is_some_and(|own| own.id == wanted) {
        return Ok(());
    }
    Err(Error::bad_request(format!(
        "subnet {wanted} is not a subnet of network {network}"
    )))
}

/// Takes `device_id` and `device_owner`; a server's port keeps its own.
pub(super) fn device(body: &mut Body, port: &mut Port) -> Result<(), Error> {
    let device = body
        .text("device_id")?
        .unwrap_or_else(|| port.device.clone());
    let owner = body
        .text("device_owner")?
        .unwrap_or_else(|| port.device_owner.clone());
    let changed = device != port.device || owner != port.device_owner;
    if changed && let Some(server) = port.server {
        return Err(
            Error::conflict(format!("port {} is used by server {server}", port.id))
                .named("PortInUse"),
        );
    }
    (port.device, port.device_owner) = (device, owner);
    Ok(())
}

/// What can only be as it is.
pub(super) fn take_fixed(body: &mut Body) -> Result<(), Error> {
    let yes = [json!(true), json!("True"), json!("true")];
    let none = [json!([])];
    body.only("admin_state_up", &yes, "ports cannot be switched off")?;
    body.only("port_security_enabled", &yes, "ports are always guarded")?;
    body.only(
        "allowed_address_pairs",
        &none,
        "a port may only use its own address",
    )?;
    body.only("extra_dhcp_opts", &none, "DHCP options are not built yet")?;
    body.only(
        "binding:vnic_type",
        &[json!("normal")],
        "there are only normal ports",
    )?;
    body.only(
        "binding:host_id",
        &[json!("")],
        "a port is bound with its server",
    )?;
    body.only("binding:profile", &[json!({})], "ports have no profile")?;
    body.only("propagate_uplink_status", &[], "this is not built yet")?;
    body.only("numa_affinity_policy", &[], "this is not built yet")?;
    body.only("qos_policy_id", &[], "QoS is not built yet")?;
    body.only("dns_domain", &[json!("")], "DNS domains are not built yet")
}
