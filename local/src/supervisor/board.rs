//! The board: what runs, shared by the keepers and written to the state file with each change.

use std::sync::{Arc, Mutex, PoisonError};

use skybus_model::Timestamp;
use tokio::sync::watch;

use crate::{
    DataDir,
    process::{ProcessId, Spec, identity},
    state::{Phase, Process, State},
};

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Board {
    data: DataDir,
    state: Arc<Mutex<State>>,
    changes: watch::Sender<u64>,
}

impl Board {
    /// A board that begins with what an earlier supervisor left.
    #[must_use]
    pub fn new(data: &DataDir, previous: State) -> Self {
        let state = State {
            boot: identity::boot(),
            supervisor: ProcessId::own(),
            ..previous
        };
        Self {
            data: data.clone(),
            state: Arc::new(Mutex::new(state)),
            changes: watch::Sender::new(0),
        }
    }

    /// What is on it.
    #[must_use]
    pub fn read(&self) -> State {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What is on it about one process.
    #[must_use]
    pub fn process(&self, name: &str) -> Process {
        self.read().processes.remove(name).unwrap_or_default()
    }

    /// Told of each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Where the cloud stands now.
    pub fn phase(&self, phase: Phase) {
        self.change(|state| state.phase = phase);
    }

    /// The supervisor ends; nothing of it is left.
    pub fn ended(&self) {
        self.change(|state| {
            *state = State {
                boot: state.boot.clone(),
                ..State::default()
            }
        });
    }

    pub(super) fn started(&self, spec: &Spec, stop_order: u32, id: ProcessId, fingerprint: String) {
        self.change(|state| {
            let process = state.processes.entry(spec.name.clone()).or_default();
            process.id = Some(id);
            process.since = Timestamp::now();
            process.fingerprint = fingerprint;
            process.grace_seconds = spec.grace.as_secs();
            process.stop_order = stop_order;
        });
    }

    /// A process begins to be looked after: its count starts anew.
    pub(super) fn begins(&self, name: &str) {
        self.change(|state| {
            let process = state.processes.entry(name.to_owned()).or_default();
            process.restarts = 0;
            process.last_end = None;
        });
    }

    /// A process died.
    pub(super) fn died(&self, name: &str, how: &str) {
        self.change(|state| {
            let process = state.processes.entry(name.to_owned()).or_default();
            process.id = None;
            process.restarts += 1;
            process.last_end = Some(how.to_owned());
        });
    }

    pub(super) fn stopped(&self, name: &str) {
        self.change(|state| {
            state.processes.remove(name);
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if let Err(error) = state.save(&self.data) {
            // A full disk must not end the cloud; status will show what was written last.
            tracing::warn!("the state file was not written: {error}");
        }
        drop(state);
        self.changes.send_modify(|count| *count += 1);
    }
}
