//! The broker was away: its absence is forgiven once, whoever noted it and whoever lives to see its end.

use std::time::Duration;

use skybus_model::{
    Timestamp,
    id::{OperationId, ServerId},
    message::heartbeat::DOWN_AFTER,
};

use super::{Story, on_both};
use crate::{
    Store,
    lifecycle::absence::{Witness, note, over},
    operations::{self, Operation},
};

on_both! {
    what_a_dead_api_server_noted_is_forgiven_by_the_next
    however_many_notice_the_return_it_is_forgiven_once
    an_api_server_that_alone_lost_the_broker_holds_up_nobody
    what_nobody_lives_to_end_is_ended_by_those_who_had_the_broker
    what_was_accepted_meanwhile_missed_less_of_it
    where_the_database_was_away_as_well_it_is_forgiven_too
    a_connection_that_comes_and_goes_puts_nothing_off
}

fn second(from: Timestamp, count: u64) -> Timestamp {
    from.after(Duration::from_secs(count))
}

async fn ended(store: &Store, witness: Witness, now: Timestamp) -> Option<u64> {
    let forgiven = over(store, witness, now).await.unwrap();
    forgiven.map(|forgiven| forgiven.away.as_secs())
}

impl Story {
    /// A boot, accepted so long after `from`.
    async fn accepted(&self, from: Timestamp, seconds: u64) -> (ServerId, OperationId) {
        let ids = self.cloud.boot(&format!("vm{seconds}")).await;
        let mut tx = self.cloud.store.begin().await.unwrap();
        sqlx::query("UPDATE operations SET started_at = $1 WHERE id = $2")
            .bind(second(from, seconds).micros())
            .bind(ids.1.to_string())
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        ids
    }

    async fn boot(&self, (server, _): (ServerId, OperationId)) -> Operation {
        self.operations(server).await.remove(0)
    }
}

async fn what_a_dead_api_server_noted_is_forgiven_by_the_next(story: Story) {
    let (store, now) = (&story.cloud.store, Timestamp::now());
    let ids = story.accepted(now, 0).await;
    let before = story.boot(ids).await;
    note(store, second(now, 10), second(now, 10)).await.unwrap();
    // Its successor finds the broker still away, notes that, and dies; the third finds the broker there.
    note(store, second(now, 95), second(now, 95)).await.unwrap();
    assert_eq!(ended(store, Witness::New, second(now, 100)).await, Some(90));
    let after = story.boot(ids).await;
    assert_eq!(after.deadline.since(before.deadline).as_secs(), 90);
    assert_eq!(after.wake_at, second(now, 100).after(DOWN_AFTER));
    assert_eq!(ended(store, Witness::New, second(now, 101)).await, None);
    assert_eq!(story.boot(ids).await, after);
}

async fn however_many_notice_the_return_it_is_forgiven_once(story: Story) {
    let (store, now) = (&story.cloud.store, Timestamp::now());
    let ids = story.accepted(now, 0).await;
    let before = story.boot(ids).await;
    let back = second(now, 60);
    let missed = [5, 7, 8, 9].map(|count| Witness::Missed(second(now, count)));
    note(store, second(now, 5), second(now, 59)).await.unwrap();
    let [one, two, three, four] = missed.map(|witness| over(store, witness, back));
    let all = tokio::join!(one, two, three, four);
    let all = [all.0, all.1, all.2, all.3].map(Result::unwrap);
    let forgiven: Vec<u64> = all.iter().flatten().map(|one| one.away.as_secs()).collect();
    assert_eq!(forgiven, [55]);
    let after = story.boot(ids).await;
    assert_eq!(after.deadline.since(before.deadline).as_secs(), 55);
    // One that comes back a little later has missed that little more, and no second twice.
    note(store, second(now, 6), second(now, 61)).await.unwrap();
    let late = Witness::Missed(second(now, 6));
    assert_eq!(ended(store, late, second(now, 62)).await, Some(2));
}

async fn an_api_server_that_alone_lost_the_broker_holds_up_nobody(story: Story) {
    let (store, now) = (&story.cloud.store, Timestamp::now());
    let ids = story.accepted(now, 0).await;
    let before = story.boot(ids).await;
    for count in 1..100 {
        let at = second(now, count);
        note(store, second(now, 1), at).await.unwrap();
        assert_eq!(ended(store, Witness::Had, at).await, None);
    }
    assert_eq!(story.boot(ids).await, before, "others look after it");
}

