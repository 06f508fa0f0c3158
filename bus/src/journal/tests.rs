//! The journal, opened, killed and opened again.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use skybus_model::{
    Generation, Timestamp,
    id::{OperationId, ServerId},
    message::{
        Context, Outbox, Outgoing,
        command::ServerRemove,
        event::{ComputeInventory, ServerReport},
    },
    server::Power,
};

use super::{Accepted, Journal};
use crate::Delivery;

fn command() -> Delivery {
    let host = "node-1".parse().unwrap();
    let remove = ServerRemove {
        operation: Some(OperationId::random()),
        server: ServerId::random(),
        generation: Generation(3),
    };
    Delivery::of(&Outgoing::to_host(&host, &remove, &Context::begin()))
}

async fn reopened(journal: Journal, path: &std::path::Path) -> Journal {
    journal.close().await;
    Journal::open(path).await.unwrap()
}

#[tokio::test]
async fn an_accepted_command_is_known_again_and_survives_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let journal = Journal::open(&path).await.unwrap();
    let delivery = command();
    assert_eq!(journal.accept(&delivery).await.unwrap(), Accepted::New);
    assert_eq!(journal.accept(&delivery).await.unwrap(), Accepted::Known);

    let journal = reopened(journal, &path).await;
    let work = journal.unfinished().await.unwrap();
    assert_eq!(work.len(), 1);
    assert_eq!(work[0].id, delivery.id);
    assert_eq!(work[0].context, delivery.context);
    assert_eq!(
        work[0].delivery().decode::<ServerRemove>().unwrap(),
        delivery.decode::<ServerRemove>().unwrap()
    );

    let mut tx = journal.begin().await.unwrap();
    tx.finish(delivery.id).await.unwrap();
    tx.commit().await.unwrap();
    let journal = reopened(journal, &path).await;
    assert!(journal.unfinished().await.unwrap().is_empty());
    assert_eq!(
        journal.accept(&delivery).await.unwrap(),
        Accepted::Known,
        "finished is not new"
    );
}

#[tokio::test]
async fn each_opening_is_a_new_epoch_and_the_sequence_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let mut orders = Vec::new();
    let mut epochs = Vec::new();
    for _ in 0..3 {
        let journal = Journal::open(&path).await.unwrap();
        epochs.push(journal.epoch());
        for _ in 0..2 {
            let mut tx = journal.begin().await.unwrap();
            orders.push(tx.next_order().await.unwrap());
            tx.commit().await.unwrap();
        }
        journal.close().await;
    }
    assert!(
        orders
            .windows(2)
            .all(|pair| pair[0] < pair[1] && pair[0].seq < pair[1].seq)
    );
}

#[tokio::test]
async fn fact_report_and_finish_hold_together_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let journal = Journal::open(&path).await.unwrap();
    let host = "node-1".parse().unwrap();
    let delivery = command();
    journal.accept(&delivery).await.unwrap();

    let mut tx = journal.begin().await.unwrap();
    tx.put("servers", "a", &"half done").await.unwrap();
    let order = tx.next_order().await.unwrap();
    let report = ServerReport {
        server: ServerId::random(),
        operation: None,
        generation: Generation(1),
        order,
        host,
        power: Power::Absent,
        fault: None,
        hops: vec![],
    };
    tx.emit(&report.host, &report, &Context::begin())
        .await
        .unwrap();
    tx.finish(delivery.id).await.unwrap();
    drop(tx);
    assert_eq!(journal.get::<String>("servers", "a").await.unwrap(), None);
    assert_eq!(journal.unfinished().await.unwrap().len(), 1);

    let mut tx = journal.begin().await.unwrap();
    tx.put("servers", "a", &"done").await.unwrap();
    assert_eq!(
        tx.get::<String>("servers", "a").await.unwrap().as_deref(),
        Some("done")
    );
    tx.emit(&report.host, &report, &Context::begin())
        .await
        .unwrap();
    tx.finish(delivery.id).await.unwrap();
    let emitted = tx.commit().await.unwrap();
    let journal = reopened(journal, &path).await;
    let later = Timestamp::now().after(std::time::Duration::from_secs(1));
    let waiting = journal.unsent(later, 10).await.unwrap();
    // Made by a clock that was an hour ahead: it does not wait for an hour.
    let earlier = Timestamp(Timestamp::now().micros() - 3_600_000_000);
    assert_eq!(journal.unsent(earlier, 10).await.unwrap(), waiting);
    assert_eq!(waiting, emitted, "what a dead process left is found");
    journal.sent(&[waiting[0].id]).await.unwrap();
    assert!(journal.unsent(later, 10).await.unwrap().is_empty());
    assert_eq!(
        journal.list::<String>("servers").await.unwrap(),
        [("a".into(), "done".into())]
    );
}

#[tokio::test]
async fn readers_do_not_wait_for_an_open_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path().join("journal.db")).await.unwrap();
    let mut tx = journal.begin().await.unwrap();
    tx.put("servers", "a", &1).await.unwrap();
    assert_eq!(journal.get::<i64>("servers", "a").await.unwrap(), None);
    tx.commit().await.unwrap();
    assert_eq!(journal.get::<i64>("servers", "a").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_record_of_another_form_is_an_error_and_not_a_guess() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path().join("journal.db")).await.unwrap();
    let mut tx = journal.begin().await.unwrap();
    tx.put("servers", "a", &"text").await.unwrap();
    tx.commit().await.unwrap();
    assert!(
        journal
            .get::<ComputeInventory>("servers", "a")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn nobody_else_reads_it_even_where_an_older_one_was_open_to_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let files = || {
        let mut all: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        all.sort();
        all
    };
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let journal = Journal::open(&path).await.unwrap();
    journal.accept(&command()).await.unwrap();
    assert_eq!(files().len(), 3, "the file, its log and the log's index");
    assert!(files().iter().all(|file| mode(file) == 0o600));

    for file in files() {
        fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    }
    let again = Journal::open(&path).await.unwrap();
    assert_eq!(files().len(), 3);
    assert!(files().iter().all(|file| mode(file) == 0o600));
    assert_eq!(again.unfinished().await.unwrap().len(), 1);
}
