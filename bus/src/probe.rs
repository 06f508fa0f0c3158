//! Keeps it known whether the broker takes messages.
//!
//! A broker under an alarm tells a connection of it only when that publishes, and hosts whose heartbeats it
//! holds up look dead to a process that publishes nothing. So a process that judges others by their silence
//! publishes a canary of its own every few seconds: one that is confirmed on each new connection, and then
//! ones that merely bring the alarm to light. They end in the process's own queue, where a canary is
//! nobody's business.

use std::time::Duration;

use skybus_model::{id::MessageId, message::Context};
use tokio::time::sleep;

use crate::{
    link::Link,
    lossy::Lossy,
    properties,
    publisher::{Parcel, Publisher},
    topology::names,
};

/// Much less than the time after which a silent host is down.
const EVERY: Duration = Duration::from_secs(5);

/// Probes for as long as the process lives. `key` is the one by which the process hears its own canaries.
pub(crate) async fn run(
    (link, publisher, lossy): (Link, Publisher, std::sync::Arc<Lossy>),
    key: String,
    sender: String,
) {
    loop {
        let wire = link.wait().await;
        // One that is blocked is told when that ends.
        if !wire.flow.is_blocked() {
            let probe = probe(&key, &sender);
            let sent = match wire.flow.open_since() {
                None => publisher.send_one(probe).await,
                Some(_) => lossy.send(probe).await,
            };
            if let Err(error) = sent {
                tracing::debug!(%error, "the broker was asked whether it takes messages");
            }
        }
        tokio::select! { () = wire.ended() => {}, () = sleep(EVERY) => {} }
    }
}

fn probe(key: &str, sender: &str) -> Parcel {
    let (id, context) = (MessageId::in_order(), Context::begin());
    Parcel {
        exchange: names::CANARIES,
        routing_key: key.to_owned(),
        properties: properties::envelope(id, "canary/1", &context, sender),
        body: b"{}".to_vec(),
    }
}
