//! The people of the play: hosts, messages, consumers that hand on what they hear.

use std::{sync::Arc, time::Duration};

use lapin::{Channel, Connection, ConnectionProperties};
use skybus_bus::{Bus, Delivery, Subscription, Verdict, testing::Broker};
use skybus_model::{
    Generation, HostName, Order,
    id::{OperationId, ServerId},
    message::{
        Context, Outgoing,
        command::{ServerPlace, ServerRemove},
        event::ServerReport,
    },
    server::Power,
};
use tokio::{sync::mpsc, time::timeout};

/// Much longer than anything takes, so that a busy machine fails no test.
pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

pub(crate) fn place() -> Outgoing {
    let place = ServerPlace {
        operation: OperationId::random(),
        server: ServerId::random(),
    };
    Outgoing::to_any(&place, &Context::begin())
}

pub(crate) fn remove(host: &HostName) -> Outgoing {
    let remove = ServerRemove {
        operation: None,
        server: ServerId::random(),
        generation: Generation(1),
    };
    Outgoing::to_host(host, &remove, &Context::begin())
}

pub(crate) fn report(host: &HostName, power: Power) -> ServerReport {
    ServerReport {
        server: ServerId::random(),
        operation: None,
        generation: Generation(1),
        order: Order { epoch: 1, seq: 1 },
        host: host.clone(),
        power,
        fault: None,
        hops: vec![],
    }
}

/// A consumer in the background that hands on what it gets and decides as told.
pub(crate) fn consume(
    bus: &Bus,
    subscription: Subscription,
    verdict: impl Fn(&Delivery) -> Verdict + Send + Sync + 'static,
) -> mpsc::UnboundedReceiver<Delivery> {
    let (heard, hears) = mpsc::unbounded_channel();
    let (bus, verdict) = (bus.clone(), Arc::new(verdict));
    tokio::spawn(async move {
        let ended = bus
            .consume(subscription, |delivery| {
                let verdict = verdict(&delivery);
                heard.send(delivery).ok();
                std::future::ready(verdict)
            })
            .await;
        ended.unwrap();
    });
    hears
}

pub(crate) async fn next(hears: &mut mpsc::UnboundedReceiver<Delivery>) -> Delivery {
    timeout(SOON, hears.recv())
        .await
        .expect("nothing came")
        .expect("the consumer ended")
}

/// A bare channel with an account that may do everything.
pub(crate) async fn admin(broker: &Broker) -> (Connection, Channel) {
    let connection = bare(&broker.admin_url()).await;
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

pub(crate) async fn bare(url: &str) -> Connection {
    Connection::connect(url, ConnectionProperties::default())
        .await
        .unwrap()
}
