//! What a queue held when it was made anew is sent again, once and whoever dies.

use skybus_model::{
    HostName,
    message::{Context, Outgoing},
    server::Request,
};

use super::*;
use crate::{
    lifecycle::{
        overdue,
        tests::{Story, on_both},
    },
    networks::refresh,
    operations,
};

on_both! {
    commands_to_a_host_are_sent_again_at_once_and_nobody_elses
    boots_that_wait_for_a_scheduler_are_asked_for_again
    hosts_are_asked_again_for_reports_that_were_lost
    one_server_goes_on_with_what_another_left
    a_row_stays_until_its_transaction_is_committed
}

const QUEUE: &str = "skybus.network.a.v1";

fn renewal(who: &str, begun_at: Timestamp) -> Renewal {
    Renewal {
        queue: QUEUE.to_owned(),
        shape: "{}".to_owned(),
        who: who.to_owned(),
        begun_at,
    }
}

fn commands(service: Service, host: &HostName) -> Carried {
    Carried {
        commands: vec![(service, host.clone())],
        ..Carried::default()
    }
}

/// Ends the renewal, and does what the reconciler and the teller of rules then do; what leaves with it.
async fn after(story: &Story, carried: &Carried) -> Vec<Outgoing> {
    let store = &story.cloud.store;
    let mut tx = store.begin().await.unwrap();
    finish(&mut tx, QUEUE, "one", carried).await.unwrap();
    tx.commit().await.unwrap();
    let mut sent = Vec::new();
    for due in operations::due(store, Timestamp::now(), 100).await.unwrap() {
        let mut tx = store.begin().await.unwrap();
        overdue::look_after(&mut tx, &due, story.cloud.caretaker())
            .await
            .unwrap();
        sent.extend(tx.commit().await.unwrap());
    }
    let mut tx = store.begin().await.unwrap();
    refresh::flush(&mut tx, &Context::begin(), 100)
        .await
        .unwrap();
    sent.extend(tx.commit().await.unwrap());
    sent
}

fn keys(sent: &[Outgoing]) -> Vec<&str> {
    let mut keys: Vec<_> = sent
        .iter()
        .map(|message| message.routing_key.as_str())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

async fn commands_to_a_host_are_sent_again_at_once_and_nobody_elses(mut story: Story) {
    let (a, b) = (story.a.clone(), story.b.clone());
    let quiet = story.running("quiet").await;
    assert_eq!(story.server(quiet).await.host, Some(a.clone()));
    let leaving = story.running("leaving").await;
    story.ask(leaving, Request::Delete).await.unwrap();
    let (elsewhere, operation) = story.cloud.boot("elsewhere").await;
    story.place(elsewhere, operation, &b).await;

    // Nothing is due yet: without the renewal's end all of it would wait.
    let due = operations::due(&story.cloud.store, Timestamp::now(), 100);
    assert!(due.await.unwrap().is_empty());
    let sent = after(&story, &commands(Service::Compute, &a)).await;
    let told = ["compute.a.server.remove", "network.a.port.remove"];
    assert_eq!(keys(&sent), told, "the delete is told again, and only that");

    // The port of a server to which nothing is being done: its last change may have been lost.
    let sent = after(&story, &commands(Service::Network, &a)).await;
    assert!(
        keys(&sent).contains(&"network.a.port.ensure"),
        "{:?}",
        keys(&sent)
    );
    assert!(
        !sent
            .iter()
            .any(|message| message.routing_key.contains(".b."))
    );
}

async fn boots_that_wait_for_a_scheduler_are_asked_for_again(story: Story) {
    story.cloud.boot("vm").await;
    let (placed, operation) = story.cloud.boot("placed").await;
    story.place(placed, operation, &story.a).await;
    let carried = Carried {
        placing: true,
        ..Carried::default()
    };
    let sent = after(&story, &carried).await;
    assert_eq!(keys(&sent), ["scheduler.any.server.place"]);
}

async fn hosts_are_asked_again_for_reports_that_were_lost(story: Story) {
    let (server, operation) = story.cloud.boot("vm").await;
    story.place(server, operation, &story.a).await;
    let carried = Carried {
        reports: true,
        ..Carried::default()
    };
    let sent = after(&story, &carried).await;
    let asked = ["compute.a.server.ensure", "network.a.port.ensure"];
    assert_eq!(keys(&sent), asked);
}

async fn one_server_goes_on_with_what_another_left(story: Story) {
    let store = &story.cloud.store;
    let now = Timestamp::now();
    let begun = begin(store, &renewal("one", now)).await.unwrap();
    assert_eq!(begun, Some(renewal("one", now)));
    let other = begin(store, &renewal("two", now)).await.unwrap();
    assert_eq!(other, None, "one of them does it");
    let again = begin(store, &renewal("one", Timestamp(7))).await.unwrap();
    assert_eq!(again, begun, "it goes on with what it had begun");
    assert_eq!(take(store, "two", now).await.unwrap(), [], "it is at work");
    let own = take(store, "one", now).await.unwrap();
    assert_eq!(own, [renewal("one", now)], "a former life's");
    let later = now.after(ORPHAN_AFTER + Duration::from_secs(1));
    let taken = take(store, "two", later).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(take(store, "two", later).await.unwrap(), taken);
    assert_eq!(take(store, "one", later).await.unwrap(), [], "one of them");
    assert_eq!(take(store, "three", later).await.unwrap(), []);
    // The first one comes to its end after all: what the second has lost stays written down.
    let mut tx = store.begin().await.unwrap();
    finish(&mut tx, QUEUE, "one", &Carried::default())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(take(store, "two", later).await.unwrap(), taken);
    // A clock that was ahead wrote it.
    let earlier = Timestamp(now.micros() - 3_600_000_000);
    assert_eq!(take(store, "three", earlier).await.unwrap().len(), 1);
}

async fn a_row_stays_until_its_transaction_is_committed(story: Story) {
    let store = &story.cloud.store;
    let now = Timestamp::now();
    begin(store, &renewal("one", now)).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    finish(&mut tx, QUEUE, "one", &Carried::default())
        .await
        .unwrap();
    drop(tx);
    assert_eq!(take(store, "one", now).await.unwrap().len(), 1);
    let mut tx = store.begin().await.unwrap();
    finish(&mut tx, QUEUE, "one", &Carried::default())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(take(store, "one", now).await.unwrap(), []);
}
