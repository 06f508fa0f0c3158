//! The bus alone, on a private RabbitMQ: calls, confirmed publishes, and commands from an outbox to a
//! journal.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use skybus_bus::{
    Bus, Delivery, Subscription, Verdict, journal::Journal, relay::Relay, testing::Broker,
};
use skybus_model::{
    Generation, HostName,
    id::ServerId,
    message::{
        Context as Trace, Outgoing, Service,
        call::{ConsoleAnswer, ConsoleTail},
        command::ServerRemove,
    },
};
use skybus_store::testing::TestStore;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{boots::millis, reads, table::median};

/// What was measured of the bus.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) call_ms: f64,
    pub(crate) calls_per_second: f64,
    pub(crate) publishes_per_second: f64,
    pub(crate) commands_per_second: f64,
}

/// A control plane's and a worker's place on one broker.
struct Stage {
    _broker: Broker,
    api: Bus,
    worker: Bus,
    host: HostName,
    token: CancellationToken,
}

impl Stage {
    async fn set() -> Result<Self> {
        let broker = Broker::start().await?;
        let token = CancellationToken::new();
        let host: HostName = "node-1".parse().context("a host's name")?;
        let api = broker.bus(Service::Api, "api-1", &token).await?;
        let hosts = std::slice::from_ref(&host);
        let worker = broker.join(Service::Compute, &host, hosts, &token).await?;
        Ok(Self {
            _broker: broker,
            api,
            worker,
            host,
            token,
        })
    }

    fn command(&self) -> Outgoing {
        let remove = ServerRemove {
            operation: None,
            server: ServerId::random(),
            generation: Generation(1),
        };
        Outgoing::to_host(&self.host, &remove, &Trace::begin())
    }
}

/// Measures once.
pub(crate) async fn measure() -> Result<Seen> {
    let stage = Stage::set().await?;
    let (call_ms, calls_per_second) = calls(&stage).await?;
    let commands_per_second = commands(&stage, 10_000).await?;
    let publishes_per_second = publishes(&stage, 20_000).await?;
    stage.token.cancel();
    Ok(Seen {
        call_ms,
        calls_per_second,
        publishes_per_second,
        commands_per_second,
    })
}

async fn calls(stage: &Stage) -> Result<(f64, f64)> {
    let (worker, hosts) = (stage.worker.clone(), vec![stage.host.clone()]);
    let serving = tokio::spawn(async move {
        let answer = |_, _: ConsoleTail| async { ConsoleAnswer::Text("up".to_owned()) };
        worker.serve(&hosts, answer).await
    });
    let ask = || async {
        let tail = ConsoleTail {
            server: ServerId::random(),
            lines: Some(1),
        };
        let patience = Duration::from_secs(10);
        stage.api.call(&stage.host, &tail, patience).await?;
        anyhow::Ok(())
    };
    // The first finds a worker that is still getting ready.
    let ready = Instant::now() + Duration::from_secs(10);
    while ask().await.is_err() && Instant::now() < ready {
        tokio::task::yield_now().await;
    }
    let mut each = Vec::new();
    for _ in 0..500 {
        let began = Instant::now();
        ask().await?;
        each.push(millis(began));
    }
    let rate = reads::rate(64, Duration::from_secs(3), ask).await?;
    serving.abort();
    Ok((median(&each), rate))
}

/// From rows of an outbox to rows of a journal, both on disk, acknowledged.
async fn commands(stage: &Stage, count: u64) -> Result<f64> {
    let database = TestStore::sqlite().await;
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(directory.path().join("journal.db")).await?;
    let relay = Relay::new(stage.api.clone(), Arc::new(database.store.clone()));
    let relaying = tokio::spawn(relay.clone().run(stage.token.child_token()));
    let (accepted, all) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
    let consuming = {
        let (worker, host) = (stage.worker.clone(), stage.host.clone());
        let (accepted, all) = (accepted.clone(), all.clone());
        tokio::spawn(async move {
            let handler = |delivery: Delivery| {
                let (journal, accepted, all) = (journal.clone(), accepted.clone(), all.clone());
                async move {
                    if journal.accept(&delivery).await.is_err() {
                        return Verdict::Retry;
                    }
                    if accepted.fetch_add(1, Ordering::Relaxed) + 1 == count {
                        all.notify_one();
                    }
                    Verdict::Ack
                }
            };
            let commands = Subscription::commands(Service::Compute, &host);
            worker.consume(commands, handler).await
        })
    };
    let began = Instant::now();
    // Ten commands in each transaction: what a burst of small changes would be.
    for _ in 0..count / 10 {
        let mut tx = database.store.begin().await?;
        for _ in 0..10 {
            tx.send(stage.command()).await?;
        }
        relay.push(tx.commit().await?);
    }
    tokio::time::timeout(Duration::from_secs(120), all.notified())
        .await
        .context("the commands did not arrive")?;
    let rate = count as f64 / began.elapsed().as_secs_f64();
    relaying.abort();
    consuming.abort();
    Ok(rate)
}

/// Confirmed and routed, in the batches that a relay sends. Nobody consumes them meanwhile, so no more are
/// sent than the queue holds.
async fn publishes(stage: &Stage, count: usize) -> Result<f64> {
    let messages: Vec<Outgoing> = (0..count).map(|_| stage.command()).collect();
    let began = Instant::now();
    let sent = stage.api.send(&messages).await;
    for result in sent {
        result?;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}
