//! All that a host has, for the control plane to compare with what it should have.

use std::collections::{HashMap, HashSet};

use skybus_bus::journal;
use skybus_model::{
    Generation, HostName,
    message::{
        Context, Outgoing,
        event::{ComputeInventory, ServerFact},
    },
    server::Power,
};

use super::{Agent, record::Outline};
use crate::driver::{Driver, Place, Seen};

impl<D: Driver> Agent<D> {
    /// The inventories of `hosts`, ready to be sent. They need no outbox: the next one says it all again.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn inventories(&self, hosts: &[HostName]) -> Result<Vec<Outgoing>, journal::Error> {
        // The order is drawn first: what happens while the facts are gathered is newer than they are.
        let mut tx = self.0.ledger.journal().begin().await?;
        let order = tx.next_order().await?;
        tx.commit().await?;
        let mut remembered: HashMap<HostName, Vec<(Place, Outline)>> = HashMap::new();
        for (place, record) in self.0.ledger.outlines().await? {
            let of_host = remembered.entry(place.host.clone()).or_default();
            of_host.push((place, record));
        }
        let mut inventories = Vec::with_capacity(hosts.len());
        for host in hosts {
            let mut known = HashSet::new();
            let mut servers = Vec::new();
            for (place, record) in remembered.remove(host).unwrap_or_default() {
                known.insert(place.server);
                let busy = self.is_busy(&place);
                // A boot that failed left nothing but the memory of it.
                if busy || record.power != Power::Absent {
                    servers.push(ServerFact {
                        server: place.server,
                        generation: record.applied,
                        power: record.power,
                        busy,
                    });
                }
            }
            servers.extend(self.strangers(host, &known).await);
            let inventory = ComputeInventory {
                host: host.clone(),
                order,
                servers,
            };
            inventories.push(Outgoing::event(host, &inventory, &Context::begin()));
        }
        Ok(inventories)
    }

    /// Guests that nobody here remembers: reported, and left alone.
    async fn strangers(
        &self,
        host: &HostName,
        known: &HashSet<skybus_model::id::ServerId>,
    ) -> Vec<ServerFact> {
        let mut facts = Vec::new();
        for server in self.0.driver.list(host).await {
            if known.contains(&server) {
                continue;
            }
            let place = Place {
                host: host.clone(),
                server,
            };
            let power = match self.0.driver.look(&place).await {
                Seen::Absent => continue,
                Seen::Off | Seen::PoweredOff => Power::Shutdown,
                Seen::Running(_) => Power::Running,
                Seen::Paused(_) => Power::Paused,
                Seen::Broken(_) => Power::Crashed,
                Seen::Mute => Power::Unknown,
            };
            let busy = self.is_busy(&place);
            facts.push(ServerFact {
                server,
                generation: Generation::default(),
                power,
                busy,
            });
        }
        facts
    }

    /// Looks at every server, in case that something escaped notice, and lets those go on that were held
    /// for want of space.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn look_at_all(&self) -> Result<(), journal::Error> {
        for (place, record) in self.0.ledger.outlines().await? {
            if record.removed.is_none() {
                self.look(place);
            }
        }
        Ok(())
    }
}
