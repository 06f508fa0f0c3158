//! The consumer: hears one queue for as long as the process lives.
//!
//! Each session begins from nothing (channel, declaration of an own queue, consume) and ends when the
//! connection, the channel or the stream ends. A stream that simply ends means that the queue was
//! deleted; that, too, is only the end of a session.

mod handle;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use lapin::{
    Channel, Consumer,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use skybus_model::{id::MessageId, message::Context};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Delivery, Failed, SendError, Timing, Verdict,
    canary::{Canary, Due},
    link::{Link, Wire, pause},
    properties,
    publisher::{Parcel, Publisher},
    subscription::Source,
    topology::{self, names},
};

/// How long handlers may go on when the process, or the connection, ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a consumer needs of its bus.
#[derive(Clone)]
pub(crate) struct Ears {
    pub(crate) link: Link,
    pub(crate) publisher: Publisher,
    pub(crate) sender: String,
    pub(crate) timing: Timing,
    pub(crate) token: CancellationToken,
    pub(crate) unheard: Unheard,
}

/// The queues that should be consumed and are not.
#[derive(Clone, Default)]
pub(crate) struct Unheard(Arc<Mutex<BTreeSet<String>>>);

impl Unheard {
    pub(crate) fn list(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    fn set(&self, queue: &str, unheard: bool) {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if unheard {
            queues.insert(queue.to_owned());
        } else {
            queues.remove(queue);
        }
    }
}

/// How a session ended.
enum End {
    /// The process ends.
    Shutdown,
    /// Connection, channel or stream ended; the text says why.
    Again(String),
    /// Canaries stay unheard.
    Deaf,
}

/// Hears the queue until the token is cancelled. `hearing` is true while it is being consumed.
pub(crate) async fn run<H, F>(
    ears: &Ears,
    source: &Source,
    hearing: &watch::Sender<bool>,
    handler: H,
) -> Result<(), Failed>
where
    H: Fn(Delivery) -> F + Send + Sync,
    F: Future<Output = Verdict> + Send,
{
    let mut canary = Canary::new(ears.timing);
    let mut failures = 0;
    loop {
        ears.unheard.set(&source.queue, true);
        let wire = tokio::select! {
            () = ears.token.cancelled() => return Ok(()),
            wire = ears.link.wait() => wire,
        };
        let began = Instant::now();
        let end = match listen(&wire, source).await {
            Ok((channel, consumer)) => {
                info!(queue = source.queue, "consuming");
                ears.unheard.set(&source.queue, false);
                hearing.send_replace(true);
                canary.begin(began);
                let session = Session {
                    ears,
                    source,
                    wire: &wire,
                    handler: &handler,
                };
                let end = Box::pin(session.run(consumer, &mut canary)).await;
                drop(channel);
                end
            }
            Err(reason) => End::Again(reason),
        };
        hearing.send_replace(false);
        match end {
            End::Shutdown => return Ok(()),
            End::Deaf => {
                return Err(Failed::Deaf {
                    queue: source.queue.clone(),
                });
            }
            End::Again(reason) => {
                warn!(queue = source.queue, reason, "the queue is consumed anew");
                metrics::counter!("skybus_bus_consumer_restarts_total").increment(1);
                failures = if began.elapsed() > Duration::from_secs(30) {
                    0
                } else {
                    failures + 1
                };
                sleep(pause(failures)).await;
            }
        }
    }
}

async fn listen(wire: &Wire, source: &Source) -> Result<(Channel, Consumer), String> {
    let channel = wire
        .ask("open a channel", wire.connection.create_channel())
        .await?;
    if let Some(queue) = &source.own {
        wire.ask(
            "declare the queue",
            topology::declare_queue(&channel, queue),
        )
        .await?;
        wire.ask("bind the queue", topology::bind(&channel, queue))
            .await?;
    }
    if source.acknowledge {
        let qos = channel.basic_qos(source.at_once, BasicQosOptions::default());
        wire.ask("limit deliveries", qos).await?;
    }
    let options = BasicConsumeOptions {
        no_ack: !source.acknowledge,
        ..Default::default()
    };
    let consume = channel.basic_consume(
        properties::short(&source.queue),
        "".into(),
        options,
        FieldTable::default(),
    );
    let consumer = wire.ask("consume", consume).await?;
    Ok((channel, consumer))
}

struct Session<'a, H> {
    ears: &'a Ears,
    source: &'a Source,
    wire: &'a Arc<Wire>,
    handler: &'a H,
}

impl<H, F> Session<'_, H>
where
    H: Fn(Delivery) -> F + Send + Sync,
    F: Future<Output = Verdict> + Send,
{
    async fn run(&self, mut consumer: Consumer, canary: &mut Canary) -> End {
        let mut working = FuturesUnordered::new();
        let mut sending = FuturesUnordered::new();
        let at_once = usize::from(self.source.at_once);
        let end = loop {
            let wake = self.source.canary.as_ref().and_then(|_| canary.wake());
            tokio::select! {
                () = self.ears.token.cancelled() => break End::Shutdown,
                () = self.wire.ended() => break End::Again("the connection broke".to_owned()),
                Some(()) = working.next(), if !working.is_empty() => {}
                arrived = consumer.next(), if working.len() < at_once => match arrived {
                    Some(Ok(delivery)) => {
                        canary.heard(Instant::now());
                        working.push(self.handle(delivery));
                    }
                    Some(Err(error)) => break End::Again(error.to_string()),
                    None => break End::Again("the queue was deleted".to_owned()),
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    let now = Instant::now();
                    match canary.due(now) {
                        // Full hands hear nothing, and that proves nothing.
                        Some(_) if !working.is_empty() => canary.begin(now),
                        Some(Due::Send) => sending.extend(self.canary()),
                        Some(Due::Lost) if canary.hopeless() => break End::Deaf,
                        Some(Due::Lost) => {
                            self.wire.give_up("its own canary was not heard");
                            break End::Again("a canary was lost".to_owned());
                        }
                        None => {}
                    }
                }
                Some(sent) = sending.next(), if !sending.is_empty() => match sent {
                    Ok(()) => canary.sent(Instant::now()),
                    Err(SendError::Unroutable { .. }) => {
                        break End::Again("the queue has lost its bindings".to_owned());
                    }
                    // The publishing side has its own way to mend itself.
                    Err(_) => canary.begin(Instant::now()),
                },
            }
        };
        // What was begun may end, so that handlers are not dropped half-way. Whatever cannot be
        // acknowledged any more comes again.
        let rest = async { while working.next().await.is_some() {} };
        if timeout(LAST_WORDS, rest).await.is_err() {
            warn!(queue = self.source.queue, "unfinished deliveries are left");
        }
        end
    }

    fn canary(&self) -> Option<impl Future<Output = Result<(), SendError>> + Send + use<H, F>> {
        let properties = properties::envelope(
            MessageId::in_order(),
            "canary/1",
            &Context::begin(),
            &self.ears.sender,
        );
        let parcel = Parcel {
            exchange: names::CANARIES,
            routing_key: self.source.canary.clone()?,
            properties,
            body: b"{}".to_vec(),
        };
        let publisher = self.ears.publisher.clone();
        Some(async move { publisher.send_one(parcel).await })
    }
}
