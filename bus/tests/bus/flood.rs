//! A stolen host account sends all it can.

use std::time::Duration;

use lapin::{BasicProperties, options::BasicPublishOptions};
use skybus_bus::{Subscription, Verdict, testing::Broker};
use skybus_model::{
    message::{Context, Outgoing, Service},
    server::Power,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::stage::{SOON, bare, consume, host, next, report};

/// How many channels the thief sends on.
const CHANNELS: usize = 4;
/// Reports of an honest host in the midst of it.
const REPORTS: usize = 20;
/// Messages of a channel; together they are three times what the queue may hold.
const FLOOD: usize = 15_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_a_stolen_account_is_bounded_and_others_are_heard() {
    let broker = Broker::start().await.unwrap();
    let token = CancellationToken::new();
    let (stolen, honest) = (host("stolen"), host("honest"));
    let url = broker
        .join_account(Service::Compute, &stolen, std::slice::from_ref(&stolen))
        .await
        .unwrap();
    let agent = broker
        .join(
            Service::Compute,
            &honest,
            std::slice::from_ref(&honest),
            &token,
        )
        .await
        .unwrap();

    // Nobody reads: what does not fit is refused, and the broker stays well.
    let mut floods = Vec::new();
    for _ in 0..CHANNELS {
        floods.push(tokio::spawn(flood(url.clone())));
    }
    for flood in floods {
        flood.await.unwrap();
    }
    let management = broker.management().unwrap();
    let held = async || {
        let queues = management.queues().await.unwrap();
        let api = queues
            .into_iter()
            .find(|queue| queue.name == "skybus.api.v1");
        api.map_or(0, |queue| queue.messages)
    };
    let end = Instant::now() + SOON;
    while held().await < 10_000 {
        assert!(Instant::now() < end, "the flood never came");
        sleep(Duration::from_millis(200)).await;
    }
    let bound = held().await;
    assert!(
        bound < (CHANNELS * FLOOD) as u64 / 2,
        "{bound} messages are held"
    );

    // Somebody reads again: an honest host's reports get through, although the thief goes on.
    let thief = tokio::spawn(flood(url.clone()));
    let api = broker.bus(Service::Api, "flooded", &token).await.unwrap();
    let mut hears = consume(&api, Subscription::events(), |_| Verdict::Ack);
    for _ in 0..REPORTS {
        let report = report(&honest, Power::Running);
        let message = Outgoing::event(&honest, &report, &Context::begin());
        while agent.send(std::slice::from_ref(&message)).await != [Ok(())] {
            assert!(Instant::now() < end + SOON, "the honest host is kept out");
            sleep(Duration::from_millis(50)).await;
        }
    }
    let mut heard = 0;
    while heard < REPORTS {
        let delivery = next(&mut hears).await;
        heard += usize::from(delivery.routing_key.contains(".honest."));
    }
    thief.abort();
    token.cancel();
}

/// Sends reports of its own host as fast as the broker takes them, and asks for no confirms.
async fn flood(url: String) {
    let connection = bare(&url).await;
    let channel = connection.create_channel().await.unwrap();
    for _ in 0..FLOOD {
        let sent = channel
            .basic_publish(
                "skybus.evt".into(),
                "compute.stolen.server.report".into(),
                BasicPublishOptions::default(),
                &[b'x'; 500],
                BasicProperties::default(),
            )
            .await;
        if sent.is_err() {
            return;
        }
    }
}
