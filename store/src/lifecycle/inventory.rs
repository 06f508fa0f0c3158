//! A host says all that it has; the difference to what should be is repaired.
//!
//! Work that is under way is left alone: its operation is looked after by [`super::overdue`]. Machines
//! that the database knows to be elsewhere or deleted are removed; machines that it has never heard of are
//! only remembered ([`crate::strays`]), for a person to look at: a database that was restored from a backup
//! must not kill guests.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use skybus_model::{
    Generation, HostName, Order, Timestamp,
    id::{PortId, ServerId},
    message::{
        Context, Outgoing, Service,
        command::{PortRemove, ServerRemove},
        event::{ComputeInventory, NetworkInventory, PortFact, ServerFact, ServerReport},
    },
    server::{Power, VmState},
};

use super::{repair, reported, room::Room};
use crate::{
    Error, Result, Store, Tx,
    networks::{Scope, binding, ports, spec::Specs},
    operations, servers,
    signed_path::PathKey,
    strays::{Seen, What},
};

/// What an inventory led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repairs {
    /// Told again what should be there.
    pub ensured: usize,
    /// Told to remove what belongs elsewhere or nowhere.
    pub removed: usize,
    /// Not told, for too much waits for the host already: the next inventory asks for it again.
    pub held: usize,
    /// Unknown to the database; left alone.
    pub orphans: usize,
}

/// Whether an inventory of `host` with this order is to be heard: no honest host counts too far.
#[must_use]
pub fn is_credible(host: &HostName, order: Order) -> bool {
    let credible = order.is_credible(Timestamp::now());
    if !credible {
        let epoch = order.epoch;
        tracing::warn!(%host, epoch, "shows an inventory of a far future, and is not believed: set its \
            clock right and start its workers again");
    }
    credible
}

/// Which servers of a compute host's inventory need a look: most inventories need none, and take one
/// query.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn suspects(store: &Store, inventory: &ComputeInventory) -> Result<Vec<ServerId>> {
    let there: HashMap<_, _> = inventory.servers.iter().map(|f| (f.server, f)).collect();
    let wanted = servers::living_on(store, &inventory.host).await?;
    let mut suspects: Vec<ServerId> = Vec::new();
    let mut known = HashSet::new();
    for server in wanted {
        known.insert(server.id);
        // One that runs as was wished is in ERROR only for what came late.
        let failed = server.state.vm == VmState::Error;
        let fits = there.get(&server.id).is_some_and(|fact| {
            let late = failed && fact.power == Power::Running;
            let current = fact.generation >= server.generation;
            fact.busy || current && fact.power == server.power && !late
        });
        if !fits {
            suspects.push(server.id);
        }
    }
    suspects.extend(there.keys().filter(|id| !known.contains(*id)));
    Ok(suspects)
}

/// What of `id` is to be remembered after `repairs`: a machine without a row, or a row without its machine.
#[must_use]
pub fn stray(inventory: &ComputeInventory, id: ServerId, repairs: &Repairs) -> Option<Seen> {
    let fact = inventory.servers.iter().find(|fact| fact.server == id);
    let (what, generation) = match fact {
        Some(fact) if repairs.orphans > 0 => (What::Unknown, fact.generation),
        None if repairs.ensured + repairs.held > 0 => (What::Missing, Generation::default()),
        _ => return None,
    };
    Some(Seen {
        server: id,
        what,
        generation,
    })
}

const HELD: Repairs = Repairs {
    ensured: 0,
    removed: 0,
    held: 1,
    orphans: 0,
};

