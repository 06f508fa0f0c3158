//! What the worker remembers of a server, and what it concludes from it. All of it is pure.

use serde::{Deserialize, Serialize};
use skybus_model::{
    Fault, FaultCode, Generation, Timestamp,
    id::OperationId,
    message::command::ServerEnsure,
    operation::Hop,
    server::{Desired, Power, ServerSpec},
};

use crate::driver::Seen;

/// What the worker remembers of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The last wish that was begun.
    pub generation: Generation,
    /// The last wish that was fulfilled.
    pub applied: Generation,
    /// Whether it should run.
    pub desired: Desired,
    /// What it is; none once it is gone.
    pub spec: Option<ServerSpec>,
    /// How the wish of `generation` ended, if it has.
    pub ended: Option<Ended>,
    /// Whether it was ever made completely. What was not is removed when it fails.
    pub built: bool,
    /// What was last reported of it.
    pub power: Power,
    /// The driver's life in which its machine was last started.
    pub life: String,
    /// When it was removed.
    pub removed: Option<Timestamp>,
}

/// The part of a [`Record`] that is looked at when all servers are.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Outline {
    /// The last wish that was fulfilled.
    pub applied: Generation,
    /// What was last reported of it.
    pub power: Power,
    /// When it was removed.
    pub removed: Option<Timestamp>,
}

/// How a wish ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The operation that it served.
    pub operation: Option<OperationId>,
    /// Why it failed, if it did.
    pub fault: Option<Fault>,
    /// What happened on the way.
    pub hops: Vec<Hop>,
}

/// What is to be done about a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Fulfil it.
    Begin,
    /// It has ended before: say again how.
    Answered,
    /// A newer one has been begun: say how things are.
    Overtaken,
    /// Its time is over: say so.
    Late,
}

/// What is to be concluded from a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Nothing new.
    Known,
    /// It changed by itself.
    Became(Power, Option<Fault>),
    /// It ended because its host did, and should run.
    EndedWithHost,
}

impl Record {
    /// The record of a server that nothing was done for yet.
    #[must_use]
    pub fn of(ensure: &ServerEnsure) -> Self {
        Self {
            generation: ensure.generation,
            applied: Generation::default(),
            desired: ensure.desired,
            spec: Some(ensure.spec.clone()),
            ended: None,
            built: false,
            power: Power::Absent,
            life: String::new(),
            removed: None,
        }
    }

    /// The same server, with a newer wish begun.
    #[must_use]
    pub fn begin(self, ensure: &ServerEnsure) -> Self {
        let known = if self.is_gone() {
            Self::of(ensure)
        } else {
            self
        };
        Self {
            generation: ensure.generation,
            desired: ensure.desired,
            spec: Some(ensure.spec.clone()),
            ended: None,
            ..known
        }
    }

    /// The memory of a server that was removed.
    #[must_use]
    pub fn gone(generation: Generation) -> Self {
        Self {
            generation,
            applied: generation,
            desired: Desired::Stopped,
            spec: None,
            ended: None,
            built: false,
            power: Power::Absent,
            life: String::new(),
            removed: Some(Timestamp::now()),
        }
    }

    /// Whether this wish was begun already, and has not ended.
    #[must_use]
    pub fn is_begun(&self, ensure: &ServerEnsure) -> bool {
        self.generation == ensure.generation && self.ended.is_none() && !self.is_gone()
    }

    /// Whether it was removed.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        self.removed.is_some()
    }
}

/// What is to be done about `ensure`, with what is remembered.
#[must_use]
pub fn standing(record: Option<&Record>, ensure: &ServerEnsure, now: Timestamp) -> Standing {
    match record {
        Some(record) if record.generation > ensure.generation => Standing::Overtaken,
        Some(record) if record.generation == ensure.generation && record.ended.is_some() => {
            Standing::Answered
        }
        _ if now > ensure.deadline => Standing::Late,
        _ => Standing::Begin,
    }
}

/// What is to be concluded when a server with this record is `seen` so, in this `life` of the host.
#[must_use]
pub fn find(record: &Record, seen: &Seen, life: &str) -> Finding {
    let (power, fault) = match seen {
        // It is there and tells nothing: there is nothing to tell.
        Seen::Mute => return Finding::Known,
        Seen::Running(_) => (Power::Running, None),
        Seen::Paused(fault) => (Power::Paused, fault.clone()),
        Seen::PoweredOff => (Power::Shutdown, None),
        Seen::Broken(fault) => (Power::Crashed, Some(fault.clone())),
        Seen::Off | Seen::Absent if !record.built => return Finding::Known,
        Seen::Off | Seen::Absent => return find_missing(record, seen, life),
    };
    if power == record.power {
        Finding::Known
    } else {
        Finding::Became(power, fault)
    }
}

/// Without a machine, only the records tell whether it should be missed.
fn find_missing(record: &Record, seen: &Seen, life: &str) -> Finding {
    match record.power {
        Power::Shutdown | Power::Crashed => Finding::Known,
        // The worker died between ending it and noting that.
        _ if record.desired == Desired::Stopped => Finding::Became(Power::Shutdown, None),
        _ if record.life != life => Finding::EndedWithHost,
        _ if *seen == Seen::Absent => Finding::Became(
            Power::Crashed,
            Some(Fault::new(
                FaultCode::MachineCrashed,
                "The server's machine and its disk have gone from the host",
            )),
        ),
        _ => Finding::Became(
            Power::Crashed,
            Some(Fault::new(
                FaultCode::MachineCrashed,
                "The server's machine ended without being asked; reboot it hard to start it again",
            )),
        ),
    }
}

#[cfg(test)]
pub(super) mod examples;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
