//! The journal as the worker uses it: what is remembered, what is reported and what is done with are
//! committed together, or not at all.

use std::fmt;

use serde::de::DeserializeOwned;
use skybus_bus::journal::{self, Journal, JournalTx};
use skybus_model::{
    Fault, Generation, Timestamp,
    id::{MessageId, OperationId},
    message::{Context, event::ServerReport},
    operation::Hop,
    server::Power,
};

use super::{
    Push,
    record::{Outline, Record},
};
use crate::driver::Place;

const SERVERS: &str = "servers";

/// The worker's memory.
pub struct Ledger {
    journal: Journal,
    push: Push,
}

/// A command that is being worked on.
#[derive(Debug)]
pub struct Work<'a> {
    /// The server on its host.
    pub place: &'a Place,
    /// The message that carried it.
    pub message: MessageId,
    /// The trace that it belongs to.
    pub context: Context,
}

/// What is to be reported of a server.
#[derive(Debug, Clone)]
pub struct Report {
    /// The operation that it answers.
    pub operation: Option<OperationId>,
    /// The generation that it speaks of.
    pub generation: Generation,
    /// What the hypervisor says.
    pub power: Power,
    /// What went wrong.
    pub fault: Option<Fault>,
    /// What happened on the way.
    pub hops: Vec<Hop>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// The memory in `journal`; committed events go to `push`.
    pub fn new(journal: Journal, push: Push) -> Self {
        Self { journal, push }
    }

    /// The journal itself.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What is remembered of a server.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn record(&self, place: &Place) -> Result<Option<Record>, journal::Error> {
        self.journal.get(SERVERS, &place.to_string()).await
    }

    /// Everything that is remembered.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn records(&self) -> Result<Vec<(Place, Record)>, journal::Error> {
        self.list().await
    }

    /// All servers, each in a few words: a host may have thousands of them.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn outlines(&self) -> Result<Vec<(Place, Outline)>, journal::Error> {
        self.list().await
    }

    async fn list<T: DeserializeOwned>(&self) -> Result<Vec<(Place, T)>, journal::Error> {
        let rows = self.journal.list::<T>(SERVERS).await?;
        Ok(rows
            .into_iter()
            .filter_map(|(key, record)| Some((place(&key)?, record)))
            .collect())
    }

    /// Commands that were accepted and not finished.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn unfinished(&self) -> Result<Vec<journal::Work>, journal::Error> {
        self.journal.unfinished().await
    }

    /// Remembers `record`.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn keep(&self, place: &Place, record: &Record) -> Result<(), journal::Error> {
        let mut tx = self.journal.begin().await?;
        tx.put(SERVERS, &place.to_string(), record).await?;
        tx.commit().await.map(drop)
    }

    /// Ends a command: remembers `record` if it changed, reports, and is done with it.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn end(
        &self,
        work: &Work<'_>,
        record: Option<&Record>,
        report: Report,
    ) -> Result<(), journal::Error> {
        let mut tx = self.journal.begin().await?;
        tx.finish(work.message).await?;
        self.tell(tx, work.place, record, report, &work.context)
            .await
    }

    /// Remembers and reports something that nobody asked for.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn report(
        &self,
        place: &Place,
        record: &Record,
        report: Report,
    ) -> Result<(), journal::Error> {
        let tx = self.journal.begin().await?;
        self.tell(tx, place, Some(record), report, &Context::begin())
            .await
    }

    async fn tell(
        &self,
        mut tx: JournalTx,
        place: &Place,
        record: Option<&Record>,
        report: Report,
        context: &Context,
    ) -> Result<(), journal::Error> {
        if let Some(record) = record {
            tx.put(SERVERS, &place.to_string(), record).await?;
        }
        let report = ServerReport {
            server: place.server,
            operation: report.operation,
            generation: report.generation,
            order: tx.next_order().await?,
            host: place.host.clone(),
            power: report.power,
            fault: report.fault,
            hops: report.hops,
        };
        let (power, request) = (report.power, &context.request_id);
        match &report.fault {
            Some(fault) => {
                tracing::warn!(%place, %power, %request, %fault, details = fault.details, "reports");
            }
            None => {
                tracing::info!(%place, %power, %request, generation = report.generation.0, "reports");
            }
        }
        tx.emit(&place.host, &report, context).await?;
        (self.push)(tx.commit().await?);
        Ok(())
    }

    /// Is done with commands that are not worth a report.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn finish(&self, messages: &[MessageId]) -> Result<(), journal::Error> {
        let mut tx = self.journal.begin().await?;
        for message in messages {
            tx.finish(*message).await?;
        }
        tx.commit().await.map(drop)
    }

    /// Forgets servers that were removed long ago.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn forget_removed_before(&self, moment: Timestamp) -> Result<(), journal::Error> {
        let mut tx = self.journal.begin().await?;
        for (place, record) in self.outlines().await? {
            if record.removed.is_some_and(|removed| removed < moment) {
                tx.remove(SERVERS, &place.to_string()).await?;
            }
        }
        tx.commit().await.map(drop)
    }
}

fn place(key: &str) -> Option<Place> {
    let (host, server) = key.split_once('/')?;
    Some(Place {
        host: host.parse().ok()?,
        server: server.parse().ok()?,
    })
}
