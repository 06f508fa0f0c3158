//! One delivery: read, handled, settled.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use lapin::{
    Acker,
    options::{BasicAckOptions, BasicRejectOptions},
};
use skybus_fault::{self as fault, Point};
use tokio::time::sleep;
use tracing::{error, warn};

use super::Session;
use crate::{Delivery, Verdict, properties, topology::names};

const LONGEST_RETRY_PAUSE: Duration = Duration::from_secs(1);

impl<H, F> Session<'_, H>
where
    H: Fn(Delivery) -> F + Send + Sync,
    F: Future<Output = Verdict> + Send,
{
    pub(super) async fn handle(&self, delivery: lapin::message::Delivery) {
        let lapin::message::Delivery {
            exchange,
            routing_key,
            redelivered,
            properties,
            data,
            acker,
            ..
        } = delivery;
        if exchange.as_str() == names::CANARIES {
            return self.settle(&acker, Verdict::Ack, 0).await;
        }
        let arrived = properties::read(&properties, routing_key.as_str(), redelivered, data);
        let delivery = match arrived {
            Ok(delivery) => delivery,
            Err(reason) => {
                warn!(queue = self.source.queue, %routing_key, reason, "not a message: dead letter");
                return self
                    .settle(&acker, Verdict::Reject(reason.to_owned()), 0)
                    .await;
            }
        };
        let (id, kind, attempts) = (delivery.id, delivery.kind.clone(), delivery.attempts);
        self.come_to(Point::ConsumerDelivered, &kind);
        let handled = AssertUnwindSafe(async { (self.handler)(delivery).await })
            .catch_unwind()
            .await;
        let verdict = handled.unwrap_or_else(|_| {
            error!(queue = self.source.queue, %id, kind, "the handler panicked");
            Verdict::Retry
        });
        match &verdict {
            Verdict::Ack => {}
            Verdict::Retry => warn!(queue = self.source.queue, %id, kind, attempts, "tried again"),
            Verdict::Reject(reason) => {
                warn!(queue = self.source.queue, %id, kind, reason, "to the dead letters");
            }
        }
        self.come_to(Point::ConsumerBeforeAck, &kind);
        self.settle(&acker, verdict, attempts).await;
        self.come_to(Point::ConsumerAfterAck, &kind);
    }

    /// Nothing is promised of what is not acknowledged, so there is nothing to break there.
    fn come_to(&self, point: Point, kind: &str) {
        if self.source.acknowledge {
            fault::hit(point, kind);
        }
    }

    /// Tells the broker. That it cannot be told is no error: the message comes again, and whoever
    /// handles it knows what it has done.
    async fn settle(&self, acker: &Acker, verdict: Verdict, attempts: u32) {
        if !self.source.acknowledge {
            return;
        }
        let told = match verdict {
            Verdict::Ack => acker.ack(BasicAckOptions::default()).await,
            Verdict::Reject(_) => acker.reject(BasicRejectOptions { requeue: false }).await,
            Verdict::Retry => {
                // What failed because something was away for a moment must not use up its deliveries
                // in that moment.
                let step = Duration::from_millis(50) * 2u32.saturating_pow(attempts.min(10));
                sleep(step.min(LONGEST_RETRY_PAUSE)).await;
                acker.reject(BasicRejectOptions { requeue: true }).await
            }
        };
        if let Err(error) = told {
            warn!(queue = self.source.queue, %error, "a delivery could not be settled");
        }
    }
}
