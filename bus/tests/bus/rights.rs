//! What a stolen account can and cannot do.

use lapin::{
    BasicProperties, Channel, Connection, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
        ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
        QueuePurgeOptions,
    },
    types::FieldTable,
};
use skybus_bus::{accounts::Management, testing::Broker};
use skybus_model::message::Service;

use crate::stage::{bare, host};

/// Everything below is asked on a channel of its own, because a refusal closes the channel.
pub(crate) struct Thief(pub(crate) Connection);

impl Thief {
    async fn channel(&self) -> Channel {
        self.0.create_channel().await.unwrap()
    }

    pub(crate) async fn publishes(&self, exchange: &str, key: &str) -> lapin::Result<()> {
        let channel = self.channel().await;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let confirm = channel
            .basic_publish(
                exchange.into(),
                key.into(),
                BasicPublishOptions::default(),
                b"{}",
                BasicProperties::default(),
            )
            .await?;
        confirm.await.map(|_| ())
    }

    pub(crate) async fn consumes(&self, queue: &str) -> lapin::Result<()> {
        let options = BasicConsumeOptions::default();
        let channel = self.channel().await;
        channel
            .basic_consume(queue.into(), "".into(), options, FieldTable::default())
            .await?;
        channel.close(200, "enough".into()).await
    }

    pub(crate) async fn takes(&self, queue: &str) -> lapin::Result<()> {
        let channel = self.channel().await;
        channel
            .basic_get(queue.into(), BasicGetOptions::default())
            .await
            .map(|_| ())
    }

    pub(crate) async fn purges(&self, queue: &str) -> lapin::Result<()> {
        let channel = self.channel().await;
        channel
            .queue_purge(queue.into(), QueuePurgeOptions::default())
            .await
            .map(|_| ())
    }

    pub(crate) async fn deletes(&self, queue: &str) -> lapin::Result<()> {
        let channel = self.channel().await;
        channel
            .queue_delete(queue.into(), QueueDeleteOptions::default())
            .await
            .map(|_| ())
    }

    pub(crate) async fn declares(&self, queue: &str) -> lapin::Result<()> {
        let options = QueueDeclareOptions {
            exclusive: true,
            ..Default::default()
        };
        let channel = self.channel().await;
        channel
            .queue_declare(queue.into(), options, FieldTable::default())
            .await
            .map(|_| ())
    }

    pub(crate) async fn binds(&self, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        let channel = self.channel().await;
        channel
            .queue_bind(
                queue.into(),
                exchange.into(),
                key.into(),
                options,
                arguments,
            )
            .await
    }

    async fn declares_exchange(&self, exchange: &str) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions::default();
        self.channel()
            .await
            .exchange_declare(
                exchange.into(),
                ExchangeKind::Topic,
                options,
                FieldTable::default(),
            )
            .await
    }
}

/// The broker's own word for it, and not some other failure.
pub(crate) fn refused(what: &str, result: lapin::Result<()>) {
    let error = result.expect_err(what).to_string();
    assert!(
        error.contains("ACCESS") && error.contains("REFUSED"),
        "{what}: {error}"
    );
}