/// Repairs one server of a compute host.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn server(
    tx: &mut Tx,
    id: ServerId,
    inventory: &ComputeInventory,
    (key, context): (&PathKey, &Context),
) -> Result<Repairs> {
    let host = &inventory.host;
    let fact = inventory.servers.iter().find(|fact| fact.server == id);
    let row = match servers::load(tx, id).await {
        Ok(row) => row,
        Err(Error::NotFound(_)) => {
            return Ok(Repairs {
                orphans: 1,
                ..Repairs::default()
            });
        }
        Err(error) => return Err(error),
    };
    let mut room = Room::new(Service::Compute, host);
    if row.host.as_ref() != Some(host) || row.state.vm == VmState::Deleted {
        let Some(fact) = fact else {
            return Ok(Repairs::default());
        };
        let Some(generation) = row.generation.outweighing(fact.generation) else {
            incredible(host, &id, fact.generation);
            return Ok(Repairs::default());
        };
        if !room.take(tx).await? {
            return Ok(HELD);
        }
        let remove = ServerRemove {
            operation: None,
            server: id,
            generation,
        };
        tx.send(Outgoing::to_host(host, &remove, context)).await?;
        return Ok(Repairs {
            removed: 1,
            ..Repairs::default()
        });
    }
    let is_news = inventory.order.is_news(row.recorded, Timestamp::now());
    if !is_news || !operations::open_of(tx, id).await?.is_empty() {
        return Ok(Repairs::default());
    }
    match fact {
        Some(fact) if fact.generation >= row.generation => {
            let report = report(host, inventory, fact);
            reported::server(tx, &report, host, context).await?;
            Ok(Repairs::default())
        }
        _ if row.state.vm == VmState::Error => Ok(Repairs::default()),
        _ if !room.take(tx).await? => Ok(HELD),
        _ => {
            repair(tx, &row, key, context).await?;
            Ok(Repairs {
                ensured: 1,
                ..Repairs::default()
            })
        }
    }
}

fn report(host: &HostName, inventory: &ComputeInventory, fact: &ServerFact) -> ServerReport {
    ServerReport {
        server: fact.server,
        operation: None,
        generation: fact.generation,
        order: inventory.order,
        host: host.clone(),
        power: fact.power,
        fault: None,
        hops: Vec::new(),
    }
}

/// Repairs the ports of a network host.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn ports(
    tx: &mut Tx,
    inventory: &NetworkInventory,
    context: &Context,
) -> Result<Repairs> {
    let host = &inventory.host;
    let mut repairs = Repairs::default();
    let mut there: HashMap<PortId, _> = inventory
        .ports
        .iter()
        .map(|fact| (fact.port, fact))
        .collect();
    let mut room = Room::new(Service::Network, host);
    let mut specs = Specs::default();
    let mut behind = Vec::new();
    for port in ports::on_host(tx.conn(), host).await? {
        let has = there.remove(&port.id);
        // Also one whose last command failed there: it was not tried again since.
        let current = !port.leaving && inventory.order.is_news(port.order, Timestamp::now());
        match has.map(|fact| fact.generation) {
            Some(heard) if heard > port.generation => behind.push((port, heard)),
            // One that counts as down and is there was cut off for a while: its host says so when it is asked.
            Some(heard) if heard == port.generation && port.status != ports::DOWN => {}
            _ if current && !room.take(tx).await? => repairs.held += 1,
            _ if current => {
                binding::ensure(tx, &mut specs, &port, None, context).await?;
                repairs.ensured += 1;
            }
            _ => {}
        }
    }
    // Subnets are locked in this order everywhere.
    behind.sort_by_key(|(port, _)| (port.subnet, port.id));
    for (port, heard) in behind {
        if port.generation.outweighing(heard).is_none() {
            incredible(host, &port.id, heard);
        } else if !room.take(tx).await? {
            repairs.held += 1;
        } else if binding::catch_up(tx, &mut specs, &port, (host, heard), context).await? {
            repairs.ensured += 1;
        }
    }
    for fact in there.into_values() {
        let Some(remove) = unwanted(tx, fact, host).await? else {
            continue;
        };
        if room.take(tx).await? {
            tx.send(Outgoing::to_host(host, &remove, context)).await?;
            repairs.removed += 1;
        } else {
            repairs.held += 1;
        }
    }
    Ok(repairs)
}

fn incredible(host: &HostName, of: &dyn fmt::Display, generation: Generation) {
    tracing::warn!(%host, %of, generation = generation.0, "shows a generation that cannot be true; \
        nothing is told to it about this: somebody else may have its account");
}

async fn unwanted(tx: &mut Tx, fact: &PortFact, host: &HostName) -> Result<Option<PortRemove>> {
    let ours = match ports::get(tx.conn(), fact.port, Scope::Everything).await {
        Ok(port) if port.host.as_ref() == Some(host) => return Ok(None),
        Ok(port) => port.generation,
        // The row went with its server. A port holds nothing that could be lost.
        Err(Error::NotFound(_)) => Generation::default(),
        Err(error) => return Err(error),
    };
    let Some(generation) = ours.outweighing(fact.generation) else {
        incredible(host, &fact.port, fact.generation);
        return Ok(None);
    };
    Ok(Some(PortRemove {
        operation: None,
        port: fact.port,
        network: fact.network,
        generation,
    }))
}
