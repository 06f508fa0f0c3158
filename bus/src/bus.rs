//! The bus as a process sees it: it sends, consumes, calls and beats, and never sees a channel.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use lapin::{Channel, uri::AMQPUri};
use skybus_model::{
    HostName,
    id::MessageId,
    message::{
        Call, Context, Message, Outgoing, Service, heartbeat::HostBeat, routing_key, type_of,
    },
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::debug;

pub use crate::canary::Timing;
use crate::{
    CallError, Delivery, Failed, SendError, Subscription, Verdict,
    call::{self, Caller},
    consumer::{self, Ears, Unheard},
    failure::End,
    link::Link,
    lossy::Lossy,
    probe, properties,
    publisher::{Parcel, Publisher},
    topology::names,
};

/// Who a process is on the bus, and where the broker is.
#[derive(Clone)]
pub struct Settings {
    /// `amqp://USER:PASSWORD@HOST:PORT/VHOST`.
    pub url: String,
    /// Its role.
    pub service: Service,
    /// Its name among those of its role: an agent's host, a process's own word. No dots.
    pub instance: String,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the address: it holds a password.
        write!(f, "Settings({}@{})", self.service, self.instance)
    }
}

/// A process's place on the bus. Cheap to clone.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    settings: Settings,
    ears: Ears,
    publish: Link,
    caller: Option<Caller>,
    lossy: Arc<Lossy>,
    reconnects: watch::Receiver<u64>,
    end: End,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("settings", &self.0.settings)
            .field("connected", &self.connected())
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// Returns at once; connects and reconnects in the background until the token is cancelled.
    #[must_use]
    pub fn connect(settings: Settings, token: CancellationToken) -> Self {
        Self::connect_with(settings, Timing::default(), token)
    }

    /// The same with other waiting times.
    #[must_use]
    pub fn connect_with(settings: Settings, timing: Timing, token: CancellationToken) -> Self {
        let end = End::default();
        let address: AMQPUri = settings.url.parse().unwrap_or_else(|reason| {
            end.set(Failed::Address { reason });
            AMQPUri::default()
        });
        let sender = format!("{}@{}", settings.service, settings.instance);
        // Two connections, because a broker that blocks publishers stops reading from them altogether.
        let link = |purpose| {
            Link::new(
                format!("{sender} {purpose}"),
                address.clone(),
                token.clone(),
            )
        };
        let ((publish, keep_publish), (consume, keep_consume)) = (link("publish"), link("consume"));
        let (publisher, publishing) = Publisher::new(publish.clone());
        let ears = Ears {
            link: consume.clone(),
            publisher,
            sender,
            timing,
            token: token.clone(),
            unheard: Unheard::default(),
        };
        let lossy = Arc::new(Lossy::new(publish.clone()));
        let (count, reconnects) = watch::channel(0);
        let mut caller = None;
        if !end.is_set() {
            end.keep(&token, "publisher", publishing.map(Ok));
            end.keep(&token, "link", keep_publish.map(Ok));
            end.keep(&token, "link", keep_consume.map(Ok));
            end.keep(
                &token,
                "link",
                count_links(publish.clone(), consume, count).map(Ok),
            );
            if settings.service == Service::Api {
                let (asks, hear) = Caller::new(ears.clone(), settings.service, &settings.instance);
                end.keep(&token, "caller", hear);
                caller = Some(asks);
            }
            // Agents publish heartbeats, and judge nobody.
            if matches!(settings.service, Service::Api | Service::Scheduler) {
                let key = names::canary_key(settings.service, &settings.instance);
                let through = (publish.clone(), ears.publisher.clone(), lossy.clone());
                let probing = probe::run(through, key, ears.sender.clone());
                end.keep(&token, "probe", probing.map(Ok));
            }
        }
        Self(Arc::new(Inner {
            settings,
            ears,
            publish,
            caller,
            lossy,
            reconnects,
            end,
        }))
    }

    /// Whether there are connections to the broker now.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.0.publish.current().is_some() && self.0.ears.link.current().is_some()
    }

    /// Whether it is known that messages can come and go: there are connections, the broker has confirmed
    /// something, and it is under no alarm. This, and not [`connected`](Self::connected), is what absence is
    /// measured by. API servers and schedulers keep it known by themselves; an agent knows it once
    /// something of its own was confirmed.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.well_since().is_some()
    }

    /// Since when messages have been able to come and go; nothing while they cannot.
    #[must_use]
    pub fn well_since(&self) -> Option<Instant> {
        let (out, back) = (self.0.publish.current()?, self.0.ears.link.current()?);
        let open = out.flow.open_since()?;
        Some(open.max(back.since.into_std()))
    }

    /// For how long messages have been able to come and go; nothing while they cannot.
    #[must_use]
    pub fn well_for(&self) -> Option<Duration> {
        self.well_since().map(|since| since.elapsed())
    }

    /// What is wrong between this process and the broker, in words for `/healthz`.
    #[must_use]
    pub fn trouble(&self) -> Option<&'static str> {
        if !self.connected() {
            return Some("the broker is away");
        }
        self.blocked()
            .then_some("the broker takes no messages: its memory or its disk is nearly full")
    }

    /// Whether the broker has stopped taking messages (a memory or disk alarm of its own).
    #[must_use]
    pub fn blocked(&self) -> bool {
        self.0.publish.is_blocked()
    }

    /// The queues that this process should hear and does not, at this moment. For `/healthz`.
    #[must_use]
    pub fn unheard(&self) -> Vec<String> {
        self.0.ears.unheard.list()
    }

    /// Returns once both connections stand.
    pub async fn wait_connected(&self) {
        self.0.publish.wait().await;
        self.0.ears.link.wait().await;
    }

    /// Returns once it is known that messages can come and go.
    pub async fn wait_well(&self) {
        while !self.is_well() {
            let (out, back) = (self.0.publish.wait().await, self.0.ears.link.wait().await);
            tokio::select! {
                () = out.flow.until_open() => {}
                () = out.ended() => {}
                () = back.ended() => {}
            }
        }
    }

    /// Changes each time the bus is connected anew, the first time included.
    #[must_use]
    pub fn on_reconnect(&self) -> watch::Receiver<u64> {
        self.0.reconnects.clone()
    }

    /// Sends all, pipelined; one result each, in the same order. `Ok` means that a queue has it,
    /// safely. Notifications are the exception: they may go unheard, so `Ok` means only that they left.
    pub async fn send(&self, messages: &[Outgoing]) -> Vec<Result<(), SendError>> {
        let mut parcels = Vec::with_capacity(messages.len());
        let mut notified = Vec::new();
        for message in messages {
            let properties = properties::of(message, &self.0.ears.sender);
            let parcel = Parcel {
                exchange: message.exchange.as_str(),
                routing_key: message.routing_key.clone(),
                properties,
                body: message.body.clone(),
            };
            if message.must_be_routed() {
                parcels.push(parcel);
                notified.push(None);
            } else {
                notified.push(Some(self.0.lossy.send(parcel).await));
            }
        }
        let mut confirmed = self.0.ears.publisher.send(parcels).await.into_iter();
        notified
            .into_iter()
            .map(|result| {
                result
                    .or_else(|| confirmed.next())
                    .unwrap_or(Err(SendError::NotConnected))
            })
            .collect()
    }

    /// One heartbeat. It may be lost, and nobody is told.
    pub async fn beat(&self, beat: &HostBeat) {
        let Ok(body) = serde_json::to_vec(beat) else {
            return;
        };
        let parcel = Parcel {
            exchange: names::BEATS,
            routing_key: routing_key(self.0.settings.service, Some(&beat.host), HostBeat::NAME),
            properties: properties::envelope(
                MessageId::in_order(),
                &type_of::<HostBeat>(),
                &Context::begin(),
                &self.0.ears.sender,
            )
            .with_expiration("30000".into()),
            body,
        };
        if let Err(error) = self.0.lossy.send(parcel).await {
            debug!(%error, "a heartbeat did not leave");
        }
    }

    /// Asks a host and waits for its answer.
    ///
    /// # Errors
    /// [`CallError`]; a host that is unknown is told apart from one that is silent.
    pub async fn call<C: Call>(
        &self,
        host: &HostName,
        call: &C,
        patience: Duration,
    ) -> Result<C::Answer, CallError> {
        match &self.0.caller {
            Some(caller) => caller.call(host, call, patience).await,
            None => Err(CallError::NotSent(SendError::NotConnected)),
        }
    }

    /// Answers calls of one type for these hosts, until the process ends.
    ///
    /// # Errors
    /// [`Failed`] when the bus cannot go on; end the process with it.
    pub async fn serve<C, F, Fut>(&self, hosts: &[HostName], handler: F) -> Result<(), Failed>
    where
        C: Call,
        F: Fn(HostName, C) -> Fut + Send + Sync,
        Fut: Future<Output = C::Answer> + Send,
    {
        let agent: HostName = self.0.settings.instance.parse().map_err(
            |error: skybus_model::host::NotAHostName| Failed::Address {
                reason: error.to_string(),
            },
        )?;
        tokio::select! {
            why = self.0.end.wait() => Err(why),
            ended = Box::pin(call::serve::<C, F, Fut>(&self.0.ears, &agent, hosts, handler)) => ended,
        }
    }

    /// Hands every message of the subscription to the handler, several at a time, until the process
    /// ends. A handler that panics is a [`Verdict::Retry`].
    ///
    /// # Errors
    /// [`Failed`] when the bus cannot go on; end the process with it.
    pub async fn consume<H, F>(&self, subscription: Subscription, handler: H) -> Result<(), Failed>
    where
        H: Fn(Delivery) -> F + Send + Sync,
        F: Future<Output = Verdict> + Send,
    {
        let source = subscription.source(self.0.settings.service);
        let (hears, _) = watch::channel(false);
        tokio::select! {
            why = self.0.end.wait() => Err(why),
            ended = Box::pin(consumer::run(&self.0.ears, &source, &hears, handler)) => ended,
        }
    }

    /// Pends until the bus has failed for good.
    pub async fn failed(&self) -> Failed {
        self.0.end.wait().await
    }

    /// A channel of one's own on the consuming connection.
    pub(crate) async fn channel(&self) -> Result<Channel, String> {
        let wire = self
            .0
            .ears
            .link
            .current()
            .ok_or("there is no connection to the broker")?;
        wire.ask("open a channel", wire.connection.create_channel())
            .await
    }

    pub(crate) async fn publish(&self, parcel: Parcel) -> Result<(), SendError> {
        self.0.ears.publisher.send_one(parcel).await
    }
}

/// Counts how often both connections stood anew.
async fn count_links(publish: Link, consume: Link, count: watch::Sender<u64>) {
    let mut last = (0, 0);
    loop {
        let (out, back) = (publish.wait().await, consume.wait().await);
        if (out.number, back.number) != last && !out.is_broken() && !back.is_broken() {
            last = (out.number, back.number);
            count.send_modify(|count| *count += 1);
        }
        tokio::select! { () = out.ended() => {}, () = back.ended() => {} }
    }
}
