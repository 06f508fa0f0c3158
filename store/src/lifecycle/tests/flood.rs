//! A host asks for repairs in a loop, and takes none: its account is in foreign hands, or its queue is full.

use skybus_model::{
    Generation, HostName, Order,
    id::{NetworkId, PortId},
    message::{
        Context, Outgoing,
        command::ServerRemove,
        event::{ComputeInventory, NetworkInventory, PortFact},
    },
    server::Power,
};

use super::{Story, on_both};
use crate::lifecycle::{
    inventory::{self, Repairs},
    reported::Outcome,
    room::MOST_FOR_A_WORKER,
};

on_both! {
    a_host_that_takes_nothing_is_not_told_for_ever
    ports_of_nobody_are_removed_by_and_by
}

/// So many more than fit.
const MORE: i64 = 20;

impl Story {
    async fn waiting_for(&self, worker: &str) -> i64 {
        let sql = "SELECT COUNT(*) FROM outbox WHERE routing_key LIKE $1";
        sqlx::query_scalar(sql)
            .bind(format!("{worker}.%"))
            .fetch_one(self.cloud.store.pool())
            .await
            .unwrap()
    }

    /// What waits for `host` already, up to so many.
    async fn fill(&self, host: &HostName, upto: i64) {
        let mut tx = self.cloud.store.begin().await.unwrap();
        for _ in self.waiting_for(&format!("compute.{host}")).await..upto {
            let remove = ServerRemove {
                operation: None,
                server: skybus_model::id::ServerId::random(),
                generation: Generation(1),
            };
            tx.send(Outgoing::to_host(host, &remove, &Context::begin()))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Whatever waited has left.
    async fn leaves(&self) {
        let mut tx = self.cloud.store.begin().await.unwrap();
        sqlx::query("DELETE FROM outbox")
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

async fn a_host_that_takes_nothing_is_not_told_for_ever(mut story: Story) {
    let server = story.running("vm1").await;
    let (a, b) = (story.a.clone(), story.b.clone());
    story.fill(&a, MOST_FOR_A_WORKER - MORE / 2).await;
    let mut told = Repairs::default();
    for seq in 1000..1000 + MORE {
        let empty = ComputeInventory {
            host: a.clone(),
            order: Order { epoch: 1, seq },
            servers: Vec::new(),
        };
        let mut tx = story.cloud.store.begin().await.unwrap();
        let with = (&story.cloud.key, &Context::begin());
        let repairs = inventory::server(&mut tx, server, &empty, with).await;
        tx.commit().await.unwrap();
        let repairs = repairs.unwrap();
        told.ensured += repairs.ensured;
        told.held += repairs.held;
        // It is remembered as missing all the same.
        assert!(inventory::stray(&empty, server, &repairs).is_some());
    }
    assert_eq!(story.waiting_for("compute.a").await, MOST_FOR_A_WORKER);
    assert_eq!(i64::try_from(told.ensured + told.held).unwrap(), MORE);

    // Nor by what it says of another host's server.
    story.fill(&b, MOST_FOR_A_WORKER - MORE / 2).await;
    for _ in 0..MORE {
        let report = story.server_report(server, &b, Power::Running).await;
        assert_eq!(story.send(&report).await, Outcome::NotTheirs);
    }
    assert_eq!(story.waiting_for("compute.b").await, MOST_FOR_A_WORKER);

    // Once it takes what it is told, repair goes on.
    story.leaves().await;
    let report = story.server_report(server, &b, Power::Running).await;
    story.send(&report).await;
    assert_eq!(story.waiting_for("compute.b").await, 1);
}

async fn ports_of_nobody_are_removed_by_and_by(story: Story) {
    let (context, network) = (Context::begin(), NetworkId::random());
    let fact = |_| PortFact {
        port: PortId::random(),
        network,
        generation: Generation(1),
    };
    let shown = NetworkInventory {
        host: story.a.clone(),
        order: Order { epoch: 1, seq: 1 },
        ports: (0..MOST_FOR_A_WORKER + MORE).map(fact).collect(),
    };
    let most = usize::try_from(MOST_FOR_A_WORKER).unwrap();
    for (removed, held) in [(most, 20), (0, most + 20)] {
        let mut tx = story.cloud.store.begin().await.unwrap();
        let repairs = inventory::ports(&mut tx, &shown, &context).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((repairs.removed, repairs.held), (removed, held));
    }
    story.leaves().await;
    let mut tx = story.cloud.store.begin().await.unwrap();
    let repairs = inventory::ports(&mut tx, &shown, &context).await.unwrap();
    assert_eq!(repairs.removed, most);
}
