//! What a batch of commands for one network means, before anything is done: which ports the network
//! then has, and what each command will be answered if the host plays along. A pure function of the
//! records and the commands.

use std::collections::{BTreeMap, BTreeSet};

use skybus_model::{
    Fault, FaultCode, Generation, Timestamp,
    id::{OperationId, PortId},
    message::{
        command::{PortEnsure, PortRemove},
        event::PortState,
    },
    network::NetworkSpec,
    server::spec,
};

use crate::{
    desired::Port,
    record::{Gone, PortRecord, Records},
};

/// A command about a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// It should be so.
    Ensure(Box<PortEnsure>),
    /// It should not be.
    Remove(PortRemove),
}

impl Wish {
    /// The port that it is about.
    #[must_use]
    pub const fn port(&self) -> PortId {
        match self {
            Self::Ensure(ensure) => ensure.spec.id,
            Self::Remove(remove) => remove.port,
        }
    }
}

/// What will be reported about a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The port.
    pub port: PortId,
    /// The operation whose command is answered.
    pub operation: Option<OperationId>,
    /// The generation that holds.
    pub generation: Generation,
    /// Whether the port is there.
    pub state: PortState,
    /// Why not, if it should be.
    pub fault: Option<Fault>,
}

/// The records after a batch, and its answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// What becomes of the ports that change; nothing for one that goes.
    pub ports: BTreeMap<PortId, Option<PortRecord>>,
    /// Ports that go, by which generation.
    pub gone: BTreeMap<PortId, Gone>,
    /// The network as the newest description has it, if that came with one of the commands.
    pub spec: Option<NetworkSpec>,
    /// The taps that must go.
    pub doomed: BTreeSet<String>,
    /// One for each command, in order; then those for ports that had to make room.
    pub answers: Vec<Answer>,
}

/// Decides about the commands of one network in their order.
#[must_use]
pub fn decide(records: &Records, wishes: &[Wish]) -> Decision {
    let mut decision = Decision::default();
    let mut made_room = Vec::new();
    for wish in wishes {
        let answer = match wish {
            Wish::Ensure(ensure) => decision.ensure(records, ensure, &mut made_room),
            Wish::Remove(remove) => decision.remove(records, remove),
        };
        decision.answers.push(answer);
    }
    decision.answers.extend(made_room);
    decision
}

impl Decision {
    /// A port as it would be now.
    fn current<'a>(&'a self, records: &'a Records, port: PortId) -> Option<&'a PortRecord> {
        match self.ports.get(&port) {
            Some(changed) => changed.as_ref(),
            None => records.ports.get(&port),
        }
    }

    /// Ports that lose floating IPs even when the host can make nothing else of the decision: others may have
    /// these by now.
    pub fn without_lost(&self, records: &Records) -> BTreeMap<PortId, PortRecord> {
        let less = |(id, after): (&PortId, &Option<PortRecord>)| {
            let mut port = records.ports.get(id)?.clone();
            let before = port.spec.floating.len();
            let keeps = after.as_ref().map(|after| &after.spec.floating);
            port.spec
                .floating
                .retain(|ip| keeps.is_some_and(|keeps| keeps.contains(ip)));
            (port.spec.floating.len() < before).then_some((*id, port))
        };
        self.ports.iter().filter_map(less).collect()
    }

    /// Ports that are made, but cannot be reached from other hosts.
    pub fn cut_off(&mut self, fault: &Fault) {
        for answer in &mut self.answers {
            if answer.state == PortState::Up {
                answer.state = PortState::Down;
                answer.fault = Some(fault.clone());
            }
        }
    }

    fn gone_by(&self, records: &Records, port: PortId) -> Option<Generation> {
        self.gone
            .get(&port)
            .or_else(|| records.gone.get(&port))
            .map(|gone| gone.generation)
    }

