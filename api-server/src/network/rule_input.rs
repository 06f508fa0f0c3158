//! A rule as a client asks for it. What could not be enforced as it is written is refused.

use ipnet::IpNet;
use serde_json::{Map, Value, json};
use skybus_model::network::Direction;
use skybus_store::networks::rules::{NewRule, number_of};

use super::body::{Body, wrong};
use crate::http::Error;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Protocols that only IPv6 has.
const ONLY_IPV6: &[u8] = &[43, 44, 58, 59, 60];

/// A rule of which nothing but these words was said.
pub(crate) fn from_words(words: Map<String, Value>) -> Result<NewRule, Error> {
    let mut whole = Map::new();
    whole.insert("security_group_rule".to_owned(), Value::Object(words));
    let mut body = Body::open("security_group_rule", whole)?;
    let rule = read(&mut body)?;
    body.done()?;
    Ok(rule)
}

/// Takes everything of a rule but its group.
pub(super) fn read(body: &mut Body) -> Result<NewRule, Error> {
    let direction = body
        .word::<Direction>("direction")?
        .ok_or_else(|| Error::bad_request("a rule needs a direction: ingress or egress"))?;
    let ethertype = ethertype(body)?;
    let protocol = protocol(body, &ethertype)?;
    let (min, max) = (
        body.number("port_range_min")?,
        body.number("port_range_max")?,
    );
    // Nova's clients write -1 for "any".
    let (min, max) = (min.filter(|n| *n != -1), max.filter(|n| *n != -1));
    check_range(protocol.as_deref(), min, max)?;
    let remote_group = body.word("remote_group_id")?;
    let remote_prefix = prefix(body, &ethertype)?;
    if remote_group.is_some() && remote_prefix.is_some() {
        return Err(Error::bad_request(
            "only one of remote_ip_prefix and remote_group_id can be given",
        )
        .named("SecurityGroupRemoteGroupAndRemoteIpPrefix"));
    }
    body.only(
        "remote_address_group_id",
        &[],
        "address groups are not built yet",
    )?;
    Ok(NewRule {
        direction,
        ethertype,
        protocol,
        port_min: min,
        port_max: max,
        remote_prefix,
        remote_group,
        description: body.text("description")?.unwrap_or_default(),
    })
}

fn ethertype(body: &mut Body) -> Result<String, Error> {
    let text = body.text("ethertype")?.unwrap_or_else(|| "IPv4".to_owned());
    match text.to_ascii_lowercase().as_str() {
        "ipv4" => Ok("IPv4".to_owned()),
        "ipv6" => Ok("IPv6".to_owned()),
        _ => Err(wrong("ethertype", &json!(text), "it must be IPv4 or IPv6")),
    }
}

fn protocol(body: &mut Body, ethertype: &str) -> Result<Option<String>, Error> {
    let value = body.value("protocol").unwrap_or(Value::Null);
    let text = match &value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        other => return Err(wrong("protocol", other, "it must be a name or a number")),
    };
    if matches!(text.as_str(), "any" | "-1" | "0" | "") {
        return Ok(None);
    }
    let Some(number) = number_of(&text) else {
        let text = "it must be a name such as tcp, udp, icmp, or a number from 1 to 255";
        return Err(wrong("protocol", &value, text).named("SecurityGroupRuleInvalidProtocol"));
    };
    if ethertype == "IPv4" && ONLY_IPV6.contains(&number) {
        return Err(wrong("protocol", &value, "only IPv6 has this protocol"));
    }
    Ok(Some(text))
}

fn check_range(protocol: Option<&str>, min: Option<i64>, max: Option<i64>) -> Result<(), Error> {
    if min.is_none() && max.is_none() {
        return Ok(());
    }
    let range = |word, text: String| Error::bad_request(text).named(word);
    let Some(protocol) = protocol else {
        return Err(range(
            "SecurityGroupProtocolRequiredWithPorts",
            "Must also specify protocol if port range is given.".to_owned(),
        ));
    };
    match number_of(protocol) {
        Some(ICMP | 58) => {
            if min.is_none() {
                return Err(range(
                    "SecurityGroupMissingIcmpType",
                    "an ICMP code (port_range_max) needs a type (port_range_min)".to_owned(),
                ));
            }
            let fits = [min, max]
                .into_iter()
                .flatten()
                .all(|n| (0..=255).contains(&n));
            if fits {
                return Ok(());
            }
            Err(range(
                "SecurityGroupInvalidIcmpValue",
                "ICMP type and code must be from 0 to 255".to_owned(),
            ))
        }
        Some(TCP | UDP) => match (min, max) {
            (Some(min), Some(max)) if min >= 1 && min <= max && max <= 65535 => Ok(()),
            _ => Err(range(
                "SecurityGroupInvalidPortRange",
                "port_range_min and port_range_max must both be given, from 1 to 65535, the \
                 smaller first"
                    .to_owned(),
            )),
        },
        _ => Err(range(
            "SecurityGroupInvalidProtocolForPort",
            format!(
                "port ranges can be given for tcp and udp, and types for icmp; not for {protocol}"
            ),
        )),
    }
}

