//! Machines without a row and rows without a machine, as inventories show them.

use skybus_model::{
    Generation, Order, Timestamp,
    id::ServerId,
    message::{
        Context,
        event::{ComputeInventory, ServerFact, ServerReport},
    },
    server::{Power, Request},
};

use super::{Kind, Look, Outcome, repaired};
use crate::{
    lifecycle::{
        inventory, reported,
        tests::{Story, on_both},
    },
    strays,
};

on_both! {
    an_unknown_guest_is_removed_late_and_only_when_asked
    a_guest_that_stays_missing
    a_refused_removal_is_said_again_so_that_it_counts
    nothing_is_told_against_a_generation_that_cannot_be_true
}

/// So many seconds from now; here nobody sends the messages, whose waiting is another finding.
fn after(seconds: u64) -> Look {
    Look {
        bus_is_well: false,
        ..super::after(seconds)
    }
}

impl Story {
    /// An inventory of host `a` arrives.
    async fn shows(&self, epoch: i64, servers: Vec<ServerFact>) {
        let found = ComputeInventory {
            host: self.a.clone(),
            order: Order { epoch, seq: 1 },
            servers,
        };
        let store = &self.cloud.store;
        let mut seen = Vec::new();
        for id in inventory::suspects(store, &found).await.unwrap() {
            let mut tx = store.begin().await.unwrap();
            let with = (&self.cloud.key, &Context::begin());
            let repairs = inventory::server(&mut tx, id, &found, with).await.unwrap();
            tx.commit().await.unwrap();
            seen.extend(inventory::stray(&found, id, &repairs));
        }
        strays::remember(store, &self.a, &seen, Timestamp::now())
            .await
            .unwrap();
    }

    async fn told(&self, kind: &str) -> i64 {
        let sql = "SELECT COUNT(*) FROM outbox WHERE kind = $1";
        sqlx::query_scalar(sql)
            .bind(kind.to_owned())
            .fetch_one(self.cloud.store.pool())
            .await
            .unwrap()
    }
}

async fn an_unknown_guest_is_removed_late_and_only_when_asked(story: Story) {
    let stranger = ServerFact {
        server: ServerId::random(),
        generation: Generation(4),
        power: Power::Running,
        busy: false,
    };
    story.shows(2, vec![stranger.clone()]).await;
    let words = ["on a", "without a row for 10 min", "nothing before"];
    let young = story.one(&after(600), Kind::GuestUnknown, &words).await;
    assert!(matches!(young, Outcome::Left(_)), "{young:?}");
    assert_eq!(story.told("server.remove/1").await, 0);

    let old = after(7200);
    let words = ["without a row for 2 h", "remove the machine and its disk"];
    repaired(&story.one(&old, Kind::GuestUnknown, &words).await);
    assert_eq!(story.told("server.remove/1").await, 1);
    // It was told; until its next inventories there is nothing to say.
    assert_eq!(super::find(&story.cloud.store, &old).await.unwrap(), []);
    let findings = super::find(&story.cloud.store, &after(9000)).await.unwrap();
    assert_eq!(findings.len(), 1, "it is still there");
    story.shows(3, Vec::new()).await;
    assert_eq!(
        super::find(&story.cloud.store, &after(9000)).await.unwrap(),
        []
    );
}

async fn a_guest_that_stays_missing(mut story: Story) {
    let server = story.running("vm1").await;
    story.shows(2, Vec::new()).await;
    let before = story.told("server.ensure/1").await;
    assert_eq!(before, 2, "its boot's, and by itself");
    story.is_in_order().await;
    let words = ["ACTIVE", "has not had it for 15 min"];
    repaired(&story.one(&after(900), Kind::GuestMissing, &words).await);
    assert_eq!(story.told("server.ensure/1").await, before + 1);
    assert_eq!(
        super::find(&story.cloud.store, &after(900)).await.unwrap(),
        []
    );
    // What is being done to it now is another matter, for its operation.
    let later = after(3600);
    let findings = super::find(&story.cloud.store, &later).await.unwrap();
    assert_eq!(findings.len(), 1);
    story.ask(server, Request::RebootHard).await.unwrap();
    assert_eq!(story.mend(&findings[0], &later).await, Outcome::Gone);
}

/// The host has begun more than its inventory shows as fulfilled, and refuses what is older than that.
async fn a_refused_removal_is_said_again_so_that_it_counts(story: Story) {
    let stranger = ServerFact {
        server: ServerId::random(),
        generation: Generation(4),
        power: Power::Running,
        busy: false,
    };
    story.shows(2, vec![stranger.clone()]).await;
    let refusal = ServerReport {
        server: stranger.server,
        operation: None,
        generation: Generation(9),
        order: Order { epoch: 2, seq: 2 },
        host: story.a.clone(),
        power: Power::Running,
        fault: None,
        hops: Vec::new(),
    };
    assert_eq!(story.send(&refusal).await, reported::Outcome::NotTheirs);
    let told = story.told("server.remove/1").await;
    assert_eq!(told, 0, "nobody has asked for its end");
    repaired(&story.one(&after(7200), Kind::GuestUnknown, &[]).await);
    let told = story.last_told("server.remove/1").await;
    assert_eq!(told["generation"], 5);
    assert_eq!(story.send(&refusal).await, reported::Outcome::NotTheirs);
    let told = story.last_told("server.remove/1").await;
    assert_eq!(told["generation"], 10);
}

async fn nothing_is_told_against_a_generation_that_cannot_be_true(story: Story) {
    let stranger = ServerFact {
        server: ServerId::random(),
        generation: Generation(i64::MAX),
        power: Power::Running,
        busy: false,
    };
    story.shows(2, vec![stranger]).await;
    let left = story.one(&after(7200), Kind::GuestUnknown, &[]).await;
    let reason = format!("{left:?}");
    assert!(reason.contains("cannot be true"), "{reason}");
    assert!(matches!(left, Outcome::Left(_)), "{reason}");
    assert_eq!(story.told("server.remove/1").await, 0);
}