#[tokio::test]
async fn a_stolen_host_account_is_refused_what_is_not_its_hosts() {
    let broker = Broker::shared().await.unwrap();
    let (mine, other) = (host("stolen"), host("other"));
    for service in [Service::Compute, Service::Network] {
        broker
            .join_account(service, &other, std::slice::from_ref(&other))
            .await
            .unwrap();
    }
    broker
        .join_account(Service::Network, &mine, std::slice::from_ref(&mine))
        .await
        .unwrap();
    let url = broker
        .join_account(Service::Compute, &mine, std::slice::from_ref(&mine))
        .await
        .unwrap();
    let thief = Thief(bare(&url).await);

    // What it may.
    for (exchange, key) in [
        ("skybus.evt", "compute.stolen.server.report"),
        ("skybus.beat", "compute.stolen.host.beat"),
        ("skybus.reply", "compute.stolen.api.a"),
        ("skybus.canary", "compute.stolen"),
    ] {
        thief.publishes(exchange, key).await.unwrap();
    }
    thief.consumes("skybus.compute.stolen.v1").await.unwrap();
    thief
        .consumes("skybus.call.compute.stolen.console.tail.v1")
        .await
        .unwrap();

    // Commanding, calling, forging, the default exchange.
    for (exchange, key) in [
        ("skybus.cmd", "compute.other.server.remove"),
        ("skybus.cmd", "compute.stolen.server.remove"),
        ("skybus.cmd", "scheduler.any.server.place"),
        ("skybus.call", "compute.other.console.tail"),
        ("skybus.evt", "compute.other.server.report"),
        ("skybus.evt", "network.stolen.port.report"),
        ("skybus.evt", "compute.stolen-1.server.report"),
        ("skybus.beat", "compute.other.host.beat"),
        ("skybus.reply", "compute.other.api.a"),
        ("skybus.canary", "compute.other"),
        ("skybus.canary", "compute.stolen.x"),
        ("skybus.dead", "compute.stolen.server.remove"),
        ("nova", "notifications.info"),
        ("amq.topic", "x"),
        ("", "skybus.compute.other.v1"),
        ("", "skybus.compute.stolen.v1"),
        ("", "skybus.reply.api.a"),
    ] {
        refused(
            &format!("publish {exchange} {key}"),
            thief.publishes(exchange, key).await,
        );
    }

    // Reading what is others'.
    for queue in [
        "skybus.compute.other.v1",
        "skybus.network.stolen.v1",
        "skybus.network.other.v1",
        "skybus.call.compute.other.console.tail.v1",
        "skybus.scheduler.v1",
        "skybus.api.v1",
        "skybus.dead",
    ] {
        refused(&format!("consume {queue}"), thief.consumes(queue).await);
        refused(&format!("take from {queue}"), thief.takes(queue).await);
        refused(&format!("purge {queue}"), thief.purges(queue).await);
        refused(&format!("delete {queue}"), thief.deletes(queue).await);
    }

    // Declaring and binding, even its own.
    for queue in ["", "mine", "skybus.compute.stolen.v2", "skybus.reply.api.a"] {
        refused(&format!("declare {queue}"), thief.declares(queue).await);
    }
    refused(
        "delete its own queue",
        thief.deletes("skybus.compute.stolen.v1").await,
    );
    for (exchange, key) in [
        ("skybus.evt", "#"),
        ("skybus.cmd", "#"),
        ("skybus.reply", "#"),
    ] {
        let bound = thief.binds("skybus.compute.stolen.v1", exchange, key).await;
        refused(&format!("bind to {exchange}"), bound);
    }
    refused("declare an exchange", thief.declares_exchange("mine").await);
}

#[tokio::test]
async fn an_account_of_a_role_opens_neither_the_management_nor_another_roles_door() {
    let broker = Broker::shared().await.unwrap();
    let node = host("door");
    let url = broker
        .join_account(Service::Compute, &node, std::slice::from_ref(&node))
        .await
        .unwrap();
    let account = url.trim_start_matches("amqp://").split('@').next().unwrap();
    let place = broker.management_url();
    let place = place.split('@').next_back().unwrap();
    let management = Management::new(&format!("http://{account}@{place}"), "skybus").unwrap();
    assert!(management.queues().await.is_err());

    let scheduler = broker
        .account(&skybus_bus::accounts::Account::scheduler())
        .await;
    let scheduler = Thief(bare(&scheduler.unwrap()).await);
    refused(
        "events to a scheduler",
        scheduler.consumes("skybus.api.v1").await,
    );
    refused(
        "dead letters to a scheduler",
        scheduler.takes("skybus.dead").await,
    );
    let forged = scheduler
        .publishes("skybus.evt", "compute.door.server.report")
        .await;
    refused("a scheduler's event", forged);
    refused(
        "the default exchange",
        scheduler.publishes("", "skybus.api.v1").await,
    );
}

#[tokio::test]
async fn an_account_that_is_removed_is_cut_off() {
    let broker = Broker::shared().await.unwrap();
    let node = host("removed");
    let url = broker
        .join_account(Service::Compute, &node, std::slice::from_ref(&node))
        .await
        .unwrap();
    let thief = Thief(bare(&url).await);
    thief
        .publishes("skybus.canary", "compute.removed")
        .await
        .unwrap();
    let management = broker.management().unwrap();
    management
        .remove_account("skybus.compute.removed")
        .await
        .unwrap();
    management
        .remove_account("skybus.compute.removed")
        .await
        .unwrap();
    let again = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await;
    assert!(again.is_err(), "the account still opens the door");
}
