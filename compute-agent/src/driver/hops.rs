//! The notes that are taken on the way of one command, for the boot's timeline.

use std::sync::{Mutex, PoisonError};

use skybus_model::{HostName, operation::Hop};

/// Collects hops, each with the moment at which it was noted.
#[derive(Debug)]
pub struct Hops {
    who: String,
    noted: Mutex<Vec<Hop>>,
}

impl Hops {
    /// An empty collection for what the worker on `host` does.
    #[must_use]
    pub fn on(host: &HostName) -> Self {
        Self {
            who: format!("compute@{host}"),
            noted: Mutex::default(),
        }
    }

    /// Notes that something happened now.
    pub fn note(&self, what: &str, detail: impl Into<String>) {
        let hop = Hop::now(self.who.clone(), what, detail);
        self.noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(hop);
    }

    /// What was noted so far, oldest first.
    #[must_use]
    pub fn noted(&self) -> Vec<Hop> {
        self.noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
