//! Writing down what came of commands and telling the control plane: always both in one transaction of
//! the journal, so that nothing is reported that is not recorded and nothing recorded goes unreported.

use std::collections::BTreeMap;

use skybus_bus::journal::{Error, Journal, JournalTx, Work};
use skybus_model::{
    Fault, FaultCode, HostName,
    id::{MessageId, NetworkId, PortId},
    message::{
        Context,
        event::{NetworkInventory, PortFact, PortReport, PortState},
    },
    operation::Hop,
};

use crate::{
    decision::{Answer, Decision, Wish},
    failure,
    record::{GONE, NETWORKS, PORTS, PortRecord, Records, key},
    worker::Events,
};

/// Writes to the journal and gives events to the bus.
pub struct Reporter {
    pub(crate) journal: Journal,
    pub(crate) events: Events,
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}

impl Reporter {
    /// The host is as the decision wants it.
    pub(crate) async fn done(
        &self,
        host: &HostName,
        network: NetworkId,
        decision: &Decision,
        after: &Records,
        batch: &[(Work, Wish)],
        changes: &[String],
    ) -> Result<(), Error> {
        let mut tx = self.journal.begin().await?;
        for (id, port) in &decision.ports {
            match port {
                Some(port) => tx.put(PORTS, &key(host, id), port).await?,
                None => tx.remove(PORTS, &key(host, id)).await?,
            }
            match decision.gone.get(id) {
                Some(gone) => tx.put(GONE, &key(host, id), gone).await?,
                None => tx.remove(GONE, &key(host, id)).await?,
            }
        }
        match after.networks.get(&network) {
            Some(record) => tx.put(NETWORKS, &key(host, network), record).await?,
            None => tx.remove(NETWORKS, &key(host, network)).await?,
        }
        for (index, answer) in decision.answers.iter().enumerate() {
            // What had to make room was asked for by nobody.
            let context = batch
                .get(index)
                .map_or_else(Context::begin, |(work, _)| work.context.clone());
            let detail = format!("{} changes on the host", changes.len());
            report(&mut tx, host, answer, &context, &detail).await?;
        }
        for (work, _) in batch {
            tx.finish(work.id).await?;
        }
        self.commit(tx).await
    }

    /// The host refused. What should be there is reported as down; what should go is tried again. Nothing is
    /// recorded but the ports that have `less` than before.
    pub(crate) async fn failed(
        &self,
        host: &HostName,
        decision: &Decision,
        less: &BTreeMap<PortId, PortRecord>,
        batch: &[(Work, Wish)],
        error: &failure::Error,
    ) -> Result<(), Error> {
        let mut tx = self.journal.begin().await?;
        for (id, port) in less {
            tx.put(PORTS, &key(host, id), port).await?;
        }
        for ((work, wish), answer) in batch.iter().zip(&decision.answers) {
            let Wish::Ensure(ensure) = wish else { continue };
            let fault = answer.fault.clone();
            let fault = fault.unwrap_or_else(|| not_ready(host, error));
            let answer = Answer {
                generation: ensure.generation,
                state: PortState::Down,
                fault: Some(fault),
                ..answer.clone()
            };
            report(&mut tx, host, &answer, &work.context, &error.to_string()).await?;
            tx.finish(work.id).await?;
        }
        self.commit(tx).await
    }

    /// All ports that each host has, in one transaction however many hosts there are.
    pub(crate) async fn inventories(
        &self,
        hosts: &BTreeMap<HostName, Records>,
        troubles: &BTreeMap<NetworkId, String>,
    ) -> Result<(), Error> {
        let mut tx = self.journal.begin().await?;
        for (host, records) in hosts {
            let ports = records
                .ports
                .iter()
                .filter(|(_, port)| !troubles.contains_key(&port.spec.network.id))
                .map(|(id, port)| PortFact {
                    port: *id,
                    network: port.spec.network.id,
                    generation: port.generation,
                })
                .collect();
            let order = tx.next_order().await?;
            let event = NetworkInventory {
                host: host.clone(),
                order,
                ports,
            };
            tx.emit(host, &event, &Context::begin()).await?;
        }
        self.commit(tx).await
    }

    /// An accepted command that leads to nothing.
    pub(crate) async fn finish(&self, id: MessageId) -> Result<(), Error> {
        let mut tx = self.journal.begin().await?;
        tx.finish(id).await?;
        self.commit(tx).await
    }

    async fn commit(&self, tx: JournalTx) -> Result<(), Error> {
        self.events.push(tx.commit().await?);
        Ok(())
    }
}

/// What a port is in that the host could not make, or not join with other hosts.
pub(crate) fn not_ready(host: &HostName, error: &failure::Error) -> Fault {
    let text =
        "the host could not make the server's network; an operator finds the reason in the details";
    Fault::new(FaultCode::NetworkNotReady, text).with_details(format!("{host}: {error}"))
}

async fn report(
    tx: &mut JournalTx,
    host: &HostName,
    answer: &Answer,
    context: &Context,
    detail: &str,
) -> Result<(), Error> {
    let what = match answer.state {
        PortState::Up => "port up",
        PortState::Down => "port down",
        PortState::Absent => "port removed",
    };
    let event = PortReport {
        port: answer.port,
        operation: answer.operation,
        generation: answer.generation,
        order: tx.next_order().await?,
        host: host.clone(),
        state: answer.state,
        fault: answer.fault.clone(),
        hops: vec![Hop::now(format!("network@{host}"), what, detail)],
    };
    tx.emit(host, &event, context).await
}
