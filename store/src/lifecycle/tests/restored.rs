//! The database was put back to an older state: hosts remember more than it does, and it catches up with them.

use skybus_model::{
    Fault, FaultCode, Generation, Order,
    id::ServerId,
    message::{
        Context,
        event::{NetworkInventory, PortFact, PortState},
    },
    server::{Desired, Power, Request},
};

use super::{Story, on_both};
use crate::{
    hosts,
    lifecycle::{
        inventory::{self, Repairs},
        reported::{self, Outcome},
    },
    networks::{Port, refresh, subnets},
    testing::{SMALL, TestStore, wait},
};

on_both! {
    a_port_catches_up_with_its_hosts_report_and_rules_arrive_again
    a_port_catches_up_with_its_hosts_inventory
    a_port_that_the_host_had_removed_comes_back
    a_leaving_port_is_taken_away_at_a_generation_that_counts
    a_guest_that_runs_is_not_switched_off
}

impl Story {
    async fn port(&self, server: ServerId) -> Port {
        self.ports(server).await.remove(0)
    }

    /// The network worker of host `a` shows `port` at this generation.
    pub(super) async fn shows_port(&mut self, port: &Port, generation: Generation) -> Repairs {
        self.seq += 1;
        let shown = NetworkInventory {
            host: self.a.clone(),
            order: Order {
                epoch: 1,
                seq: self.seq,
            },
            ports: vec![PortFact {
                port: port.id,
                network: port.network,
                generation,
            }],
        };
        let mut tx = self.cloud.store.begin().await.unwrap();
        let repairs = inventory::ports(&mut tx, &shown, &Context::begin())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        repairs
    }
}

async fn a_port_catches_up_with_its_hosts_report_and_rules_arrive_again(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    let port = story.port(server).await;
    let heard = Generation(port.generation.0 + 5);
    let report = story.port_report(&port, &host, PortState::Up, heard);
    assert_eq!(story.send_port(&report).await, Outcome::Recorded);
    let caught_up = story.port(server).await;
    assert_eq!(caught_up.generation, heard.next());
    let told = story.last_told("port.ensure/1").await;
    assert_eq!(told["generation"], heard.next().0);
    assert_eq!(
        story.send_port(&report).await,
        Outcome::Old,
        "it came again"
    );

    let mut tx = story.cloud.store.begin().await.unwrap();
    refresh::port_changed(&mut tx, port.id).await.unwrap();
    refresh::flush(&mut tx, &Context::begin(), 10)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let told = story.last_told("port.ensure/1").await;
    let told = told["generation"].as_i64().unwrap();
    assert!(told > heard.0, "{told} is older than what the host has");
}

async fn a_port_catches_up_with_its_hosts_inventory(mut story: Story) {
    let server = story.running("vm1").await;
    let port = story.port(server).await;
    let heard = Generation(port.generation.0 + 5);
    assert_eq!(story.shows_port(&port, heard).await.ensured, 1);
    assert_eq!(story.port(server).await.generation, heard.next());
    let told = story.last_told("port.ensure/1").await;
    assert_eq!(told["generation"], heard.next().0);
    // The same inventory again, now of a host that is behind: it is told again, and nothing grows.
    assert_eq!(story.shows_port(&port, heard).await.ensured, 1);
    assert_eq!(story.port(server).await.generation, heard.next());
    let done = story.shows_port(&port, heard.next()).await;
    assert_eq!(done, Repairs::default());
}

async fn a_port_that_the_host_had_removed_comes_back(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    let port = story.port(server).await;
    let heard = Generation(port.generation.0 + 1);
    let gone = story.port_report(&port, &host, PortState::Absent, heard);
    assert_eq!(story.send_port(&gone).await, Outcome::Recorded);
    let told = story.last_told("port.ensure/1").await;
    assert_eq!(told["generation"], heard.next().0);
    let port = story.port(server).await;
    assert_eq!(
        (port.status.as_str(), port.generation),
        ("DOWN", heard.next())
    );
}

async fn a_leaving_port_is_taken_away_at_a_generation_that_counts(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    story.ask(server, Request::Delete).await.unwrap();
    let port = story.port(server).await;
    // The host has heard more, and refuses.
    let heard = Generation(port.generation.0 + 5);
    let refused = story.port_report(&port, &host, PortState::Up, heard);
    assert_eq!(story.send_port(&refused).await, Outcome::Recorded);
    let told = story.last_told("port.remove/1").await;
    assert_eq!(told["generation"], heard.next().0);
    story.report(server, &host, Power::Absent).await;
    story.report_port(&port, &host, PortState::Absent).await;
    assert!(story.ports(server).await.is_empty());
    assert!(story.operations(server).await[1].step.ended());
}

async fn a_guest_that_runs_is_not_switched_off(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    story.ask(server, Request::Stop).await.unwrap();
    story.report(server, &host, Power::Shutdown).await;
    // It was started after the backup, from which the database does not know that.
    let heard = Generation(story.server(server).await.generation.0 + 5);
    story.shows_one(server, heard, Power::Running).await;
    let row = story.server(server).await;
    assert_eq!(
        (row.state.status(), row.desired),
        ("ACTIVE", Desired::Running)
    );
    assert_eq!(row.generation, heard.next());
    story.shows_one(server, heard, Power::Running).await;
    let told = story.last_told("server.ensure/1").await;
    assert_eq!(told["generation"], heard.next().0);
    assert_eq!(told["desired"], "running");
}

#[tokio::test]
async fn a_boot_that_fails_behind_waits_for_its_host_before_its_subnet() {
    let test = TestStore::postgres().await;
    let mut story = Story::begin(&test).await;
    let host = story.a.clone();
    let (server, operation) = story.cloud.boot("vm1").await;
    story.place(server, operation, &host).await;
    let port = story.port(server).await;
    let heard = Generation(port.generation.0 + 5);
    let mut report = story.port_report(&port, &host, PortState::Down, heard);
    report.fault = Some(Fault::new(FaultCode::NetworkNotReady, "It did not work."));
    let store = story.cloud.store.clone();

    // Somebody who deletes a server of the same host and the same subnet.
    let mut deletes = store.begin().await.unwrap();
    hosts::release(&mut deletes, &host, SMALL).await.unwrap();
    let own = store.clone();
    let reports = [tokio::spawn(async move {
        let mut tx = own.begin().await.unwrap();
        let outcome = reported::port(&mut tx, &report, &report.host, &Context::begin()).await;
        tx.commit().await.unwrap();
        outcome
    })];
    assert!(wait(&store, &reports).await, "the report did not wait");
    subnets::lock(&mut deletes, port.subnet).await.unwrap();
    deletes.commit().await.unwrap();
    let [reports] = reports;
    assert_eq!(reports.await.unwrap().unwrap(), Outcome::Recorded);
    assert_eq!(story.port(server).await.host, None, "another host is tried");
}