fn prefix(body: &mut Body, ethertype: &str) -> Result<Option<String>, Error> {
    let Some(text) = body
        .text("remote_ip_prefix")?
        .filter(|text| !text.is_empty())
    else {
        return Ok(None);
    };
    let net = text
        .parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
        .ok_or_else(|| {
            wrong(
                "remote_ip_prefix",
                &json!(text),
                "it must be like 192.0.2.0/24",
            )
        })?;
    let fits = matches!(
        (net, ethertype),
        (IpNet::V4(_), "IPv4") | (IpNet::V6(_), "IPv6")
    );
    if fits {
        return Ok(Some(net.trunc().to_string()));
    }
    let why = format!("it does not fit the ethertype {ethertype}");
    Err(wrong("remote_ip_prefix", &json!(text), why).named("SecurityGroupRuleParameterConflict"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(value: Value) -> Result<NewRule, Error> {
        let Value::Object(whole) = json!({ "security_group_rule": value }) else {
            unreachable!()
        };
        let mut body = Body::open("security_group_rule", whole)?;
        let rule = read(&mut body)?;
        body.done()?;
        Ok(rule)
    }

    #[test]
    fn what_clients_send_is_understood() {
        let ssh = read_one(json!({
            "direction": "ingress", "ethertype": "ipv4", "protocol": "TCP",
            "port_range_min": "22", "port_range_max": 22, "remote_ip_prefix": "192.0.2.7/24",
        }))
        .unwrap();
        assert_eq!(
            (ssh.port_min, ssh.protocol.as_deref()),
            (Some(22), Some("tcp"))
        );
        assert_eq!(ssh.remote_prefix.as_deref(), Some("192.0.2.0/24"));
        let ping = read_one(json!({ "direction": "ingress", "protocol": 1,
            "port_range_min": -1, "port_range_max": -1 }))
        .unwrap();
        assert_eq!((ping.port_min, ping.protocol.as_deref()), (None, Some("1")));
        assert!(read_one(json!({ "direction": "egress", "protocol": "any" })).is_ok());
    }

    #[test]
    fn what_cannot_be_enforced_as_written_is_refused() {
        for bad in [
            json!({}),
            json!({ "direction": "sideways" }),
            json!({ "direction": "ingress", "ethertype": "ARP" }),
            json!({ "direction": "ingress", "protocol": "quic" }),
            json!({ "direction": "ingress", "protocol": 256 }),
            json!({ "direction": "ingress", "protocol": "icmpv6" }),
            json!({ "direction": "ingress", "port_range_min": 22, "port_range_max": 22 }),
            json!({ "direction": "ingress", "protocol": "tcp", "port_range_min": 22 }),
            json!({ "direction": "ingress", "protocol": "tcp",
                "port_range_min": 0, "port_range_max": 22 }),
            json!({ "direction": "ingress", "protocol": "tcp",
                "port_range_min": 23, "port_range_max": 22 }),
            json!({ "direction": "ingress", "protocol": "udp",
                "port_range_min": 1, "port_range_max": 65536 }),
            json!({ "direction": "ingress", "protocol": "icmp", "port_range_max": 0 }),
            json!({ "direction": "ingress", "protocol": "icmp", "port_range_min": 256 }),
            json!({ "direction": "ingress", "protocol": "sctp",
                "port_range_min": 1, "port_range_max": 2 }),
            json!({ "direction": "ingress", "remote_ip_prefix": "300.0.0.0/8" }),
            json!({ "direction": "ingress", "remote_ip_prefix": "fd00::/8" }),
            json!({ "direction": "ingress", "remote_ip_prefix": "10.0.0.0/8",
                "remote_group_id": "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b" }),
            json!({ "direction": "ingress", "remote_group_id": "default" }),
            json!({ "direction": "ingress", "colour": "blue" }),
        ] {
            assert!(read_one(bad.clone()).is_err(), "{bad}");
        }
    }
}
