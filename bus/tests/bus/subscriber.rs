//! Subscribers: they hear everything that they asked for, and can do nothing else.

use lapin::{
    BasicProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use skybus_bus::{accounts::subscriber, testing::Broker};
use skybus_model::{
    message::{Context, Outgoing, Service},
    server::Power,
};
use tokio_util::sync::CancellationToken;

use crate::{
    rights::{Thief, refused},
    stage::{admin, bare, host, report},
};

#[tokio::test]
async fn a_subscriber_reads_its_own_bounded_queue_and_nothing_else() {
    let broker = Broker::shared().await.unwrap();
    let management = broker.management().unwrap();
    let keys = ["compute.sub-node.#".to_owned()];
    let added = subscriber::add(&management, &broker.admin_url(), &host("auditor"), &keys)
        .await
        .unwrap();
    assert_eq!(added.queue, "skybus.subscriber.auditor");
    assert!(
        !format!("{added:?}").contains("amqp"),
        "the address holds a password"
    );
    assert_eq!(subscriber::list(&management).await.unwrap(), ["auditor"]);

    let token = CancellationToken::new();
    let node = host("sub-node");
    let agent = broker
        .join(Service::Compute, &node, std::slice::from_ref(&node), &token)
        .await
        .unwrap();
    let event = Outgoing::event(&node, &report(&node, Power::Running), &Context::begin());
    agent.send(&[event]).await.pop().unwrap().unwrap();
    let thief = Thief(bare(&added.url).await);
    thief.takes(&added.queue).await.unwrap();
    thief.consumes(&added.queue).await.unwrap();
    refused(
        "forge an event",
        thief.publishes("skybus.evt", "compute.sub-node.x.y").await,
    );
    refused(
        "the default exchange",
        thief.publishes("", "skybus.api.v1").await,
    );
    refused("another's queue", thief.consumes("skybus.api.v1").await);
    refused("declare", thief.declares("mine").await);
    refused("bind", thief.binds(&added.queue, "skybus.cmd", "#").await);
    refused("delete", thief.deletes(&added.queue).await);

    assert_eq!(
        flood(broker, &added.queue, 10_300).await,
        10_000,
        "the oldest give way"
    );

    subscriber::remove(&management, &host("auditor"))
        .await
        .unwrap();
    assert!(subscriber::list(&management).await.unwrap().is_empty());
    assert!(
        !management
            .queues()
            .await
            .unwrap()
            .iter()
            .any(|queue| queue.name == added.queue)
    );
    token.cancel();
}

/// Fills the queue with so many messages; the answer is how many it holds then.
async fn flood(broker: &Broker, queue: &str, count: usize) -> u32 {
    let (_admin, channel) = admin(broker).await;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    let mut confirms = Vec::with_capacity(count);
    for _ in 0..count {
        let publish = channel.basic_publish(
            "".into(),
            queue.into(),
            BasicPublishOptions::default(),
            b"{}",
            BasicProperties::default(),
        );
        confirms.push(publish.await.unwrap());
    }
    for confirm in confirms {
        assert!(
            confirm.await.unwrap().is_ack(),
            "a slow subscriber holds up the others"
        );
    }
    let look = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    channel
        .queue_declare(queue.into(), look, FieldTable::default())
        .await
        .unwrap()
        .message_count()
}