async fn what_nobody_lives_to_end_is_ended_by_those_who_had_the_broker(story: Story) {
    let (store, now) = (&story.cloud.store, Timestamp::now());
    let ids = story.accepted(now, 0).await;
    let before = story.boot(ids).await;
    note(store, second(now, 1), second(now, 3)).await.unwrap();
    assert_eq!(ended(store, Witness::Had, second(now, 10)).await, None);
    let left = ended(store, Witness::Had, second(now, 30)).await;
    assert_eq!(left, Some(29));
    let after = story.boot(ids).await;
    assert_eq!(after.deadline.since(before.deadline).as_secs(), 29);
}

async fn what_was_accepted_meanwhile_missed_less_of_it(story: Story) {
    let (store, now) = (&story.cloud.store, Timestamp::now());
    let early = story.accepted(now, 0).await;
    let meanwhile = story.accepted(now, 40).await;
    let late = story.accepted(now, 200).await;
    let mut before = Vec::new();
    for ids in [early, meanwhile, late] {
        before.push(story.boot(ids).await.deadline);
    }
    note(store, second(now, 10), second(now, 10)).await.unwrap();
    ended(store, Witness::New, second(now, 100)).await;
    let mut more = Vec::new();
    for (ids, before) in [early, meanwhile, late].into_iter().zip(before) {
        more.push(story.boot(ids).await.deadline.since(before).as_secs());
    }
    assert_eq!(more, [90, 60, 0]);
}

async fn where_the_database_was_away_as_well_it_is_forgiven_too(story: Story) {
    let (store, now) = (&story.cloud.store, Timestamp::now());
    let ids = story.accepted(now, 0).await;
    let before = story.boot(ids).await;
    let missed = Witness::Missed(second(now, 20));
    assert_eq!(ended(store, missed, second(now, 50)).await, Some(30));
    assert_eq!(ended(store, missed, second(now, 51)).await, None);
    let after = story.boot(ids).await;
    assert_eq!(after.deadline.since(before.deadline).as_secs(), 30);
}

async fn a_connection_that_comes_and_goes_puts_nothing_off(story: Story) {
    let (store, now) = (&story.cloud.store, Timestamp::now());
    let ids = story.accepted(now, 0).await;
    let before = story.boot(ids).await;
    for count in 1..100 {
        let (lost, back) = (second(now, count * 6), second(now, count * 6 + 1));
        note(store, lost, lost).await.unwrap();
        assert_eq!(ended(store, Witness::Missed(lost), back).await, Some(1));
    }
    let after = story.boot(ids).await;
    assert_eq!(after.wake_at, before.wake_at);
    assert_eq!(after.deadline.since(before.deadline).as_secs(), 99);
}

/// SQLite has one writer.
#[tokio::test]
async fn what_is_forgiven_while_an_operation_is_changed_is_not_lost_on_postgresql() {
    let test = crate::testing::TestStore::postgres().await;
    let story = Story::begin(&test).await;
    let (store, now) = (story.cloud.store.clone(), Timestamp::now());
    let ids = story.accepted(now, 0).await;
    let before = story.boot(ids).await;
    let mut tx = store.begin().await.unwrap();
    crate::servers::load(&mut tx, ids.0).await.unwrap();
    let mut open = operations::open_of(&mut tx, ids.0).await.unwrap();
    let forgiving = {
        let (store, missed) = (store.clone(), Witness::Missed(now));
        tokio::spawn(async move { ended(&store, missed, second(now, 60)).await })
    };
    let waits = "SELECT COUNT(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        let waiting: i64 = sqlx::query_scalar(waits)
            .fetch_one(store.pool())
            .await
            .unwrap();
        if waiting > 0 || forgiving.is_finished() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    open[0].attempts += 1;
    operations::save(&mut tx, &open[0]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(forgiving.await.unwrap(), Some(60));
    let after = story.boot(ids).await;
    assert_eq!(after.attempts, before.attempts + 1);
    assert_eq!(after.deadline.since(before.deadline).as_secs(), 60);
}
