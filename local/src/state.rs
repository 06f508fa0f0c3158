//! What runs, written to a file after each change: for `status`, for `down`, and for the next supervisor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skybus_model::Timestamp;

use crate::{
    DataDir, Error,
    process::{ProcessId, identity},
    secret,
};

/// Where the cloud stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing is meant to run.
    #[default]
    Stopped,
    /// It is being started.
    Starting,
    /// It answers.
    Running,
    /// It is being stopped.
    Stopping,
}

/// All that runs of one cloud.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The boot of the host that it speaks of.
    pub boot: String,
    /// Where the cloud stands.
    pub phase: Phase,
    /// The supervisor.
    pub supervisor: Option<ProcessId>,
    /// What it looks after, by name.
    pub processes: BTreeMap<String, Process>,
}

/// One process that is looked after.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Process {
    /// The process, while there is one.
    pub id: Option<ProcessId>,
    /// When it was started.
    pub since: Timestamp,
    /// How often it was started again after it had died.
    pub restarts: u32,
    /// How it ended the last time.
    pub last_end: Option<String>,
    /// What it was started from.
    pub fingerprint: String,
    /// How many seconds it has to end by itself.
    pub grace_seconds: u64,
    /// The place in the order of stopping; lower ones go first.
    pub stop_order: u32,
}

impl State {
    /// The state that was written last. One of an earlier boot counts as nothing, for nothing of it runs.
    #[must_use]
    pub fn load(data: &DataDir) -> Self {
        let text = std::fs::read_to_string(data.state_file()).unwrap_or_default();
        let state: Self = serde_json::from_str(&text).unwrap_or_default();
        if state.boot == identity::boot() {
            state
        } else {
            Self::default()
        }
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, data: &DataDir) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::Garbled {
            path: data.state_file(),
            why: e.to_string(),
        })?;
        secret::write(&data.state_file(), &text)
    }

    /// Those that run at this moment.
    pub fn alive(&self) -> impl Iterator<Item = (&String, &Process, ProcessId)> {
        self.processes.iter().filter_map(|(name, process)| {
            let id = process.id.filter(|id| id.is_alive())?;
            Some((name, process, id))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> State {
        let process = Process {
            id: ProcessId::own(),
            since: Timestamp::now(),
            restarts: 3,
            last_end: Some("signal 9".to_owned()),
            ..Process::default()
        };
        let gone = Process {
            id: Some(ProcessId { pid: 1, started: 7 }),
            ..Process::default()
        };
        State {
            boot: identity::boot(),
            phase: Phase::Running,
            supervisor: ProcessId::own(),
            processes: [("api".to_owned(), process), ("compute".to_owned(), gone)].into(),
        }
    }

    #[test]
    fn what_was_written_is_what_is_read_and_the_dead_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        data.create().unwrap();
        assert_eq!(State::load(&data), State::default());
        sample().save(&data).unwrap();
        let state = State::load(&data);
        assert_eq!(state, sample_with_same_time(&state));
        assert_eq!(
            state
                .alive()
                .map(|(name, ..)| name.as_str())
                .collect::<Vec<_>>(),
            ["api"]
        );
    }

    fn sample_with_same_time(state: &State) -> State {
        let mut sample = sample();
        sample.processes.get_mut("api").unwrap().since = state.processes["api"].since;
        sample
    }

    #[test]
    fn nothing_of_an_earlier_boot_runs() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        data.create().unwrap();
        State {
            boot: "another".to_owned(),
            ..sample()
        }
        .save(&data)
        .unwrap();
        assert_eq!(State::load(&data), State::default());
    }
}
