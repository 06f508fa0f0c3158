//! Calls: a question to one host, and its answer within a deadline.
//!
//! Both are transient and may be lost; nothing's state depends on them. The answer travels through the
//! exchange `skybus.reply` with the key `service.host.caller`, so that the broker itself sees to it that
//! a host answers in its own name only, and the caller checks that it was that host that it had asked.

mod serve;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use skybus_model::{
    HostName,
    id::MessageId,
    message::{Call, Context, Service, routing_key, type_of},
};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};
use tracing::warn;

pub(crate) use self::serve::serve;
use crate::{
    Delivery, Failed, SendError, Verdict,
    consumer::{self, Ears},
    properties,
    publisher::{Parcel, Publisher},
    subscription::Source,
    topology::{self, names},
};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No agent of that host is known to the broker.
    #[error("host {host} is not known")]
    UnknownHost {
        /// The host that was asked.
        host: HostName,
    },
    /// The question could not be sent.
    #[error("the question was not sent")]
    NotSent(#[source] SendError),
    /// No answer came in time.
    #[error("host {host} did not answer within {patience:?}")]
    Deadline {
        /// The host that was asked.
        host: HostName,
        /// How long it was waited for.
        patience: Duration,
    },
    /// What came is not an answer to the question.
    #[error("host {host} gave an answer that cannot be read: {reason}")]
    Undecodable {
        /// The host that was asked.
        host: HostName,
        /// What the decoder says.
        reason: String,
    },
}

struct Pending {
    /// `compute.node-1.`: how the routing key of the answer must begin.
    from: String,
    answer: oneshot::Sender<Vec<u8>>,
}

/// The asking side.
#[derive(Clone)]
pub(crate) struct Caller {
    publisher: Publisher,
    /// `api.a`, `api@a`.
    key: String,
    sender: String,
    pending: Arc<Mutex<HashMap<String, Pending>>>,
    hearing: watch::Receiver<bool>,
}

impl Caller {
    /// The caller and the task that hears its answers.
    pub(crate) fn new(
        ears: Ears,
        service: Service,
        process: &str,
    ) -> (
        Self,
        impl Future<Output = Result<(), Failed>> + Send + use<>,
    ) {
        let (hears, hearing) = watch::channel(false);
        let caller = Self {
            publisher: ears.publisher.clone(),
            key: format!("{service}.{process}"),
            sender: ears.sender.clone(),
            pending: Arc::default(),
            hearing,
        };
        let source = Source::own(topology::replies(service, process), service, process);
        let pending = caller.pending.clone();
        let task = async move {
            consumer::run(&ears, &source, &hears, |delivery| {
                deliver(&pending, delivery);
                std::future::ready(Verdict::Ack)
            })
            .await
        };
        (caller, task)
    }

    pub(crate) async fn call<C: Call>(
        &self,
        host: &HostName,
        call: &C,
        patience: Duration,
    ) -> Result<C::Answer, CallError> {
        let id = MessageId::in_order();
        let (answer, answered) = oneshot::channel();
        let _forgotten_at_the_end = Forget {
            caller: self,
            id: id.to_string(),
        };
        let from = format!("{}.{host}.", C::TO);
        self.lock().insert(id.to_string(), Pending { from, answer });
        let exchange = async {
            // Only once the answer can be heard is there a point in asking.
            let mut hearing = self.hearing.clone();
            // The guard must not live on: it would keep this future on one thread.
            drop(hearing.wait_for(|hearing| *hearing).await);
            self.ask(host, call, id, patience).await?;
            Ok(answered.await.ok())
        };
        let deadline = || CallError::Deadline {
            host: host.clone(),
            patience,
        };
        let body = match timeout(patience, exchange).await {
            Ok(Ok(Some(body))) => body,
            Ok(Err(error)) => return Err(error),
            Ok(Ok(None)) | Err(_) => return Err(deadline()),
        };
        serde_json::from_slice(&body).map_err(|error| CallError::Undecodable {
            host: host.clone(),
            reason: error.to_string(),
        })
    }

    async fn ask<C: Call>(
        &self,
        host: &HostName,
        call: &C,
        id: MessageId,
        patience: Duration,
    ) -> Result<(), CallError> {
        let envelope = properties::envelope(id, &type_of::<C>(), &Context::begin(), &self.sender);
        let body = serde_json::to_vec(call).map_err(|error| CallError::Undecodable {
            host: host.clone(),
            reason: error.to_string(),
        })?;
        let parcel = Parcel {
            exchange: names::CALLS,
            routing_key: routing_key(C::TO, Some(host), C::NAME),
            properties: properties::for_call(envelope, &id.to_string(), Some(&self.key), patience),
            body,
        };
        self.publisher
            .send_one(parcel)
            .await
            .map_err(|error| match error {
                SendError::Unroutable { .. } => CallError::UnknownHost { host: host.clone() },
                other => CallError::NotSent(other),
            })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a question when nobody waits for its answer any more, for whatever reason.
struct Forget<'a> {
    caller: &'a Caller,
    id: String,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.caller.lock().remove(&self.id);
    }
}

fn deliver(pending: &Mutex<HashMap<String, Pending>>, reply: Delivery) {
    let Some(id) = reply.correlation else { return };
    let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
    match pending.get(&id) {
        Some(waiting) if reply.routing_key.starts_with(&waiting.from) => {
            if let Some(waiting) = pending.remove(&id) {
                let _caller_may_be_gone = waiting.answer.send(reply.body);
            }
        }
        Some(_) => {
            warn!(
                key = reply.routing_key,
                "a host that was not asked answers; refused"
            );
        }
        // Its caller has given up.
        None => {}
    }
}