    fn ensure(
        &mut self,
        records: &Records,
        ensure: &PortEnsure,
        made_room: &mut Vec<Answer>,
    ) -> Answer {
        let (port, operation) = (ensure.spec.id, ensure.operation);
        let answer = |generation, state, fault| Answer {
            port,
            operation,
            generation,
            state,
            fault,
        };
        let unfit = Port::try_from(&ensure.spec).err();
        // Ports overtake each other, so what an old command says of its network may still be the newest.
        if unfit.is_none() {
            self.learn(records, &ensure.spec.network, false);
        }
        if let Some(record) = self.current(records, port)
            && record.generation > ensure.generation
        {
            return answer(record.generation, PortState::Up, None);
        }
        if let Some(generation) = self.gone_by(records, port)
            // What a removal took stays away at its own generation, too.
            && generation >= ensure.generation
        {
            return answer(generation, PortState::Absent, None);
        }
        if let Some(unfit) = unfit {
            let text = format!("the port {port} cannot be made: {unfit}");
            let fault = Fault::new(FaultCode::NetworkNotReady, text);
            return answer(ensure.generation, PortState::Down, Some(fault));
        }
        self.make_room(records, ensure, made_room);
        let record = PortRecord {
            generation: ensure.generation,
            spec: ensure.spec.clone(),
            claim: self.claim(records, ensure),
        };
        self.ports.insert(port, Some(record));
        self.gone.remove(&port);
        self.doomed.remove(&spec::tap(port));
        self.learn(records, &ensure.spec.network, true);
        answer(ensure.generation, PortState::Up, None)
    }

    /// Of two descriptions of a network the newer counts; of two with the same number the one that came
    /// later, if its command is carried out.
    fn learn(&mut self, records: &Records, network: &NetworkSpec, carried_out: bool) {
        let recorded = records.networks.get(&network.id);
        let known = self.spec.as_ref().or_else(|| Some(&recorded?.spec));
        let newer = known.is_none_or(|known| match carried_out {
            true => network.revision >= known.revision,
            false => network.revision > known.revision,
        });
        if newer {
            self.spec = Some(network.clone());
        }
    }

    /// One that gets a floating IP which it did not have has it later than all others have theirs. What it
    /// is told again it does not get again.
    fn claim(&self, records: &Records, ensure: &PortEnsure) -> u64 {
        let (had, claim) = self
            .current(records, ensure.spec.id)
            .map_or((&[][..], 0), |port| (&port.spec.floating[..], port.claim));
        if ensure.spec.floating.iter().all(|ip| had.contains(ip)) {
            return claim;
        }
        let here = self.ports.values().flatten();
        let claims = records.ports.values().chain(here).map(|port| port.claim);
        claims.max().unwrap_or(0) + 1
    }

    /// The control plane gives an address to one port at a time. Whoever has it here without the control
    /// plane's knowledge is a left-over, and would keep the network's filter from loading.
    fn make_room(&mut self, records: &Records, ensure: &PortEnsure, made_room: &mut Vec<Answer>) {
        let (network, address) = (ensure.spec.network.id, ensure.spec.address);
        let ids: BTreeSet<PortId> = records
            .ports
            .keys()
            .chain(self.ports.keys())
            .copied()
            .collect();
        for id in ids.into_iter().filter(|id| *id != ensure.spec.id) {
            let Some(other) = self.current(records, id) else {
                continue;
            };
            if other.spec.network.id == network && other.spec.address == address {
                let generation = other.generation;
                self.take_away(id, generation);
                let (operation, state, fault) = (None, PortState::Absent, None);
                made_room.push(Answer {
                    port: id,
                    operation,
                    generation,
                    state,
                    fault,
                });
            }
        }
    }

    fn remove(&mut self, records: &Records, remove: &PortRemove) -> Answer {
        let (port, operation, mut generation) = (remove.port, remove.operation, remove.generation);
        if let Some(record) = self.current(records, port)
            && record.generation > generation
        {
            let generation = record.generation;
            return Answer {
                port,
                operation,
                generation,
                state: PortState::Up,
                fault: None,
            };
        }
        if let Some(by) = self.gone_by(records, port) {
            generation = generation.max(by);
        }
        self.take_away(port, generation);
        Answer {
            port,
            operation,
            generation,
            state: PortState::Absent,
            fault: None,
        }
    }

    fn take_away(&mut self, port: PortId, generation: Generation) {
        self.ports.insert(port, None);
        self.gone.insert(
            port,
            Gone {
                generation,
                at: Timestamp::now(),
            },
        );
        self.doomed.insert(spec::tap(port));
    }
}

#[cfg(test)]
mod tests;
