//! Making a port: its hardware address and its fixed IP are allocated with its row.
//!
//! Normally that is one step of the subnet's cursor and one insert, which a unique index guards. Only
//! where addresses in a row are taken, as in a subnet that is nearly full, are all of them looked at.

use std::net::Ipv4Addr;

use skybus_model::{
    Timestamp,
    id::{NetworkId, PortId, ProjectId, SecurityGroupId, ServerId},
};

use super::{DOWN, Port, get};
use crate::{
    Error, Result, Tx,
    networks::{
        Scope, allocation, first_use, membership, network,
        subnets::{self, Subnet, address, number},
    },
    row::Columns,
};

/// How often the next address may be taken before all of them are looked at.
const STEPS: usize = 4;

/// What a port is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPort {
    /// Its network.
    pub network: NetworkId,
    /// The project that it will belong to.
    pub project: ProjectId,
    /// Its name; may be empty.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// The fixed IP that it must have; otherwise the next free one.
    pub address: Option<Ipv4Addr>,
    /// The hardware address that it must have; otherwise a random one.
    pub mac: Option<String>,
    /// The groups whose rules guard it. With none, nothing passes.
    pub groups: Vec<SecurityGroupId>,
    /// What uses it: a server's id, or what a client writes there.
    pub device: String,
    /// What kind of thing uses it.
    pub device_owner: String,
    /// The server that it is made for and goes with.
    pub server: Option<ServerId>,
    /// Its place among that server's ports.
    pub position: i64,
    /// The guest's host name, for DHCP.
    pub hostname: String,
}

impl NewPort {
    /// A port of `project` that nothing uses yet.
    #[must_use]
    pub fn new(network: NetworkId, project: ProjectId) -> Self {
        Self {
            network,
            project,
            name: String::new(),
            description: String::new(),
            address: None,
            mac: None,
            groups: Vec::new(),
            device: String::new(),
            device_owner: String::new(),
            server: None,
            position: 0,
            hostname: String::new(),
        }
    }

    /// The same port, made for a server, `position`th among that server's ports.
    #[must_use]
    pub fn for_server(mut self, server: ServerId, hostname: &str, position: i64) -> Self {
        self.device = server.to_string();
        self.device_owner = "compute:nova".to_owned();
        self.server = Some(server);
        self.position = position;
        hostname.clone_into(&mut self.hostname);
        self
    }
}

/// Makes a port. Its neighbours' rules that speak of its groups are refreshed.
///
/// # Errors
/// [`Error::NotFound`] when there is no such network; [`Error::Conflict`] when it is the outside, it has no
/// subnet, no address is left, or the wanted address or hardware address is taken or not of the subnet.
pub async fn create(tx: &mut Tx, new: NewPort) -> Result<Port> {
    let network = network::get(tx.conn(), new.network, Scope::Everything).await?;
    if network.external {
        return Err(Error::Conflict(format!(
            "network {} is external: no port can be on it; lead a floating IP to a port instead",
            new.network
        )));
    }
    let Some(subnet) = subnets::lock_of_network(tx, new.network).await? else {
        return Err(Error::Conflict(format!(
            "network {} has no subnet; create one first",
            new.network
        )));
    };
    if network.waits {
        first_use::used(tx, network.id).await?;
    }
    let id = PortId::random();
    match new.address {
        Some(wanted) => insert_at(tx, id, &new, &subnet, wanted).await?,
        None => insert_anywhere(tx, id, &new, &subnet).await?,
    }
    for group in &new.groups {
        add_group(tx, id, *group).await?;
    }
    let port = get(tx.conn(), id, Scope::Everything).await?;
    membership::joined(tx, &port).await?;
    Ok(port)
}

