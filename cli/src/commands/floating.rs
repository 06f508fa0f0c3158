//! Floating IPs: addresses of the outside that a project holds, and the servers that they lead to.

use std::net::Ipv4Addr;

use clap::Subcommand;
use serde_json::{Value, json};

use super::networks::fixed_ips;
use crate::{
    arguments::Context,
    failure::Failure,
    http::url::{encode, with_query},
    output::{
        cell::{plain, word},
        table::Column,
    },
    resolve::{self, SERVER},
    session::{Service, Session},
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the networks that floating IPs can be had of
    FloatingIpPoolList,
    /// Get a floating IP for the project
    FloatingIpCreate {
        /// The name or id of the pool; the first one when none is named
        pool: Option<String>,
    },
    /// List the floating IPs
    FloatingIpList,
    /// Give floating IPs back
    FloatingIpDelete {
        /// The addresses
        #[arg(required = true)]
        addresses: Vec<String>,
    },
    /// Lead a floating IP to a server, from wherever it leads to
    #[command(alias = "floating-ip-associate")]
    AddFloatingIp {
        /// The server's name or id
        server: String,
        /// The floating IP
        address: String,
        /// The server's own address that it is to lead to; the first one when none is named
        #[arg(long, alias = "fixed_address", value_name = "IP")]
        fixed_address: Option<Ipv4Addr>,
    },
    /// Take a floating IP away from a server
    #[command(alias = "floating-ip-disassociate")]
    RemoveFloatingIp {
        /// The server's name or id
        server: String,
        /// The floating IP
        address: String,
    },
}

const POOLS: [Column; 1] = [Column::new("Name", |n| word(n, "name"))];

const COLUMNS: [Column; 6] = [
    Column::new("ID", |f| word(f, "id")),
    Column::new("IP", |f| word(f, "floating_ip_address")),
    Column::new("Server ID", |f| word(&f["port_details"], "device_id")),
    Column::new("Fixed IP", |f| word(f, "fixed_ip_address")),
    Column::new("Pool", |f| word(f, "pool")),
    Column::new("Status", |f| word(f, "status")),
];

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        match self {
            Self::FloatingIpPoolList => context.output.list(&POOLS, &pools(&session)?),
            Self::FloatingIpCreate { pool } => {
                let pool = chosen(&pools(&session)?, pool.as_deref())?;
                let body = json!({"floatingip": {"floating_network_id": plain(&pool, "id")}});
                let answer = session.post(Service::Network, "/floatingips", &body)?;
                let made = with_pool(answer["floatingip"].clone(), &[pool]);
                context.output.list(&COLUMNS, &[made])
            }
            Self::FloatingIpList => {
                let pools = pools(&session)?;
                let all = session.list(Service::Network, "/floatingips", "floatingips", None)?;
                let all: Vec<Value> = all.into_iter().map(|one| with_pool(one, &pools)).collect();
                context.output.list(&COLUMNS, &all)
            }
            Self::FloatingIpDelete { addresses } => super::each(&addresses, |address| {
                let floating = find(&session, address)?;
                session.delete(Service::Network, &path_of(&floating))
            }),
            Self::AddFloatingIp {
                server,
                address,
                fixed_address,
            } => {
                let id = resolve::id(&session, SERVER, &server)?;
                let floating = find(&session, &address)?;
                let port = port(&ports_of(&session, &id)?, &server, fixed_address)?;
                lead(&session, &floating, &json!(port))
            }
            Self::RemoveFloatingIp { server, address } => {
                let id = resolve::id(&session, SERVER, &server)?;
                let floating = find(&session, &address)?;
                if plain(&floating["port_details"], "device_id") != id {
                    return Err(Failure::usage(
                        format!("the floating IP {address} does not lead to the server {server}"),
                        "`skybus floating-ip-list` shows where each leads to",
                    ));
                }
                lead(&session, &floating, &Value::Null)
            }
        }
    }
}

fn pools(session: &Session) -> Result<Vec<Value>, Failure> {
    let path = "/networks?router:external=true";
    session.list(Service::Network, path, "networks", None)
}

