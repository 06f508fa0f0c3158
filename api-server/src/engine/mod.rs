//! What happens without a request: events of agents are recorded, and operations that have fallen silent
//! are looked after.
//!
//! [`events`] consumes `skybus.api.v1`; [`reconciler`] reads the operations that are due; [`rules`]
//! tells hosts of changed rules; [`renewals`] sends again what was lost with a queue; [`audit`] looks now and then whether all fits. What they do
//! to the rows is in `skybus_store::lifecycle`, one transaction each. Any number of API servers run them.

mod absence;
pub mod audit;
pub mod events;
pub mod reconciler;
pub mod renewals;
pub mod rules;
#[cfg(test)]
mod testing;

use skybus_bus::{Bus, Subscription, relay::Relay};
use skybus_role::Role;
use skybus_store::{Store, signed_path::PathKey};

/// What the engine works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The database.
    pub store: Store,
    /// The bus.
    pub bus: Bus,
    /// Sends what was committed.
    pub relay: Relay<Store>,
    /// Signs addresses in commands.
    pub key: PathKey,
    /// This process, as traces name it: `api@` and its instance.
    pub who: String,
}

impl Engine {
    /// Starts the engine's parts in `role`.
    pub fn start(&self, role: &Role) {
        let (relay, token) = (self.relay.clone(), role.token());
        role.spawn("relay", async move {
            relay.run(token).await;
            Ok(())
        });
        let (engine, token) = (self.clone(), role.token());
        role.spawn("events", async move {
            let recorder = engine.clone();
            let record = move |delivery| {
                let recorder = recorder.clone();
                async move { events::record(&recorder, delivery).await }
            };
            tokio::select! {
                () = token.cancelled() => Ok(()),
                ended = engine.bus.consume(Subscription::events(), record) => Ok(ended?),
            }
        });
        let (engine, token) = (self.clone(), role.token());
        role.spawn("reconciler", async move {
            reconciler::run(&engine, token).await
        });
        let (engine, token) = (self.clone(), role.token());
        role.spawn("rules", async move { rules::run(&engine, token).await });
        let (engine, token) = (self.clone(), role.token());
        role.spawn("audit", async move { audit::run(&engine, token).await });
    }
}
