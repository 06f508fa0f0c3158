//! What comes later than its deadline is still what its user asked for, unless they have asked for something
//! else since.

use skybus_model::{
    Generation, Order, Timestamp,
    id::ServerId,
    message::{
        Context,
        event::{ComputeInventory, ServerFact},
    },
    server::{Desired, Power, Request},
};

use super::{Story, on_both};
use crate::{
    lifecycle::{
        inventory,
        overdue::{self, Done},
        reported::Outcome,
    },
    operations,
};

on_both! {
    a_late_start_stays_started
    a_late_reboot_that_only_an_inventory_shows_is_active
    a_late_stop_stays_stopped
    a_late_start_does_not_undo_the_stop_that_was_asked_for_since
}

impl Story {
    /// The deadline of what is being done to `server` passes.
    async fn fails_by_its_deadline(&self, server: ServerId) {
        let mut tx = self.cloud.store.begin().await.unwrap();
        let mut open = operations::open_of(&mut tx, server)
            .await
            .unwrap()
            .remove(0);
        (open.deadline, open.wake_at) = (Timestamp(0), Timestamp(0));
        operations::save(&mut tx, &open).await.unwrap();
        let done = overdue::look_after(&mut tx, &open, self.cloud.caretaker()).await;
        assert_eq!(done.unwrap(), Done::Ended);
        tx.commit().await.unwrap();
        assert_eq!(self.server(server).await.state.status(), "ERROR");
    }

    async fn stopped(&mut self, name: &str) -> ServerId {
        let (server, host) = (self.running(name).await, self.a.clone());
        self.ask(server, Request::Stop).await.unwrap();
        self.report(server, &host, Power::Shutdown).await;
        server
    }

    /// Host `a` shows `server` like this; how often the server needed a look.
    pub(super) async fn shows_one(
        &mut self,
        server: ServerId,
        generation: Generation,
        power: Power,
    ) -> usize {
        self.seq += 1;
        let fact = ServerFact {
            server,
            generation,
            power,
            busy: false,
        };
        let shown = ComputeInventory {
            host: self.a.clone(),
            order: Order {
                epoch: 1,
                seq: self.seq,
            },
            servers: vec![fact],
        };
        let store = &self.cloud.store;
        let suspects = inventory::suspects(store, &shown).await.unwrap();
        for id in &suspects {
            let mut tx = store.begin().await.unwrap();
            let with = (&self.cloud.key, &Context::begin());
            inventory::server(&mut tx, *id, &shown, with).await.unwrap();
            tx.commit().await.unwrap();
        }
        suspects.len()
    }
}

async fn a_late_start_stays_started(mut story: Story) {
    let server = story.stopped("vm1").await;
    let host = story.a.clone();
    story.ask(server, Request::Start).await.unwrap();
    story.fails_by_its_deadline(server).await;
    story.report(server, &host, Power::Running).await;
    let row = story.server(server).await;
    assert_eq!(
        (row.state.status(), row.desired, row.fault),
        ("ACTIVE", Desired::Running, None)
    );
    let now = row.generation;
    assert_eq!(story.shows_one(server, now, Power::Running).await, 0);
    // Its host's journal is lost: what it is told again must not switch the machine off.
    story.shows_one(server, Generation(0), Power::Running).await;
    let told = story.last_told("server.ensure/1").await;
    assert_eq!(told["desired"], "running", "{told}");
    assert_eq!(told["generation"], now.0);
}

async fn a_late_reboot_that_only_an_inventory_shows_is_active(mut story: Story) {
    let server = story.running("vm1").await;
    story.ask(server, Request::RebootHard).await.unwrap();
    story.fails_by_its_deadline(server).await;
    let row = story.server(server).await;
    let before = Generation(row.generation.0 - 1);
    story.shows_one(server, before, Power::Running).await;
    assert_eq!(story.server(server).await.state.status(), "ERROR");
    story
        .shows_one(server, row.generation, Power::Running)
        .await;
    assert_eq!(story.server(server).await.state.status(), "ACTIVE");
}

async fn a_late_stop_stays_stopped(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    story.ask(server, Request::Stop).await.unwrap();
    story.fails_by_its_deadline(server).await;
    story.report(server, &host, Power::Shutdown).await;
    let row = story.server(server).await;
    assert_eq!(
        (row.state.status(), row.desired),
        ("SHUTOFF", Desired::Stopped)
    );
}

async fn a_late_start_does_not_undo_the_stop_that_was_asked_for_since(mut story: Story) {
    let server = story.stopped("vm1").await;
    let host = story.a.clone();
    story.ask(server, Request::Start).await.unwrap();
    let late = story.server_report(server, &host, Power::Running).await;
    story.fails_by_its_deadline(server).await;
    story.ask(server, Request::Stop).await.unwrap();
    assert_eq!(story.send(&late).await, Outcome::Old);
    let row = story.server(server).await;
    assert!(row.state.task.is_some());
    assert_eq!(row.desired, Desired::Stopped);
    story.report(server, &host, Power::Shutdown).await;
    assert_eq!(story.server(server).await.state.status(), "SHUTOFF");
}
