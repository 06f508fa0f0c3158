//! Doors for the targets in `fuzz/`: subnets and rules as clients ask for them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Map, Value};
use skybus_store::networks::{allocation::Pool, rules::NewRule};

use super::{body::Body, rule_input, subnet_input};
use crate::http::Error;

/// Reads the addresses of a subnet: its network, its gateway, its pools.
///
/// # Errors
/// As a client would hear it.
pub fn subnet(body: Map<String, Value>) -> Result<(Ipv4Net, Ipv4Addr, Vec<Pool>), Error> {
    let mut body = Body::open("subnet", body)?;
    let read = subnet_input::addresses(&mut body)?;
    subnet_input::dns(&mut body)?;
    subnet_input::take_fixed(&mut body)?;
    Ok((read.cidr, read.gateway, read.pools))
}

/// Reads a rule of a security group.
///
/// # Errors
/// As a client would hear it.
pub fn rule(body: Map<String, Value>) -> Result<NewRule, Error> {
    let mut body = Body::open("security_group_rule", body)?;
    let rule = rule_input::read(&mut body)?;
    body.done()?;
    Ok(rule)
}