pub(in crate::networks) async fn add_group(
    tx: &mut Tx,
    port: PortId,
    group: SecurityGroupId,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO port_groups (port, security_group) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(port.to_string())
    .bind(group.to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn insert_at(
    tx: &mut Tx,
    id: PortId,
    new: &NewPort,
    subnet: &Subnet,
    wanted: Ipv4Addr,
) -> Result<()> {
    let usable = allocation::usable(subnet.cidr).is_ok_and(|all| all.contains(wanted));
    if !usable || wanted == subnet.gateway {
        return Err(Error::Conflict(format!(
            "{wanted} is not an address that a port on {} can have",
            subnet.cidr
        )));
    }
    for _ in 0..STEPS {
        if insert(tx, id, new, subnet, wanted).await? {
            return Ok(());
        }
        if is_taken(tx, subnet, wanted).await? {
            return Err(Error::Conflict(format!(
                "the address {wanted} is in use on this network"
            )));
        }
        if let Some(mac) = &new.mac {
            return Err(mac_taken(mac));
        }
    }
    Err(mac_taken("every one that was tried"))
}

async fn insert_anywhere(tx: &mut Tx, id: PortId, new: &NewPort, subnet: &Subnet) -> Result<()> {
    let mut cursor = subnets::cursor(tx, subnet.id).await?;
    for step in 0..STEPS * 2 {
        let candidate = if step < STEPS {
            allocation::next(&subnet.pools, cursor)
        } else {
            let taken = taken(tx, subnet).await?;
            allocation::first_free(&subnet.pools, cursor, &taken)
        };
        let Some(candidate) = candidate else {
            return Err(exhausted(subnet));
        };
        if insert(tx, id, new, subnet, candidate).await? {
            return subnets::move_cursor(tx, subnet.id, candidate).await;
        }
        if let Some(mac) = &new.mac
            && !is_taken(tx, subnet, candidate).await?
        {
            return Err(mac_taken(mac));
        }
        cursor = candidate;
    }
    Err(exhausted(subnet))
}

fn exhausted(subnet: &Subnet) -> Error {
    let size: u64 = subnet.pools.iter().map(allocation::Pool::size).sum();
    Error::Conflict(format!(
        "network {} has no free address: all {size} of {} are in use; delete ports or servers on it, \
         or use another network",
        subnet.network, subnet.cidr
    ))
}

fn mac_taken(mac: &str) -> Error {
    Error::Conflict(format!(
        "the hardware address {mac} is in use on this network"
    ))
}

/// `false` when the address or the hardware address is taken.
async fn insert(
    tx: &mut Tx,
    id: PortId,
    new: &NewPort,
    subnet: &Subnet,
    at: Ipv4Addr,
) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO ports (id, network, subnet, project, name, description, mac, address, device, \
         device_owner, server, position, hostname, owned, status, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16) \
         ON CONFLICT DO NOTHING",
    )
    .bind(id.to_string())
    .bind(new.network.to_string())
    .bind(subnet.id.to_string())
    .bind(new.project.to_string())
    .bind(new.name.clone())
    .bind(new.description.clone())
    .bind(new.mac.clone().unwrap_or_else(random_mac))
    .bind(number(at))
    .bind(new.device.clone())
    .bind(new.device_owner.clone())
    .bind(new.server.map(|server| server.to_string()))
    .bind(new.position)
    .bind(new.hostname.clone())
    .bind(i64::from(new.server.is_some()))
    .bind(DOWN)
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn is_taken(tx: &mut Tx, subnet: &Subnet, at: Ipv4Addr) -> Result<bool> {
    let row = sqlx::query("SELECT id FROM ports WHERE subnet = $1 AND address = $2")
        .bind(subnet.id.to_string())
        .bind(number(at))
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.is_some())
}

async fn taken(tx: &mut Tx, subnet: &Subnet) -> Result<Vec<Ipv4Addr>> {
    sqlx::query("SELECT address FROM ports WHERE subnet = $1 ORDER BY address")
        .bind(subnet.id.to_string())
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| Ok(address(row.number("address")?)))
        .collect()
}

/// `fa:16:3e` is what OpenStack's machines have; the rest is random.
fn random_mac() -> String {
    let [a, b, c, _] = rand::random::<u32>().to_be_bytes();
    format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}")
}

/// Whether `text` is the hardware address of one machine, in the usual form.
#[must_use]
pub fn is_mac(text: &str) -> bool {
    let bytes: Vec<u8> = text
        .split(':')
        .filter(|part| part.len() == 2)
        .flat_map(|part| u8::from_str_radix(part, 16))
        .collect();
    let one_machine = bytes.first().is_some_and(|first| first & 1 == 0);
    text.len() == 17 && bytes.len() == 6 && one_machine && bytes.iter().any(|byte| *byte != 0)
}
