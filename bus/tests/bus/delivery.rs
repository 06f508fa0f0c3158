//! What happens to a message on its way: routed or not, handled, refused, repeated, replayed.

use std::time::Duration;

use lapin::{BasicProperties, options::BasicPublishOptions, options::QueueDeleteOptions};
use skybus_bus::{Bus, SendError, Subscription, Timing, Verdict, dead, testing::Broker, topology};
use skybus_model::{
    Generation,
    id::ServerId,
    message::{Context, Outgoing, Service, command::ServerRemove},
    server::Power,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::stage::{SOON, admin, consume, host, next, place, remove, report};

async fn dead_letter(bus: &Bus, is: impl Fn(&dead::DeadLetter) -> bool) -> dead::DeadLetter {
    timeout(SOON, async {
        loop {
            let letters = dead::list(bus, 1000).await.unwrap();
            if let Some(letter) = letters.into_iter().find(|letter| is(letter)) {
                return letter;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("no dead letter came")
}

#[tokio::test]
async fn a_message_arrives_with_its_trace() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "trace", &token).await.unwrap();
    let node = host("trace-node");
    let agent = broker
        .join(Service::Compute, &node, std::slice::from_ref(&node), &token)
        .await
        .unwrap();
    let mut hears = consume(
        &agent,
        Subscription::commands(Service::Compute, &node),
        |_| Verdict::Ack,
    );
    let request = Context::begin();
    let command = ServerRemove {
        operation: None,
        server: ServerId::random(),
        generation: Generation(7),
    };
    let message = Outgoing::to_host(&node, &command, &request);
    assert_eq!(api.send(std::slice::from_ref(&message)).await, [Ok(())]);

    let delivery = next(&mut hears).await;
    assert_eq!(delivery.id, message.id);
    assert_eq!(delivery.context.request_id, request.request_id);
    let trace = |context: &Context| context.traceparent.split('-').nth(1).unwrap().to_owned();
    assert_eq!(
        trace(&delivery.context),
        trace(&request),
        "the same trace id"
    );
    assert_ne!(
        delivery.context.traceparent, request.traceparent,
        "another span"
    );
    assert_eq!(delivery.decode::<ServerRemove>().unwrap(), command);
    assert_eq!(
        (delivery.name(), delivery.host()),
        ("server.remove", Some("trace-node"))
    );
    token.cancel();
}

#[tokio::test]
async fn an_unroutable_message_is_an_error_and_its_neighbours_are_not() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let api = broker
        .bus(Service::Api, "unroutable", &token)
        .await
        .unwrap();
    let nowhere = host("nowhere");
    // Many at once, because the broker then confirms several with one frame.
    let batch: Vec<_> = (0..200)
        .map(|n| {
            if n % 3 == 1 {
                remove(&nowhere)
            } else {
                place()
            }
        })
        .collect();
    for _ in 0..3 {
        for (n, result) in api.send(&batch).await.into_iter().enumerate() {
            if n % 3 == 1 {
                assert!(
                    matches!(result, Err(SendError::Unroutable { .. })),
                    "{n}: {result:?}"
                );
            } else {
                assert_eq!(result, Ok(()), "{n}");
            }
        }
    }
    let scheduler = broker
        .bus(Service::Scheduler, "unroutable", &token)
        .await
        .unwrap();
    let mut hears = consume(&scheduler, Subscription::scheduler(), |_| Verdict::Ack);
    next(&mut hears).await;
    token.cancel();
}

#[tokio::test]
async fn random_bytes_are_a_dead_letter_at_once() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "random", &token).await.unwrap();
    let node = host("random-node");
    let agent = broker
        .join(Service::Compute, &node, std::slice::from_ref(&node), &token)
        .await
        .unwrap();
    let mut hears = consume(
        &agent,
        Subscription::commands(Service::Compute, &node),
        |delivery| {
            delivery
                .decode::<ServerRemove>()
                .map_or_else(Into::into, |_| Verdict::Ack)
        },
    );

    let (_admin, channel) = admin(broker).await;
    let key = "compute.random-node.server.remove";
    let bytes: Vec<u8> = (0..500).map(|_| rand::random()).collect();
    // No envelope at all; then an envelope around rubbish.
    let enveloped = BasicProperties::default()
        .with_message_id(ServerId::random().to_string().into())
        .with_type("server.remove/1".into());
    for properties in [BasicProperties::default(), enveloped] {
        channel
            .basic_publish(
                "skybus.cmd".into(),
                key.into(),
                BasicPublishOptions::default(),
                &bytes,
                properties,
            )
            .await
            .unwrap();
    }
    let nameless = dead_letter(&api, |l| l.routing_key == key && l.kind.is_empty()).await;
    assert_eq!((nameless.reason.as_str(), nameless.size), ("rejected", 500));
    assert_eq!(nameless.queue, "skybus.compute.random-node.v1");
    dead_letter(&api, |l| {
        l.routing_key == key && l.kind == "server.remove/1"
    })
    .await;
    // The consumer lives and hears the next good one.
    api.send(&[remove(&node)]).await.pop().unwrap().unwrap();
    while next(&mut hears).await.decode::<ServerRemove>().is_err() {}
    dead::drop_letter(&api, &nameless.id).await.unwrap();
    assert!(dead::show(&api, &nameless.id).await.is_err());
    token.cancel();
}

