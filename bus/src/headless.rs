//! Queues that nobody leads any more.
//!
//! A broker that is killed within seconds after a quorum queue was declared can forget the queue's log while
//! it still knows its name (seen with RabbitMQ 3.10.8: presumably because ra keeps its directory of logs in a file that is
//! written some seconds late). After the start such a queue never elects a leader: what is sent to it is
//! never confirmed, whoever consumes it hears nothing, and nothing of that changes by itself. What it held is
//! lost already, so it is removed and declared again; the database knows what was to be sent.
//!
//! Before the queue is removed that is written down ([`Ledger`]), with the shape of the queue, and the note goes
//! only once the queue is there again and what was lost is being sent again. A process that dies in between,
//! or that cannot go on, leaves the note to its next life, or to another process.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::accounts::{self, Management, QueueState};

/// How often the queues are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often in a row a queue must be seen without a leader: after a start, elections take a second, and the
/// management's numbers some more.
const LOOKS: u32 = 3;
/// How long one attempt may take; others take over what is not ended in a while.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(45);

/// How a queue is declared and bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Whether it outlives the broker's process.
    pub durable: bool,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// What is bound to it.
    #[serde(default)]
    pub bindings: Vec<Bound>,
}

/// One binding of a queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bound {
    /// The exchange.
    pub source: String,
    /// The pattern of routing keys.
    pub routing_key: String,
}

/// A queue that is being made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The queue's name.
    pub queue: String,
    /// How it was, and will be.
    pub shape: Shape,
}

/// Where it is written down that what a queue held is lost, and has to be sent again.
pub trait Ledger: Sync {
    /// Why it cannot be written or read.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Writes down that this process is about to remove this queue. What it wrote down before and has not
    /// finished stays, and is the answer. Nothing when another process is at it.
    fn begin(
        &self,
        queue: &str,
        shape: Shape,
    ) -> impl Future<Output = Result<Option<Renewal>, Self::Error>> + Send;

    /// What this process is to go on with.
    fn unfinished(&self) -> impl Future<Output = Result<Vec<Renewal>, Self::Error>> + Send;

    /// The queue is there again: has sent again what it may have held, and takes the note away, both or
    /// neither.
    fn finish(&self, renewal: &Renewal) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Why a queue could not be made anew; what was written down stays.
#[derive(Debug, thiserror::Error)]
pub enum Error<L: std::error::Error + 'static> {
    /// The broker's management.
    #[error(transparent)]
    Broker(#[from] accounts::Error),
    /// The ledger.
    #[error("it cannot be written down what is lost")]
    Ledger(#[source] L),
    /// It took too long.
    #[error("it was not done within {ATTEMPT_WITHIN:?}")]
    TooLong,
}

impl QueueState {
    /// Whether nobody leads it. A queue of several nodes may only have lost its majority for a while, which
    /// is for its nodes to mend.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.kind == "quorum" && self.state.is_none() && self.members.len() == 1
    }
}

/// Looks at the queues until the token is cancelled, and makes those anew that nobody leads.
pub async fn mend<L: Ledger>(management: &Management, ledger: &L, token: CancellationToken) {
    let mut seen = Seen::default();
    loop {
        if let Err(error) = go_on(management, ledger).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "a queue that is being made anew is not ready yet");
        }
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        // A broker that is away is no news here.
        let Ok(queues) = management.queues().await else {
            continue;
        };
        for queue in seen.look(&queues) {
            tracing::warn!(queue, "nobody leads this queue; it is made anew");
            metrics::counter!("skybus_bus_queues_renewed_total").increment(1);
            if let Err(error) = renew(management, ledger, &queue).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(queue, error, "a queue could not be made anew");
            }
        }
    }
}

