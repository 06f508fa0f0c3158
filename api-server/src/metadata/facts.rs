//! What there is to know about a server for the server itself.

use std::net::Ipv4Addr;

use base64::{Engine, prelude::BASE64_STANDARD};
use skybus_model::id::ServerId;
use skybus_store::{
    networks::{Network, Port, Scope, Subnet, floating, network, ports, subnets},
    servers::{self, Server},
};

use crate::{app::App, http::Error};

/// One interface of a server.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) port: Port,
    pub(super) network: Network,
    pub(super) subnet: Subnet,
    /// The floating IPs that lead to it, in order.
    pub(super) floating: Vec<Ipv4Addr>,
}

/// All that is told to a server.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) server: Server,
    pub(super) interfaces: Vec<Interface>,
    /// User data as its owner meant it.
    pub(super) user_data: Option<Vec<u8>>,
}

/// The facts about a living server.
pub(super) async fn of(app: &App, id: ServerId) -> Result<Facts, Error> {
    let server = match servers::get(&app.store, id).await {
        Err(skybus_store::Error::NotFound(_)) => return Err(Error::not_found("server", id)),
        other => other?,
    };
    if server.deleted_at.is_some() {
        return Err(Error::not_found("server", id));
    }
    let db = app.store.pool();
    let mut interfaces = Vec::new();
    for port in ports::of_server(db, id).await? {
        let network = network::get(db, port.network, Scope::Everything).await?;
        let subnet = subnets::get(db, port.subnet, Scope::Everything).await?;
        let floating = floating::of_port(db, port.id).await?;
        interfaces.push(Interface {
            port,
            network,
            subnet,
            floating,
        });
    }
    // It was checked when the server was made; what cannot be read is not there.
    let user_data = server
        .user_data
        .as_ref()
        .and_then(|text| BASE64_STANDARD.decode(text.trim()).ok());
    Ok(Facts {
        server,
        interfaces,
        user_data,
    })
}

impl Facts {
    /// The name that the guest gives itself.
    pub(super) fn hostname(&self) -> &str {
        &self.server.hostname
    }

    /// The zone that it is in.
    pub(super) fn zone(&self) -> &str {
        self.server.zone.as_deref().unwrap_or("nova")
    }
}
