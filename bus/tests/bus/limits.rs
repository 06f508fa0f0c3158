//! What is bounded: a dead host's queue, names on the broker, publishers under an alarm.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use skybus_bus::{
    Bus, SendError, Settings, Subscription, Verdict, accounts::Account, testing::Broker,
};
use skybus_model::message::Service;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::stage::{SOON, consume, host, next, place, remove};

#[tokio::test]
async fn a_dead_hosts_queue_is_bounded_and_other_hosts_do_not_feel_it() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "bounded", &token).await.unwrap();
    let (dead, alive) = (host("dead-node"), host("alive-node"));
    for node in [&dead, &alive] {
        broker
            .join_account(Service::Compute, node, std::slice::from_ref(node))
            .await
            .unwrap();
    }
    let mut taken = 0;
    let refusal = loop {
        let batch: Vec<_> = (0..256).map(|_| remove(&dead)).collect();
        let results = api.send(&batch).await;
        taken += results.iter().filter(|result| result.is_ok()).count();
        if let Some(error) = results.into_iter().find_map(Result::err) {
            break error;
        }
        assert!(taken < 30_000, "the queue has no bound");
    };
    assert!(
        matches!(refusal, SendError::Refused { .. }),
        "{refusal:?} after {taken}"
    );
    assert!(taken >= 20_000, "only {taken} were taken");
    api.send(&[remove(&alive)]).await.pop().unwrap().unwrap();
    token.cancel();
}

/// The names of the queues that are there, those of other tests' per-process queues apart.
async fn names(broker: &Broker, mark: &str) -> BTreeSet<String> {
    let queues = broker.management().unwrap().queues().await.unwrap();
    let names = queues.into_iter().map(|queue| queue.name);
    names.filter(|name| name.contains(mark)).collect()
}

#[tokio::test]
async fn restarts_leave_no_names_behind() {
    let broker = Broker::shared().await.unwrap();
    let node = host("churn-node");
    let hosts = std::slice::from_ref(&node);
    let url = broker
        .join_account(Service::Compute, &node, hosts)
        .await
        .unwrap();
    let before = names(broker, "churn").await;
    assert!(!before.is_empty());
    for life in 0..25 {
        let token = CancellationToken::new();
        let agent = broker
            .connect(
                url.clone(),
                Service::Compute,
                node.as_str(),
                skybus_bus::Timing::default(),
                &token,
            )
            .await;
        let process = format!("churn-{life}");
        let scheduler = broker
            .bus(Service::Scheduler, &process, &token)
            .await
            .unwrap();
        let commands = Subscription::commands(Service::Compute, &node);
        let mut heard = consume(&agent, commands, |_| Verdict::Ack);
        let _beats = consume(&scheduler, Subscription::beats(&process), |_| Verdict::Ack);
        let api = broker.bus(Service::Api, &process, &token).await.unwrap();
        api.send(&[remove(&node)]).await.pop().unwrap().unwrap();
        next(&mut heard).await;
        token.cancel();
    }
    let gone = async {
        while names(broker, "churn").await != before {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(SOON, gone)
        .await
        .expect("a process's own queues outlive it");
}

const NEARLY_NOTHING: &[&str] = &["set_vm_memory_high_watermark", "0.00001"];
const ENOUGH: &[&str] = &["set_vm_memory_high_watermark", "0.4"];

async fn until(what: &str, wanted: impl Fn() -> bool) {
    let reached = async {
        while !wanted() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, reached).await.expect(what);
}

#[tokio::test]
async fn a_broker_under_a_memory_alarm_is_seen_and_what_was_to_be_sent_is_sent_later() {
    let broker = Broker::start().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "alarm", &token).await.unwrap();
    api.send(&[place()]).await.pop().unwrap().unwrap();
    let (first, well) = (*api.on_reconnect().borrow(), api.well_since());
    assert!(well.is_some());
    broker.control(NEARLY_NOTHING).await.unwrap();
    // It publishes nothing by itself, and sees it all the same.
    until("nobody sees the alarm", || api.blocked()).await;
    assert!(api.connected() && !api.is_well());
    assert_eq!(api.well_for(), None);
    assert!(
        api.trouble()
            .is_some_and(|trouble| trouble.contains("memory"))
    );
    assert_eq!(api.send(&[place()]).await, [Err(SendError::Blocked)]);

    // The broker lets a new process in. It is not taken for well.
    let url = broker.account(&Account::scheduler()).await.unwrap();
    let settings = Settings {
        url,
        service: Service::Scheduler,
        instance: "late".to_owned(),
    };
    let late = Bus::connect(settings, token.clone());
    timeout(SOON, late.wait_connected())
        .await
        .expect("it is let in");
    until("the late one does not see the alarm", || late.blocked()).await;
    assert_eq!(late.well_since(), None);

    let lifted = Instant::now();
    broker.control(ENOUGH).await.unwrap();
    for bus in [&api, &late] {
        timeout(SOON, bus.wait_well())
            .await
            .expect("it stays blocked");
        // What was before the alarm counts for nothing.
        assert!(bus.well_since().is_some_and(|since| since >= lifted));
    }
    let sent = async {
        while api.send(&[place()]).await.pop().unwrap().is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, sent).await.expect("it stays blocked");
    assert!(!api.blocked());
    let still = *api.on_reconnect().borrow();
    assert_eq!(still, first, "a connection that was well was thrown away");
    token.cancel();
}

#[tokio::test]
async fn two_workers_for_one_host_take_turns_and_never_share() {
    let broker = Broker::shared().await.unwrap();
    let node = host("twin-node");
    let hosts = std::slice::from_ref(&node);
    let url = broker
        .join_account(Service::Compute, &node, hosts)
        .await
        .unwrap();
    let (token, first_token) = (CancellationToken::new(), CancellationToken::new());
    let api = broker.bus(Service::Api, "twins", &token).await.unwrap();
    let twin = async |token: &CancellationToken| {
        let timing = skybus_bus::Timing::default();
        let bus = broker
            .connect(url.clone(), Service::Compute, node.as_str(), timing, token)
            .await;
        let commands = Subscription::commands(Service::Compute, &node);
        consume(&bus, commands, |_| Verdict::Ack)
    };
    let mut first = twin(&first_token).await;
    api.send(&[remove(&node)]).await.pop().unwrap().unwrap();
    next(&mut first).await;
    let mut second = twin(&token).await;
    for _ in 0..20 {
        api.send(&[remove(&node)]).await.pop().unwrap().unwrap();
        next(&mut first).await;
    }
    assert!(second.try_recv().is_err(), "both hear the host's commands");
    first_token.cancel();
    api.send(&[remove(&node)]).await.pop().unwrap().unwrap();
    next(&mut second).await;
    token.cancel();
}