#[tokio::test]
async fn what_keeps_failing_reaches_the_delivery_limit_and_can_be_replayed() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "limit", &token).await.unwrap();
    let node = host("limit-node");
    let sick = CancellationToken::new();
    let url = broker
        .join_account(Service::Compute, &node, std::slice::from_ref(&node))
        .await
        .unwrap();
    let agent = broker
        .connect(
            url.clone(),
            Service::Compute,
            "limit-node",
            Default::default(),
            &sick,
        )
        .await;
    let mut hears = consume(
        &agent,
        Subscription::commands(Service::Compute, &node),
        |delivery| {
            // A handler that panics is no different from one that asks for another try.
            assert!(delivery.attempts % 2 == 0, "this handler panics on purpose");
            Verdict::Retry
        },
    );
    let message = remove(&node);
    api.send(std::slice::from_ref(&message))
        .await
        .pop()
        .unwrap()
        .unwrap();
    let letter = dead_letter(&api, |l| l.id == message.id.to_string()).await;
    assert_eq!(letter.reason, "delivery_limit");
    assert_eq!(letter.request_id, message.context.request_id);
    let (_, body) = dead::show(&api, &letter.id).await.unwrap();
    assert_eq!(body.as_bytes(), message.body);
    let mut attempts = Vec::new();
    while let Ok(delivery) = hears.try_recv() {
        attempts.push(delivery.attempts);
    }
    assert_eq!(
        attempts,
        [0, 2, 4, 6, 8, 10],
        "eleven deliveries, every other one panicked"
    );
    sick.cancel();

    let agent = broker
        .connect(
            url,
            Service::Compute,
            "limit-node",
            Default::default(),
            &token,
        )
        .await;
    let mut hears = consume(
        &agent,
        Subscription::commands(Service::Compute, &node),
        |_| Verdict::Ack,
    );
    dead::replay(&api, &letter.id).await.unwrap();
    let again = next(&mut hears).await;
    assert_eq!((again.id, again.attempts), (message.id, 0));
    assert_eq!(again.context, message.context);
    assert!(
        dead::show(&api, &letter.id).await.is_err(),
        "it is no dead letter any more"
    );
    token.cancel();
}

#[tokio::test]
async fn a_deleted_queue_is_consumed_again_once_it_is_back() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "deleted", &token).await.unwrap();
    let node = host("deleted-node");
    let url = broker
        .join_account(Service::Compute, &node, std::slice::from_ref(&node))
        .await
        .unwrap();
    // The broker may let a consumer in while it is still deleting the queue, and then never speak to it
    // again. The canary finds that out.
    let timing = Timing {
        idle: Duration::from_secs(5),
        ..Timing::default()
    };
    let agent = broker
        .connect(url, Service::Compute, node.as_str(), timing, &token)
        .await;
    let mut hears = consume(
        &agent,
        Subscription::commands(Service::Compute, &node),
        |_| Verdict::Ack,
    );
    api.send(&[remove(&node)]).await.pop().unwrap().unwrap();
    next(&mut hears).await;

    let (_admin, channel) = admin(broker).await;
    let queue = topology::names::command_queue(Service::Compute, &node);
    channel
        .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    let lost = api.send(&[remove(&node)]).await.pop().unwrap();
    assert!(
        matches!(lost, Err(SendError::Unroutable { .. })),
        "{lost:?}"
    );
    let agents = topology::agent(Service::Compute, &node, std::slice::from_ref(&node));
    topology::declare(&broker.admin_url(), &agents)
        .await
        .unwrap();
    let message = remove(&node);
    api.send(std::slice::from_ref(&message))
        .await
        .pop()
        .unwrap()
        .unwrap();
    assert_eq!(next(&mut hears).await.id, message.id);
    assert!(agent.unheard().is_empty());
    token.cancel();
}

#[tokio::test]
async fn declaring_again_changes_nothing_and_other_arguments_are_refused() {
    let broker = Broker::shared().await.unwrap();
    topology::declare(&broker.admin_url(), &topology::control_plane())
        .await
        .unwrap();
    broker
        .management()
        .unwrap()
        .declare(&topology::control_plane())
        .await
        .unwrap();
    let mut other = topology::control_plane();
    other.queues[0]
        .arguments
        .retain(|(name, _)| *name != "x-max-length");
    let refused = topology::declare(&broker.admin_url(), &other)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("skybus.scheduler.v1"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_forbidden_message_keeps_its_neighbours_from_nothing() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let node = host("forbidden-node");
    let agent = broker
        .join(Service::Compute, &node, std::slice::from_ref(&node), &token)
        .await
        .unwrap();
    let event = |of: &str| {
        let of = host(of);
        Outgoing::event(&of, &report(&of, Power::Running), &Context::begin())
    };
    let batch = [
        event("forbidden-node"),
        event("other"),
        event("forbidden-node"),
    ];
    let results = agent.send(&batch).await;
    assert!(
        matches!(
            &results[..],
            [Ok(()), Err(SendError::Forbidden { .. }), Ok(())]
        ),
        "{results:?}"
    );
    assert_eq!(agent.send(&batch[..1]).await, [Ok(())]);
    token.cancel();
}
