//! A subnet as a client asks for it, checked before anything is written.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use serde_json::{Value, json};
use skybus_store::networks::allocation::{self, Pool};

use super::body::{Body, wrong};
use crate::http::Error;

/// The most name servers.
pub(crate) const MOST_DNS: usize = 5;

/// What no subnet may share an address with, and what it is for.
const NOT_FOR_GUESTS: [(Ipv4Net, &str); 6] = [
    (net(0, 0, 8), "this network"),
    (net(100, 64, 16), "links between networks and hosts"),
    (net(127, 0, 8), "loopback"),
    (net(169, 254, 16), "link-local, with the metadata service"),
    (net(224, 0, 4), "multicast"),
    (net(240, 0, 4), "reserved"),
];

const fn net(first: u8, second: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(first, second, 0, 0), length)
}

/// The addresses of a new subnet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) cidr: Ipv4Net,
    pub(super) gateway: Ipv4Addr,
    pub(super) pools: Vec<Pool>,
}

/// Takes `cidr`, `gateway_ip` and `allocation_pools`.
pub(super) fn addresses(body: &mut Body) -> Result<Addresses, Error> {
    let cidr = cidr(body)?;
    let first = allocation::usable(cidr).map_err(|bad| Error::bad_request(bad.to_string()))?;
    let gateway = match body.value("gateway_ip") {
        None => first.start,
        Some(Value::Null) => {
            let text = "a subnet without a gateway is not built yet; leave gateway_ip out";
            return Err(Error::bad_request(text));
        }
        Some(value) => value
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| wrong("gateway_ip", &value, "it must be an IPv4 address"))?,
    };
    let pools = match body.value("allocation_pools") {
        None | Some(Value::Null) => allocation::default_pools(cidr, gateway),
        Some(Value::Array(list)) if list.is_empty() => allocation::default_pools(cidr, gateway),
        Some(value) => {
            let pools: Vec<Pool> = serde_json::from_value(value.clone()).map_err(|_| {
                wrong(
                    "allocation_pools",
                    &value,
                    "each pool needs a start and an end address",
                )
            })?;
            allocation::checked_pools(cidr, gateway, pools)
        }
    };
    let pools = pools.map_err(|bad| Error::bad_request(bad.to_string()))?;
    if pools.is_empty() {
        let text = format!("{cidr} has no address left for a guest beside its gateway");
        return Err(Error::bad_request(text));
    }
    Ok(Addresses {
        cidr,
        gateway,
        pools,
    })
}

fn cidr(body: &mut Body) -> Result<Ipv4Net, Error> {
    let value = body.value("cidr").unwrap_or(Value::Null);
    let net = value.as_str().and_then(|text| text.parse::<IpNet>().ok());
    let cidr = match net {
        Some(IpNet::V4(cidr)) => cidr.trunc(),
        Some(IpNet::V6(_)) => {
            return Err(wrong("cidr", &value, "IPv6 subnets are not built yet"));
        }
        None => return Err(wrong("cidr", &value, "it must be like 192.168.10.0/24")),
    };
    for_guests(cidr).map_err(|why| wrong("cidr", &value, why))?;
    Ok(cidr)
}

/// Whether guests can have these addresses; if not, why.
pub(crate) fn for_guests(cidr: Ipv4Net) -> Result<(), String> {
    if cidr.prefix_len() < 8 {
        return Err("it must not be larger than /8".to_owned());
    }
    // Of two networks that overlap, one is inside the other.
    let taken = NOT_FOR_GUESTS
        .iter()
        .find(|(net, _)| net.contains(&cidr) || cidr.contains(net));
    taken.map_or(Ok(()), |(net, why)| {
        Err(format!("guests cannot have addresses of {net} ({why})"))
    })
}

/// Takes `dns_nameservers`.
pub(super) fn dns(body: &mut Body) -> Result<Option<Vec<Ipv4Addr>>, Error> {
    let Some(list) = body.words::<IpAddr>("dns_nameservers")? else {
        return Ok(None);
    };
    if list.len() > MOST_DNS {
        let text = format!("a subnet has at most {MOST_DNS} name servers");
        return Err(Error::bad_request(text));
    }
    list.into_iter()
        .map(|address| match address {
            IpAddr::V4(address) => Ok(address),
            IpAddr::V6(_) => Err(wrong(
                "dns_nameservers",
                &json!(address),
                "guests have IPv4 addresses only",
            )),
        })
        .collect::<Result<Vec<_>, _>>()
        .map(Some)
}

/// What can only be as it is.
pub(super) fn take_fixed(body: &mut Body) -> Result<(), Error> {
    let yes = [json!(true), json!("True"), json!("true")];
    body.only(
        "ip_version",
        &[json!(4), json!("4")],
        "subnets are IPv4 only",
    )?;
    body.only(
        "enable_dhcp",
        &yes,
        "guests always learn their addresses by DHCP",
    )?;
    body.only("host_routes", &[json!([])], "host routes are not built yet")?;
    body.only(
        "service_types",
        &[json!([])],
        "service types are not built yet",
    )?;
    body.only(
        "dns_publish_fixed_ip",
        &[json!(false)],
        "DNS publishing is not built yet",
    )?;
    let pool = "subnet pools are not built yet; give a cidr";
    body.only("subnetpool_id", &[], pool)?;
    body.only("use_default_subnetpool", &[json!(false)], pool)?;
    body.only("prefixlen", &[], pool)?;
    body.only("ipv6_address_mode", &[], "subnets are IPv4 only")?;
    body.only("ipv6_ra_mode", &[], "subnets are IPv4 only")?;
    body.only("segment_id", &[], "segments are not built yet")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<Addresses, Error> {
        let Value::Object(whole) = json!({ "subnet": value }) else {
            unreachable!()
        };
        addresses(&mut Body::open("subnet", whole).unwrap())
    }

    #[test]
    fn gateway_and_pools_have_defaults() {
        let read = read(json!({ "cidr": "10.5.0.7/24" })).unwrap();
        assert_eq!(read.cidr.to_string(), "10.5.0.0/24");
        assert_eq!(read.gateway.to_string(), "10.5.0.1");
        assert_eq!(read.pools[0].start.to_string(), "10.5.0.2");
    }

    #[test]
    fn what_guests_could_not_use_is_refused() {
        for bad in [
            json!({}),
            json!({ "cidr": 5 }),
            json!({ "cidr": "10.0.0.0" }),
            json!({ "cidr": "fd00::/64" }),
            json!({ "cidr": "10.0.0.0/31" }),
            json!({ "cidr": "0.0.0.0/0" }),
            json!({ "cidr": "127.0.0.0/24" }),
            json!({ "cidr": "224.0.0.0/24" }),
            json!({ "cidr": "169.254.169.0/24" }),
            json!({ "cidr": "169.0.0.0/8" }),
            json!({ "cidr": "127.0.0.0/8" }),
            json!({ "cidr": "100.64.7.0/24" }),
            json!({ "cidr": "100.0.0.0/8" }),
            json!({ "cidr": "255.255.255.0/24" }),
            json!({ "cidr": "10.0.0.0/24", "gateway_ip": "10.0.1.1" }),
            json!({ "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.255" }),
            json!({ "cidr": "10.0.0.0/24", "gateway_ip": null }),
            json!({ "cidr": "10.0.0.0/24", "allocation_pools": [{ "start": "10.0.0.9" }] }),
            json!({ "cidr": "10.0.0.0/24", "allocation_pools":
                [{ "start": "10.0.0.1", "end": "10.0.0.9" }] }),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }
}