/// The pool of this name or id; the first without one.
fn chosen(pools: &[Value], wanted: Option<&str>) -> Result<Value, Failure> {
    let fits = |pool: &&Value| {
        wanted.is_none_or(|wanted| plain(pool, "name") == wanted || plain(pool, "id") == wanted)
    };
    pools
        .iter()
        .find(fits)
        .cloned()
        .ok_or_else(|| match wanted {
            Some(wanted) => Failure::NotFound {
                kind: "pool of floating IPs",
                wanted: wanted.to_owned(),
                near: String::new(),
                list: "floating-ip-pool-list",
            },
            None => Failure::usage(
                "this cloud has no external network, and so no floating IPs",
                "an administrator chooses their range when the cloud is made: skybus up \
                 --floating-range CIDR",
            ),
        })
}

/// A floating IP with the name of its network, as people know it.
fn with_pool(mut floating: Value, pools: &[Value]) -> Value {
    let network = plain(&floating, "floating_network_id");
    let pool = pools.iter().find(|pool| plain(pool, "id") == network);
    floating["pool"] = pool.map_or(Value::Null, |pool| pool["name"].clone());
    floating
}

/// The floating IP of this address or id.
fn find(session: &Session, wanted: &str) -> Result<Value, Failure> {
    for key in ["floating_ip_address", "id"] {
        let path = with_query("/floatingips", &[(key, Some(wanted))]);
        let mut found = session.list(Service::Network, &path, "floatingips", None)?;
        if !found.is_empty() {
            return Ok(found.remove(0));
        }
    }
    Err(Failure::NotFound {
        kind: "floating IP",
        wanted: wanted.to_owned(),
        near: String::new(),
        list: "floating-ip-list",
    })
}

fn path_of(floating: &Value) -> String {
    format!("/floatingips/{}", encode(plain(floating, "id")))
}

fn lead(session: &Session, floating: &Value, port: &Value) -> Result<(), Failure> {
    let body = json!({"floatingip": {"port_id": port}});
    session
        .put(Service::Network, &path_of(floating), &body)
        .map(drop)
}

fn ports_of(session: &Session, server: &str) -> Result<Vec<Value>, Failure> {
    let path = with_query("/ports", &[("device_id", Some(server))]);
    session.list(Service::Network, &path, "ports", None)
}

/// The port of a server that has this address; the first without one.
fn port(ports: &[Value], server: &str, fixed: Option<Ipv4Addr>) -> Result<String, Failure> {
    let Some(first) = ports.first() else {
        return Err(Failure::usage(
            format!("the server {server} is on no network"),
            "boot it with a network to lead a floating IP to it",
        ));
    };
    let Some(fixed) = fixed else {
        return Ok(plain(first, "id").to_owned());
    };
    let has = |port: &&Value| {
        fixed_ips(port)
            .split(", ")
            .any(|ip| ip == fixed.to_string())
    };
    match ports.iter().find(has) {
        Some(port) => Ok(plain(port, "id").to_owned()),
        None => {
            let own: Vec<String> = ports.iter().map(fixed_ips).collect();
            Err(Failure::usage(
                format!("the server {server} does not have the address {fixed}"),
                format!("name one of its own: {}", own.join(", ")),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(id: &str, name: &str) -> Value {
        json!({"id": id, "name": name})
    }

    #[test]
    fn a_pool_has_a_name_and_an_id_and_the_first_is_enough() {
        let pools = [pool("n1", "public"), pool("n2", "other")];
        assert_eq!(chosen(&pools, None).unwrap()["id"], "n1");
        assert_eq!(chosen(&pools, Some("other")).unwrap()["id"], "n2");
        assert_eq!(chosen(&pools, Some("n2")).unwrap()["id"], "n2");
        let failure = chosen(&pools, Some("nova")).unwrap_err();
        assert!(failure.lines()[1].contains("floating-ip-pool-list"));
        let failure = chosen(&[], None).unwrap_err();
        assert!(failure.lines()[1].contains("--floating-range"));
    }

    #[test]
    fn a_servers_address_chooses_the_port() {
        let port_at = |id: &str, ip: &str| json!({"id": id, "fixed_ips": [{"ip_address": ip}]});
        let ports = [port_at("p1", "10.1.0.2"), port_at("p2", "10.2.0.2")];
        assert_eq!(port(&ports, "vm1", None).unwrap(), "p1");
        let second = Some(Ipv4Addr::new(10, 2, 0, 2));
        assert_eq!(port(&ports, "vm1", second).unwrap(), "p2");
        let failure = port(&ports, "vm1", Some(Ipv4Addr::new(10, 3, 0, 2))).unwrap_err();
        assert!(failure.lines()[1].contains("10.1.0.2, 10.2.0.2"));
        assert!(port(&[], "vm1", None).is_err());
    }
}
