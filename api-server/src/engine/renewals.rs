//! What was lost with a queue that had to be made anew is sent again: the rows know what that was.

use skybus_bus::{
    headless::{Ledger, Renewal, Shape},
    topology::names,
};
use skybus_model::{HostName, Timestamp, message::Service};
use skybus_store::renewals::{self, Carried};

use super::Engine;

/// Why a renewal cannot be written down, or gone on with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] skybus_store::Error),
    /// A row that is none.
    #[error("a queue's shape cannot be read or written")]
    Shape(#[from] serde_json::Error),
}

impl Ledger for Engine {
    type Error = Error;

    async fn begin(&self, queue: &str, shape: Shape) -> Result<Option<Renewal>, Error> {
        let row = renewals::Renewal {
            queue: queue.to_owned(),
            shape: serde_json::to_string(&shape)?,
            who: self.who.clone(),
            begun_at: Timestamp::now(),
        };
        let begun = renewals::begin(&self.store, &row).await?;
        begun.map(renewal).transpose()
    }

    async fn unfinished(&self) -> Result<Vec<Renewal>, Error> {
        let rows = renewals::take(&self.store, &self.who, Timestamp::now()).await?;
        rows.into_iter().map(renewal).collect()
    }

    async fn finish(&self, renewal: &Renewal) -> Result<(), Error> {
        let carried = carried(&renewal.queue, &renewal.shape);
        let mut tx = self.store.begin().await?;
        renewals::finish(&mut tx, &renewal.queue, &self.who, &carried).await?;
        self.relay.push(tx.commit().await?);
        tracing::info!(
            queue = renewal.queue,
            ?carried,
            "what was lost is sent again"
        );
        Ok(())
    }
}

fn renewal(row: renewals::Renewal) -> Result<Renewal, Error> {
    Ok(Renewal {
        shape: serde_json::from_str(&row.shape)?,
        queue: row.queue,
    })
}

/// What came through a queue's bindings. Subscribers' queues carry copies, and dead letters are dead.
fn carried(queue: &str, shape: &Shape) -> Carried {
    let mut carried = Carried {
        reports: queue == names::API_QUEUE,
        ..Carried::default()
    };
    let commands = shape.bindings.iter();
    for bound in commands.filter(|bound| bound.source == names::COMMANDS) {
        let mut words = bound.routing_key.split('.');
        let to = words.next();
        let to = Service::ALL
            .into_iter()
            .find(|service| Some(service.as_str()) == to);
        let host: Option<HostName> = words.next().and_then(|word| word.parse().ok());
        match (to, host) {
            (Some(Service::Scheduler), _) => carried.placing = true,
            (Some(service), Some(host)) => carried.commands.push((service, host)),
            _ => {}
        }
    }
    carried
}

#[cfg(test)]
mod tests {
    use skybus_bus::{headless, testing::Broker};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::engine::testing::{Stage, eventually_async};

    /// A life of the engine that dies when the queue is there again, before anything is sent again.
    struct Dies<'a>(&'a Engine);

    impl Ledger for Dies<'_> {
        type Error = Error;

        async fn begin(&self, queue: &str, shape: Shape) -> Result<Option<Renewal>, Error> {
            self.0.begin(queue, shape).await
        }

        async fn unfinished(&self) -> Result<Vec<Renewal>, Error> {
            self.0.unfinished().await
        }

        async fn finish(&self, _: &Renewal) -> Result<(), Error> {
            let died = std::io::Error::other("killed");
            Err(Error::Shape(serde_json::Error::io(died)))
        }
    }

    #[tokio::test]
    async fn what_a_queue_held_is_sent_again_also_by_a_process_that_comes_after() {
        let broker = Broker::start().await.unwrap();
        let stage = Stage::begin(&broker, "renewals").await;
        let management = broker.management().unwrap();
        let (server, _) = stage.building("vm").await;
        let queue = names::command_queue(Service::Compute, &stage.host);
        let waits = stage.operation(server).await.wake_at;
        assert!(waits > Timestamp::now());

        let died = headless::renew(&management, &Dies(&stage.engine), &queue).await;
        assert!(died.is_err());
        assert_eq!(stage.operation(server).await.wake_at, waits);

        let token = CancellationToken::new();
        let told = eventually_async(async || stage.operation(server).await.wake_at < waits);
        tokio::select! {
            () = headless::mend(&management, &stage.engine, token.clone()) => panic!("it ended"),
            () = told => {}
        }
        assert!(stage.engine.unfinished().await.unwrap().is_empty());
        stage.end();
    }

    #[test]
    fn what_a_queue_carries_is_told_by_its_bindings() {
        let shape = |bindings: &[(&str, &str)]| Shape {
            durable: true,
            arguments: serde_json::Map::new(),
            bindings: bindings
                .iter()
                .map(|(source, key)| headless::Bound {
                    source: (*source).to_owned(),
                    routing_key: (*key).to_owned(),
                })
                .collect(),
        };
        let fakes = shape(&[
            ("skybus.cmd", "network.node-1.#"),
            ("skybus.cmd", "network.node-2.#"),
            ("skybus.canary", "network.node"),
        ]);
        let to = |name: &str| (Service::Network, name.parse().unwrap());
        let found = carried("skybus.network.node.v1", &fakes);
        assert_eq!(found.commands, [to("node-1"), to("node-2")]);
        assert!(!found.placing && !found.reports);
        let scheduler = shape(&[("skybus.cmd", "scheduler.#")]);
        assert!(carried(names::SCHEDULER_QUEUE, &scheduler).placing);
        let all = shape(&[("skybus.evt", "#")]);
        assert!(carried(names::API_QUEUE, &all).reports);
        assert_eq!(carried("skybus.subscriber.x", &all), Carried::default());
    }
}
