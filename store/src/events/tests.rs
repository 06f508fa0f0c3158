//! Events by number, on both engines: order, removal from the front, and the news of a commit.

use serde_json::json;
use skybus_model::{
    Timestamp,
    id::{ProjectId, ServerId},
};

use super::{Event, after, append, newest, remove_old, removed};
use crate::{Store, testing::TestStore};

async fn both() -> [TestStore; 2] {
    [TestStore::sqlite().await, TestStore::postgres().await]
}

fn event(at: i64, project: ProjectId) -> Event {
    Event {
        seq: 0,
        at: Timestamp(at),
        project,
        kind: "compute.instance.update".to_owned(),
        server: ServerId::random(),
        request_id: "req-1".to_owned(),
        payload: json!({}),
    }
}

async fn write(store: &Store, times: &[i64]) {
    let mut tx = store.begin().await.unwrap();
    for at in times {
        append(&mut tx, &event(*at, ProjectId::random()))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn numbers(store: &Store) -> Vec<i64> {
    let found = after(store, 0, None, 10_000).await.unwrap();
    found.iter().map(|event| event.seq).collect()
}

#[tokio::test]
async fn old_events_are_removed_from_the_front_and_never_behind_a_young_one() {
    for test in both().await {
        let store = &test.store;
        write(store, &[10, 20, 90, 30, 95]).await;
        assert_eq!(remove_old(store, Timestamp(50)).await.unwrap(), 2);
        assert_eq!(numbers(store).await, [3, 4, 5]);
        assert_eq!(removed(store).await.unwrap(), 2);
        assert_eq!(remove_old(store, Timestamp(50)).await.unwrap(), 0);
        assert_eq!(removed(store).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn when_all_are_removed_their_number_is_still_known() {
    for test in both().await {
        let store = &test.store;
        assert_eq!(remove_old(store, Timestamp(50)).await.unwrap(), 0);
        write(store, &[1; 2500]).await;
        assert_eq!(remove_old(store, Timestamp(50)).await.unwrap(), 2500);
        assert_eq!(numbers(store).await, [0_i64; 0]);
        assert_eq!(removed(store).await.unwrap(), 2500);
        assert_eq!(newest(store).await.unwrap(), 2500);
        write(store, &[1]).await;
        assert_eq!(numbers(store).await, [2501]);
    }
}

#[tokio::test]
async fn a_commit_with_events_is_news_and_one_that_is_dropped_is_not() {
    for test in both().await {
        let mut news = test.store.committed_events();
        news.mark_unchanged();
        let mut tx = test.store.begin().await.unwrap();
        let project = ProjectId::random();
        append(&mut tx, &event(1, project)).await.unwrap();
        drop(tx);
        write(&test.store, &[]).await;
        assert!(!news.has_changed().unwrap());
        write(&test.store, &[1, 2]).await;
        assert!(news.has_changed().unwrap());
        assert_eq!(*news.borrow_and_update(), 2);
    }
}
