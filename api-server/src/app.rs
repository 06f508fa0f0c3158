//! What every handler can reach: the database, the bus, the configuration, the keys.

use std::{ops::Deref, sync::Arc};

use skybus_bus::{Bus, relay::Relay};
use skybus_model::message::Outgoing;
use skybus_store::{Store, signed_path::PathKey};
use tokio_util::task::TaskTracker;

use crate::{
    config::Config,
    identity::{Keys, Logins},
    operator::{events::Feed, hosts::Attempts},
};

/// Everything that handlers share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The bus. It may be away; a request never waits for it, but to read a console.
    pub bus: Bus,
    /// Sends what was committed.
    pub relay: Relay<Store>,
    /// The configuration.
    pub config: Config,
    /// The keys of the tokens.
    pub keys: Keys,
    /// The key of the signed internal paths.
    pub paths: PathKey,
    /// Checks passwords, not too many at a time.
    pub logins: Logins,
    /// The events as they happen, for those who follow them.
    pub feed: Feed,
    /// Who asked to join in vain.
    pub attempts: Attempts,
    /// Work that outlives its request; waited for before the process ends.
    pub tasks: TaskTracker,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// An app of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Hands committed messages to the relay. They are in the outbox: what does not leave now leaves
    /// with the next sweep.
    pub fn push(&self, committed: Vec<Outgoing>) {
        self.relay.push(committed);
    }

    /// The public address of a path.
    #[must_use]
    pub fn public(&self, path: &str) -> String {
        format!("{}{path}", self.config.public_url.trim_end_matches('/'))
    }
}
