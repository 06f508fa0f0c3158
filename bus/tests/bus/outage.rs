//! Brokers that die, freeze, and connections that hear nothing.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use lapin::{options::BasicConsumeOptions, types::FieldTable};
use skybus_bus::{Failed, SendError, Subscription, Timing, Verdict, testing::Broker, topology};
use skybus_model::{id::MessageId, message::Service};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::stage::{SOON, admin, consume, host, next, place, remove};

#[tokio::test]
async fn a_broker_that_is_killed_and_started_again_loses_nothing_that_was_confirmed() {
    let broker = Broker::start().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "killed", &token).await.unwrap();
    let scheduler = broker
        .bus(Service::Scheduler, "killed", &token)
        .await
        .unwrap();
    let mut hears = consume(&scheduler, Subscription::scheduler(), |_| Verdict::Ack);

    let confirmed: Arc<Mutex<HashSet<MessageId>>> = Arc::default();
    let sending = tokio::spawn({
        let (api, confirmed) = (api.clone(), confirmed.clone());
        async move {
            loop {
                let batch: Vec<_> = (0..20).map(|_| place()).collect();
                let results = api.send(&batch).await;
                let sent = batch
                    .iter()
                    .zip(results)
                    .filter(|(_, result)| result.is_ok());
                confirmed
                    .lock()
                    .unwrap()
                    .extend(sent.map(|(message, _)| message.id));
                sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let so_many = |count: usize| {
        let confirmed = confirmed.clone();
        async move {
            let enough = async {
                while confirmed.lock().unwrap().len() < count {
                    sleep(Duration::from_millis(10)).await;
                }
            };
            timeout(SOON, enough)
                .await
                .expect("the publisher does not go on");
        }
    };
    so_many(200).await;
    broker.kill().await.unwrap();
    assert!(!sending.is_finished());
    let before = confirmed.lock().unwrap().len();
    broker.restart().await.unwrap();
    so_many(before + 200).await;
    sending.abort();

    let mut missing = confirmed.lock().unwrap().clone();
    while !missing.is_empty() {
        missing.remove(&next(&mut hears).await.id);
    }
    token.cancel();
}

#[tokio::test]
async fn a_frozen_broker_is_noticed_by_the_deadline_of_a_confirm() {
    let broker = Broker::start().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "frozen", &token).await.unwrap();
    api.send(&[place()]).await.pop().unwrap().unwrap();
    broker.freeze().unwrap();
    let began = Instant::now();
    let result = api.send(&[place()]).await.pop().unwrap();
    assert_eq!(result, Err(SendError::Unconfirmed));
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    let at_once = Instant::now();
    assert_eq!(api.send(&[place()]).await, [Err(SendError::NotConnected)]);
    assert!(
        at_once.elapsed() < Duration::from_secs(1),
        "nobody waits for a connection"
    );
    broker.thaw().unwrap();
    timeout(SOON, api.wait_connected())
        .await
        .expect("it does not come back");
    api.send(&[place()]).await.pop().unwrap().unwrap();
    token.cancel();
}

const HASTY: Timing = Timing {
    idle: Duration::from_millis(200),
    silence: Duration::from_secs(4),
    strikes: 3,
};

#[tokio::test]
async fn an_idle_consumer_hears_its_own_canary_and_keeps_its_connection() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let node = host("idle-node");
    let url = broker
        .join_account(Service::Compute, &node, std::slice::from_ref(&node))
        .await
        .unwrap();
    let agent = broker
        .connect(url, Service::Compute, "idle-node", HASTY, &token)
        .await;
    let mut hears = consume(
        &agent,
        Subscription::commands(Service::Compute, &node),
        |_| Verdict::Ack,
    );
    let api = broker.bus(Service::Api, "idle", &token).await.unwrap();
    let connections = agent.on_reconnect();
    let first = *connections.borrow();
    // Several times the time after which silence would have been noticed.
    sleep(HASTY.idle * 3 + HASTY.silence * 2).await;
    assert_eq!(*connections.borrow(), first, "it was made anew");
    assert!(
        hears.try_recv().is_err(),
        "a canary is nobody else's business"
    );
    api.send(&[remove(&node)]).await.pop().unwrap().unwrap();
    next(&mut hears).await;
    token.cancel();
}

#[tokio::test]
async fn a_consumer_that_stays_deaf_ends_its_process_with_an_error() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let node = host("deaf-node");
    let url = broker
        .join_account(Service::Compute, &node, std::slice::from_ref(&node))
        .await
        .unwrap();
    // Somebody else is the single active consumer of its queue: the connection is perfectly healthy,
    // and nothing ever comes.
    let (_admin, channel) = admin(broker).await;
    let queue = topology::names::command_queue(Service::Compute, &node);
    let _thief = channel
        .basic_consume(
            queue.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let agent = broker
        .connect(url, Service::Compute, "deaf-node", HASTY, &token)
        .await;
    let connections = agent.on_reconnect();
    let consuming = agent.consume(Subscription::commands(Service::Compute, &node), |_| {
        std::future::ready(Verdict::Ack)
    });
    let ended = timeout(SOON, consuming).await.expect("it listens for ever");
    assert_eq!(ended, Err(Failed::Deaf { queue }));
    assert!(*connections.borrow() >= 2, "it tried new connections first");
    token.cancel();
}

#[tokio::test]
async fn a_wrong_address_ends_the_process_with_a_reason_and_without_the_password() {
    let settings = skybus_bus::Settings {
        url: "http://user:secret@nowhere".to_owned(),
        service: Service::Compute,
        instance: "a".to_owned(),
    };
    let bus = skybus_bus::Bus::connect(settings.clone(), CancellationToken::new());
    let ended = bus
        .consume(Subscription::scheduler(), |_| {
            std::future::ready(Verdict::Ack)
        })
        .await;
    let text = format!("{ended:?} {settings:?} {bus:?}");
    assert!(matches!(ended, Err(Failed::Address { .. })), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
