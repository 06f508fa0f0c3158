//! The network tables on both engines: addresses, groups, and what hosts are told.

mod addresses;
mod cutting;
mod floating;
mod guarding;
mod hosts;
mod ownership;
mod peers;
mod properties;
mod segments;
mod waiting;

use ipnet::Ipv4Net;
use skybus_model::{
    HostName, Timestamp,
    id::{ProjectId, SecurityGroupId, ServerId},
    message::{Context, Outgoing, command::PortEnsure},
    segment::Segment,
};

use super::{
    Network, Port,
    allocation::default_pools,
    bootstrap::{PublicNetwork, ensure_public},
    groups,
    network::{self, NewNetwork},
    ports::{self, NewPort},
    subnets::{self, NewSubnet, Subnet},
};
use crate::{Store, Tx};

/// Runs a test on both engines.
macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test]
            async fn on_sqlite() {
                let test = crate::testing::TestStore::sqlite().await;
                super::$name(&test.store).await;
            }
            #[tokio::test]
            async fn on_postgresql() {
                let test = crate::testing::TestStore::postgres().await;
                super::$name(&test.store).await;
            }
        }
    )*};
}
pub(crate) use on_both;

/// A network with its subnet, gateway first.
pub(super) async fn a_network(tx: &mut Tx, project: ProjectId, cidr: &str) -> (Network, Subnet) {
    let new = NewNetwork {
        project,
        name: "net".to_owned(),
        description: String::new(),
        shared: false,
        external: false,
        mtu: None,
        segment: Segment::Local,
        waits: None,
    };
    let network = network::create(tx, new).await.unwrap();
    let cidr: Ipv4Net = cidr.parse().unwrap();
    let gateway = (u32::from(cidr.network()) + 1).into();
    let new = NewSubnet {
        network: network.id,
        project,
        name: String::new(),
        description: String::new(),
        cidr,
        gateway,
        dns: vec!["9.9.9.9".parse().unwrap()],
        pools: default_pools(cidr, gateway).unwrap(),
    };
    let subnet = subnets::create(tx, new).await.unwrap();
    (network, subnet)
}

/// A port for a new server, guarded by one group.
pub(super) async fn a_port(tx: &mut Tx, network: &Network, group: SecurityGroupId) -> Port {
    let mut new =
        NewPort::new(network.id, network.project).for_server(ServerId::random(), "vm1", 0);
    new.groups = vec![group];
    ports::create(tx, new).await.unwrap()
}

/// The outside, of these addresses.
pub(super) async fn the_outside(tx: &mut Tx, cidr: &str) -> Network {
    let public = PublicNetwork::of(cidr.parse().unwrap()).unwrap();
    ensure_public(tx, ProjectId::random(), &public)
        .await
        .unwrap()
}

/// A host that ports can be given to.
pub(super) async fn a_host(tx: &mut Tx, name: &str) -> HostName {
    sqlx::query(
        "INSERT INTO hosts (name, zone, hypervisor, version, vcpus, ram_mib, disk_gib, created_at) \
         VALUES ($1, 'nova', 'fake', '0', 1, 1, 1, $2)",
    )
    .bind(name.to_owned())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await
    .unwrap();
    name.parse().unwrap()
}

/// What the hosts were told, in order.
pub(super) fn told(messages: &[Outgoing]) -> Vec<PortEnsure> {
    messages
        .iter()
        .filter(|message| message.kind == "port.ensure/1")
        .map(|message| serde_json::from_slice(&message.body).unwrap())
        .collect()
}

/// The context of a request.
pub(super) fn context() -> Context {
    Context::begin()
}
