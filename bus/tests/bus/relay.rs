//! The relay: what was committed leaves, whoever died in between.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use skybus_bus::{
    Subscription, Verdict, journal::Journal, relay::Relay, testing::Broker, topology,
};
use skybus_model::{
    Timestamp,
    id::MessageId,
    message::{Context, Outbox, Outgoing, Service, event::ServerReport},
    server::Power,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::stage::{SOON, consume, host, next, place, remove, report};

#[tokio::test]
async fn rows_that_a_dead_process_left_are_sent_and_new_ones_leave_at_once() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let node = host("relay-node");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    // A former life commits a report and dies before it is sent.
    let journal = Journal::open(&path).await.unwrap();
    let mut tx = journal.begin().await.unwrap();
    let left = report(&node, Power::Running);
    tx.emit(&node, &left, &Context::begin()).await.unwrap();
    tx.commit().await.unwrap();
    drop(journal);

    let api = broker.bus(Service::Api, "relay", &token).await.unwrap();
    let mut hears = consume(&api, Subscription::events(), |_| Verdict::Ack);
    let agent = broker
        .join(Service::Compute, &node, std::slice::from_ref(&node), &token)
        .await
        .unwrap();
    let journal = Arc::new(Journal::open(&path).await.unwrap());
    let relay = Relay::new(agent, journal.clone());
    let running = tokio::spawn(relay.clone().run(token.clone()));
    let mut heard = async |wanted: &ServerReport| loop {
        if next(&mut hears)
            .await
            .decode::<ServerReport>()
            .is_ok_and(|heard| heard == *wanted)
        {
            return;
        }
    };
    heard(&left).await;

    let mut tx = journal.begin().await.unwrap();
    let fresh = report(&node, Power::Shutdown);
    tx.emit(&node, &fresh, &Context::begin()).await.unwrap();
    relay.push(tx.commit().await.unwrap());
    heard(&fresh).await;
    let empty = async {
        let later = Timestamp::now().after(Duration::from_secs(60));
        while !journal.unsent(later, 10).await.unwrap().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, empty)
        .await
        .expect("sent rows stay in the outbox");
    token.cancel();
    running.await.unwrap();
}

#[derive(Debug, Default)]
struct Rows(Mutex<Vec<Outgoing>>);

impl Outbox for Rows {
    type Error = Infallible;

    async fn unsent(&self, before: Timestamp, most: u32) -> Result<Vec<Outgoing>, Infallible> {
        let rows = self.0.lock().unwrap();
        Ok(rows
            .iter()
            .filter(|row| row.at < before)
            .take(most as usize)
            .cloned()
            .collect())
    }

    async fn sent(&self, ids: &[MessageId]) -> Result<(), Infallible> {
        self.0.lock().unwrap().retain(|row| !ids.contains(&row.id));
        Ok(())
    }
}

#[tokio::test]
async fn rows_for_a_host_that_is_gone_keep_nobody_elses_from_leaving() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "stuck", &token).await.unwrap();
    let gone = host("gone");
    let rows = Rows::default();
    {
        let mut rows = rows.0.lock().unwrap();
        rows.extend((0..700).map(|_| remove(&gone)));
        rows.push(place());
        for row in rows.iter_mut() {
            row.at = Timestamp(1);
        }
    }
    let rows = Arc::new(rows);
    tokio::spawn(Relay::new(api, rows.clone()).run(token.clone()));
    let good_one_left = async {
        while rows.0.lock().unwrap().len() > 700 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, good_one_left)
        .await
        .expect("the row behind the stuck ones never leaves");
    assert_eq!(rows.0.lock().unwrap().len(), 700, "what was not sent stays");
    token.cancel();
}

/// As where the majority of its nodes is away. Nobody is judged by their silence before messages have come
/// and gone for ten seconds, and each attempt costs a connection.
#[tokio::test]
async fn a_queue_that_confirms_nothing_leaves_the_connection_well_for_long_enough() {
    let broker = Broker::start().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "silence", &token).await.unwrap();
    let (silent, other) = (host("silent-node"), host("other-node"));
    for node in [&silent, &other] {
        let hosts = std::slice::from_ref(node);
        broker
            .join_account(Service::Compute, node, hosts)
            .await
            .unwrap();
    }
    let queue = topology::names::command_queue(Service::Compute, &silent);
    // Whoever leads it hears nothing any more.
    let suspend = format!("sys:suspend(whereis('skybus_{queue}')).");
    broker.control(&["eval", &suspend]).await.unwrap();

    let rows = Arc::new(Rows::default());
    let add = |mut row: Outgoing| {
        row.at = Timestamp(1);
        rows.0.lock().unwrap().push(row);
    };
    // More than a batch, and always new ones.
    (0..300).for_each(|_| add(remove(&silent)));
    tokio::spawn(Relay::new(api.clone(), rows.clone()).run(token.clone()));
    let first = *api.on_reconnect().borrow();
    let well = async {
        loop {
            let reconnects = *api.on_reconnect().borrow();
            let long = api.well_for().is_some_and(|time| time.as_secs() >= 10);
            if reconnects > first && long {
                return;
            }
            add(remove(&silent));
            sleep(Duration::from_millis(500)).await;
        }
    };
    timeout(4 * SOON, well)
        .await
        .expect("the connection is made anew all the time");
    let waiting = rows.0.lock().unwrap().len();
    assert!(waiting > 300);
    add(remove(&other));
    let left = async {
        while rows.0.lock().unwrap().len() > waiting {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, left).await.expect("others are held up");
    token.cancel();
}
