//! Networks and their ports.

use clap::Subcommand;
use serde_json::Value;

use super::fields;
use crate::{
    arguments::Context,
    failure::Failure,
    http::url::with_query,
    output::{
        cell::{plain, word},
        table::Column,
    },
    resolve::{self, NETWORK, SERVER},
    session::Service,
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the networks
    NetworkList,
    /// Show one network
    NetworkShow {
        /// Its name or id
        network: String,
    },
    /// List the ports
    PortList {
        /// Those of this server
        #[arg(long)]
        server: Option<String>,
    },
}

const NETWORKS: [Column; 5] = [
    Column::new("ID", |n| word(n, "id")),
    Column::new("Name", |n| word(n, "name")),
    Column::new("Status", |n| word(n, "status")),
    Column::new("Shared", |n| word(n, "shared")),
    Column::new("Subnets", |n| word(n, "subnets")),
];

/// What only administrators are told: what carries the network's frames between hosts.
const SEGMENT: [Column; 3] = [
    Column::new("Kind", |n| word(n, "provider:network_type")),
    Column::new("Physical Network", |n| word(n, "provider:physical_network")),
    Column::new("Number", |n| word(n, "provider:segmentation_id")),
];

const PORTS: [Column; 6] = [
    Column::new("ID", |p| word(p, "id")),
    Column::new("MAC Address", |p| word(p, "mac_address")),
    Column::new("Fixed IPs", fixed_ips),
    Column::new("Status", |p| word(p, "status")),
    Column::new("Server", |p| word(p, "device_id")),
    Column::new("Network", |p| word(p, "network_id")),
];

/// The addresses of a port.
pub(crate) fn fixed_ips(port: &Value) -> String {
    let ips = port["fixed_ips"].as_array().into_iter().flatten();
    ips.map(|ip| plain(ip, "ip_address"))
        .collect::<Vec<_>>()
        .join(", ")
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        match self {
            Self::NetworkList => {
                let networks = session.list(Service::Network, "/networks", "networks", None)?;
                let told = |network: &Value| network.get("provider:network_type").is_some();
                let mut columns = NETWORKS.to_vec();
                if networks.iter().any(told) {
                    columns.extend(SEGMENT);
                }
                context.output.list(&columns, &networks)
            }
            Self::NetworkShow { network } => {
                let network = resolve::object(&session, NETWORK, &network)?;
                context.output.show(&fields(&network), &network)
            }
            Self::PortList { server } => {
                let id = server
                    .map(|s| resolve::id(&session, SERVER, &s))
                    .transpose()?;
                let path = with_query("/ports", &[("device_id", id.as_deref())]);
                let ports = session.list(Service::Network, &path, "ports", None)?;
                context.output.list(&PORTS, &ports)
            }
        }
    }
}
