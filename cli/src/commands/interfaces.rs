//! The network interfaces of servers: given and taken while they run, or are off.

use std::net::Ipv4Addr;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::networks::fixed_ips;
use crate::{
    arguments::Context,
    failure::Failure,
    http::url::encode,
    output::{cell::word, table::Column},
    resolve::{self, NETWORK, SERVER},
    session::{Service, Session},
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the interfaces of a server
    #[command(name = "interface-list")]
    List {
        /// The server's name or id
        server: String,
    },
    /// Plug a server into one more network, or into a port
    #[command(name = "interface-attach")]
    Attach {
        /// The network's name or id; the project's only one when none is named
        #[arg(
            long,
            alias = "net_id",
            value_name = "NETWORK",
            conflicts_with = "port_id"
        )]
        net_id: Option<String>,
        /// A port that is there
        #[arg(long, alias = "port_id", value_name = "ID")]
        port_id: Option<String>,
        /// The address that it is to have on the network
        #[arg(long, alias = "fixed_ip", value_name = "IP", requires = "net_id")]
        fixed_ip: Option<Ipv4Addr>,
        /// The server's name or id
        server: String,
    },
    /// Unplug a server from a port
    #[command(name = "interface-detach")]
    Detach {
        /// The server's name or id
        server: String,
        /// The port's id
        port: String,
    },
}

const COLUMNS: [Column; 5] = [
    Column::new("Port State", |one| word(one, "port_state")),
    Column::new("Port ID", |one| word(one, "port_id")),
    Column::new("Net ID", |one| word(one, "net_id")),
    Column::new("IP addresses", fixed_ips),
    Column::new("MAC Addr", |one| word(one, "mac_addr")),
];

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        match self {
            Self::List { server } => {
                let path = path(&session, &server)?;
                let all = session.list(Service::Compute, &path, "interfaceAttachments", None)?;
                context.output.list(&COLUMNS, &all)
            }
            Self::Attach {
                net_id,
                port_id,
                fixed_ip,
                server,
            } => {
                let path = path(&session, &server)?;
                let network = net_id
                    .map(|wanted| resolve::id(&session, NETWORK, &wanted))
                    .transpose()?;
                let body = body(network, port_id, fixed_ip);
                let answer = session.post(Service::Compute, &path, &body)?;
                let made = answer["interfaceAttachment"].clone();
                context.output.list(&COLUMNS, &[made])
            }
            Self::Detach { server, port } => {
                let path = format!("{}/{}", path(&session, &server)?, encode(&port));
                session.delete(Service::Compute, &path)
            }
        }
    }
}

fn path(session: &Session, server: &str) -> Result<String, Failure> {
    let id = resolve::id(session, SERVER, server)?;
    Ok(format!("/servers/{}/os-interface", encode(&id)))
}

fn body(network: Option<String>, port: Option<String>, fixed: Option<Ipv4Addr>) -> Value {
    let mut wish = Map::new();
    if let Some(network) = network {
        wish.insert("net_id".to_owned(), json!(network));
    }
    if let Some(port) = port {
        wish.insert("port_id".to_owned(), json!(port));
    }
    if let Some(fixed) = fixed {
        wish.insert("fixed_ips".to_owned(), json!([{ "ip_address": fixed }]));
    }
    json!({ "interfaceAttachment": wish })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_named_is_asked_for() {
        assert_eq!(body(None, None, None), json!({ "interfaceAttachment": {} }));
        let fixed = Some(Ipv4Addr::new(10, 2, 0, 9));
        assert_eq!(
            body(Some("n1".to_owned()), None, fixed),
            json!({ "interfaceAttachment": { "net_id": "n1",
                "fixed_ips": [{ "ip_address": "10.2.0.9" }] } })
        );
    }
}