/// Makes a queue anew, whatever it holds. Does nothing when another process is at it, or has just done it.
///
/// # Errors
/// [`Error`]. Once it is written down, [`mend`] goes on with it.
pub async fn renew<L: Ledger>(
    management: &Management,
    ledger: &L,
    queue: &str,
) -> Result<(), Error<L::Error>> {
    let shape = management.shape(queue).await?;
    let begun = ledger.begin(queue, shape.clone()).await;
    let Some(renewal) = begun.map_err(Error::Ledger)? else {
        return Ok(());
    };
    // While another process was at it, what was read was half of it. What was written down in an earlier
    // attempt is the whole, and what that attempt left behind is half of it.
    let is_new = renewal.shape == shape;
    if is_new && management.shape(queue).await? != shape {
        return ledger.finish(&renewal).await.map_err(Error::Ledger);
    }
    let made = async {
        management.remove_queue(queue).await?;
        management.restore_queue(queue, &renewal.shape).await
    };
    in_time::<L>(made).await?;
    ledger.finish(&renewal).await.map_err(Error::Ledger)
}

/// Goes on with what was begun; one that cannot be ended yet holds up no other.
async fn go_on<L: Ledger>(management: &Management, ledger: &L) -> Result<(), Error<L::Error>> {
    let mut last = Ok(());
    for renewal in ledger.unfinished().await.map_err(Error::Ledger)? {
        if let Err(error) = end(management, ledger, &renewal).await {
            last = Err(error);
        }
    }
    last
}

/// Nothing is removed here: a queue that nobody leads still, or that has only just been declared, is left to
/// the looks.
async fn end<L: Ledger>(
    management: &Management,
    ledger: &L,
    renewal: &Renewal,
) -> Result<(), Error<L::Error>> {
    let queue = renewal.queue.as_str();
    let there = management.queue(queue).await?;
    if there.is_some_and(|queue| queue.is_headless()) {
        return Ok(());
    }
    tracing::info!(queue, "goes on with making this queue anew");
    in_time::<L>(management.restore_queue(queue, &renewal.shape)).await?;
    ledger.finish(renewal).await.map_err(Error::Ledger)
}

async fn in_time<L: Ledger>(
    work: impl Future<Output = Result<(), accounts::Error>>,
) -> Result<(), Error<L::Error>> {
    let done = tokio::time::timeout(ATTEMPT_WITHIN, work).await;
    Ok(done.map_err(|_| Error::TooLong)??)
}

/// How often in a row each queue was seen without a leader.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, u32>);

impl Seen {
    /// Takes a look, and gives those that were seen so often enough.
    fn look(&mut self, queues: &[QueueState]) -> Vec<String> {
        let headless: BTreeSet<&str> = queues
            .iter()
            .filter(|queue| queue.is_headless())
            .map(|queue| queue.name.as_str())
            .collect();
        self.0.retain(|name, _| headless.contains(name.as_str()));
        for name in headless {
            *self.0.entry(name.to_owned()).or_default() += 1;
        }
        let due = self.0.iter().filter(|(_, looks)| **looks >= LOOKS);
        let due: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        self.0.retain(|name, _| !due.contains(name));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(kind: &str, state: Option<&str>, members: usize) -> QueueState {
        QueueState {
            name: "a".to_owned(),
            messages: 0,
            messages_unacknowledged: 0,
            consumers: 0,
            kind: kind.to_owned(),
            state: state.map(str::to_owned),
            members: vec!["node".to_owned(); members],
        }
    }

    #[test]
    fn only_a_queue_that_stays_without_a_leader_is_made_anew() {
        let headless = [queue("quorum", None, 1)];
        let mut seen = Seen::default();
        assert!(seen.look(&headless).is_empty());
        assert!(seen.look(&headless).is_empty());
        assert!(seen.look(&[queue("quorum", Some("running"), 1)]).is_empty());
        assert!(seen.look(&headless).is_empty());
        assert!(seen.look(&headless).is_empty());
        assert_eq!(seen.look(&headless), ["a"]);
        assert!(seen.look(&headless).is_empty());
        for other in [queue("quorum", None, 3), queue("classic", None, 0)] {
            let mut seen = Seen::default();
            for _ in 0..9 {
                assert!(seen.look(std::slice::from_ref(&other)).is_empty());
            }
        }
    }
}
