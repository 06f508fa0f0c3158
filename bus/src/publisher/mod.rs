//! The publisher: everything that must arrive leaves through one task, in pipelined batches.
//!
//! A batch is published as a whole, then all its confirms are awaited under one deadline, and only then
//! the next batch begins. That is for correctness: the client library hands a returned (unroutable)
//! message to whichever confirm is resolved next, so which message was returned is told by message ids,
//! and that is only certain within a batch that has the channel to itself. A confirm that does not come
//! in time condemns the connection, unless the broker is under an alarm, of which [`Flow`] knows: then it is
//! well and takes nothing, and a new connection would find the same.

mod flow;
mod verdict;

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use lapin::{
    BasicProperties, Channel,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

pub(crate) use self::flow::Flow;
pub use self::verdict::SendError;
use self::verdict::verdicts;
use crate::{
    link::{Link, Wire},
    properties::short,
};

/// How long a batch may wait for its confirms.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);
/// The largest batch.
const BATCH: usize = 256;
/// How many messages may wait for the publisher before senders wait too.
const WAITING: usize = 1024;

/// A message on its way to the publisher's task.
pub(crate) struct Parcel {
    pub(crate) exchange: &'static str,
    pub(crate) routing_key: String,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

type Waiting = (Parcel, oneshot::Sender<Result<(), SendError>>);

/// A handle on the publisher's task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Publisher {
    parcels: mpsc::Sender<Waiting>,
    link: Link,
}

impl Publisher {
    pub(crate) fn new(link: Link) -> (Self, impl Future<Output = ()> + Send) {
        let (parcels, waiting) = mpsc::channel(WAITING);
        (
            Self {
                parcels,
                link: link.clone(),
            },
            run(link, waiting),
        )
    }

    /// Sends all, pipelined; one result each, in the same order.
    pub(crate) async fn send(&self, parcels: Vec<Parcel>) -> Vec<Result<(), SendError>> {
        let mut results = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let (done, result) = oneshot::channel();
            // Fail at once rather than queue up behind an absent broker.
            results.push(match self.link.ready() {
                Err(error) => Err(error),
                Ok(_) if self.parcels.send((parcel, done)).await.is_ok() => Ok(result),
                Ok(_) => Err(SendError::NotConnected),
            });
        }
        join_all(results.into_iter().map(|result| async {
            match result {
                Ok(result) => result.await.unwrap_or(Err(SendError::NotConnected)),
                Err(error) => Err(error),
            }
        }))
        .await
    }

    pub(crate) async fn send_one(&self, parcel: Parcel) -> Result<(), SendError> {
        self.send(vec![parcel])
            .await
            .pop()
            .unwrap_or(Err(SendError::NotConnected))
    }
}

async fn run(link: Link, mut waiting: mpsc::Receiver<Waiting>) {
    let mut press = Press { link, open: None };
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let began = std::time::Instant::now();
        let (parcels, doors): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let results = press.publish_all(&parcels).await;
        metrics::histogram!("skybus_bus_publish_seconds").record(began.elapsed().as_secs_f64());
        for (done, result) in doors.into_iter().zip(results) {
            let outcome = if result.is_ok() {
                "confirmed"
            } else {
                "failed"
            };
            metrics::counter!("skybus_bus_published_total", "outcome" => outcome).increment(1);
            let _caller_may_be_gone = done.send(result);
        }
    }
}

/// The publisher's one channel.
struct Press {
    link: Link,
    open: Option<(Arc<Wire>, Channel)>,
}

impl Press {
    async fn publish_all(&mut self, parcels: &[Parcel]) -> Vec<Result<(), SendError>> {
        let mut results = self.publish(parcels).await;
        if parcels.len() == 1 {
            return results;
        }
        // One message that is forbidden closes the channel under all the others of its batch. Alone,
        // each of them shows whether it was the one.
        for (parcel, result) in parcels.iter().zip(&mut results) {
            if let Err(SendError::Forbidden { .. }) = result {
                *result = self
                    .publish(std::slice::from_ref(parcel))
                    .await
                    .pop()
                    .unwrap_or(Err(SendError::NotConnected));
            }
        }
        results
    }

    async fn publish(&mut self, parcels: &[Parcel]) -> Vec<Result<(), SendError>> {
        let (wire, channel) = match open(&self.link, self.open.take()).await {
            Ok(open) => open,
            Err(error) => return parcels.iter().map(|_| Err(error.clone())).collect(),
        };
        let published = tokio::select! {
            published = publish(&wire, &channel, parcels) => Some(published),
            () = wire.flow.until_blocked() => None,
        };
        let Some(mut results) = published else {
            // What of it arrives after the alarm is confirmed to nobody, and so the channel is given up.
            return vec![Err(SendError::Blocked); parcels.len()];
        };
        if wire.is_broken() {
            return results;
        }
        if channel.status().connected() {
            self.open = Some((wire, channel));
            return results;
        }
        // Only the channel was closed: the broker objects to something in this batch.
        for result in &mut results {
            if let Err(SendError::Broken { reason }) = result {
                *result = Err(SendError::Forbidden {
                    reason: std::mem::take(reason),
                });
            }
        }
        results
    }
}

/// The channel that is open, or a new one on the current connection.
async fn open(
    link: &Link,
    last: Option<(Arc<Wire>, Channel)>,
) -> Result<(Arc<Wire>, Channel), SendError> {
    if let Some((wire, channel)) = last
        && !wire.is_broken()
        && !wire.flow.is_blocked()
        && channel.status().connected()
    {
        return Ok((wire, channel));
    }
    let wire = link.ready()?;
    let broken = |reason| SendError::Broken { reason };
    let channel = wire
        .ask("open a channel", wire.connection.create_channel())
        .await
        .map_err(broken)?;
    wire.ask(
        "ask for confirms",
        channel.confirm_select(ConfirmSelectOptions::default()),
    )
    .await
    .map_err(broken)?;
    Ok((wire, channel))
}

async fn publish(wire: &Wire, channel: &Channel, parcels: &[Parcel]) -> Vec<Result<(), SendError>> {
    let deadline = Instant::now() + CONFIRM_WITHIN;
    let mut confirms = Vec::with_capacity(parcels.len());
    for parcel in parcels {
        let publish = channel.basic_publish(
            parcel.exchange.into(),
            short(&parcel.routing_key),
            BasicPublishOptions {
                mandatory: true,
                immediate: false,
            },
            &parcel.body,
            parcel.properties.clone(),
        );
        confirms.push(timeout_at(deadline, publish).await);
    }
    let confirmations = join_all(confirms.into_iter().map(|published| async move {
        match published {
            Ok(Ok(confirm)) => match timeout_at(deadline, confirm).await {
                Ok(Ok(confirmation)) => Ok(confirmation),
                Ok(Err(error)) => Err(SendError::Broken {
                    reason: error.to_string(),
                }),
                Err(_) => Err(SendError::Unconfirmed),
            },
            Ok(Err(error)) => Err(SendError::Broken {
                reason: error.to_string(),
            }),
            Err(_) => Err(SendError::Unconfirmed),
        }
    }))
    .await;
    if confirmations.iter().any(Result::is_ok) {
        wire.flow.confirmed(std::time::Instant::now());
    }
    if confirmations.contains(&Err(SendError::Unconfirmed)) {
        wire.give_up("a message was not confirmed in time");
    }
    verdicts(parcels, confirmations)
}
