//! A host whose account is in foreign hands says what no honest host can have counted to. Nothing of it is
//! written down: nobody would be heard any more.

use skybus_model::{
    Generation, Order, Timestamp,
    message::{
        Context,
        event::{ComputeInventory, PortState, ServerFact},
    },
    server::{Power, Request},
};

use super::{Story, on_both};
use crate::{
    lifecycle::{
        inventory::{self, Repairs},
        reported::Outcome,
    },
    services,
};

on_both! {
    a_servers_generation_is_not_pushed_to_the_end
    a_ports_generation_is_not_pushed_to_the_end
    a_report_from_the_far_future_makes_nobody_deaf
    what_is_recorded_of_the_far_future_makes_nobody_deaf
    a_guest_that_is_elsewhere_by_now_is_outweighed
    a_host_whose_clock_is_far_ahead_counts_as_silent
}

const LAST: Generation = Generation(i64::MAX);

async fn a_servers_generation_is_not_pushed_to_the_end(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    let before = story.server(server).await;
    for generation in [LAST, Generation(2_000_000_000)] {
        let mut forged = story.server_report(server, &host, Power::Crashed).await;
        forged.generation = generation;
        assert_eq!(story.send(&forged).await, Outcome::Incredible);
        story.shows_one(server, generation, Power::Crashed).await;
        assert_eq!(story.server(server).await, before);
    }
    story.ask(server, Request::Stop).await.unwrap();
    story.report(server, &host, Power::Shutdown).await;
    assert_eq!(story.server(server).await.state.status(), "SHUTOFF");
}

async fn a_ports_generation_is_not_pushed_to_the_end(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    let before = story.ports(server).await.remove(0);
    let forged = story.port_report(&before, &host, PortState::Down, LAST);
    assert_eq!(story.send_port(&forged).await, Outcome::Incredible);
    assert_eq!(story.shows_port(&before, LAST).await, Repairs::default());
    assert_eq!(story.ports(server).await.remove(0), before);
    let up = story.report_port(&before, &host, PortState::Up).await;
    assert_eq!(up, Outcome::Recorded);
}

async fn a_report_from_the_far_future_makes_nobody_deaf(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    let port = story.ports(server).await.remove(0);
    let in_two_days = Timestamp::now().seconds() + 2 * 24 * 3600;
    for epoch in [i64::MAX, in_two_days.try_into().unwrap()] {
        let order = Order {
            epoch,
            seq: i64::MAX,
        };
        assert!(!inventory::is_credible(&host, order));
        let mut forged = story.server_report(server, &host, Power::Crashed).await;
        forged.order = order;
        assert_eq!(story.send(&forged).await, Outcome::Incredible);
        let mut forged = story.port_report(&port, &host, PortState::Down, port.generation);
        forged.order = order;
        assert_eq!(story.send_port(&forged).await, Outcome::Incredible);
    }
    assert_eq!(story.server(server).await.state.status(), "ACTIVE");
    let off = story.report(server, &host, Power::Shutdown).await;
    assert_eq!(off, Outcome::Recorded);
    let up = story.report_port(&port, &host, PortState::Up).await;
    assert_eq!(up, Outcome::Recorded);
    assert_eq!(story.server(server).await.state.status(), "SHUTOFF");
}

async fn what_is_recorded_of_the_far_future_makes_nobody_deaf(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    let port = story.ports(server).await.remove(0);
    // It was recorded before such things were dropped, or while a clock was wrong.
    let mut tx = story.cloud.store.begin().await.unwrap();
    for sql in [
        "UPDATE servers SET epoch = $1, seq = $1",
        "UPDATE ports SET epoch = $1, seq = $1",
    ] {
        let update = sqlx::query(sql).bind(i64::MAX);
        update.execute(tx.conn()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let now = story.server(server).await.generation;
    assert_eq!(story.shows_one(server, now, Power::Shutdown).await, 1);
    assert_eq!(story.server(server).await.state.status(), "SHUTOFF");
    let down = story.report_port(&port, &host, PortState::Down).await;
    assert_eq!(down, Outcome::Recorded);
    assert!(story.ports(server).await[0].order.epoch < i64::MAX);
}

async fn a_guest_that_is_elsewhere_by_now_is_outweighed(mut story: Story) {
    let server = story.running("vm1").await;
    let (a, b) = (story.a.clone(), story.b.clone());
    let ours = story.server(server).await.generation;
    for (has, told) in [
        (ours, Some(ours.next())),
        (Generation(ours.0 + 7), Some(Generation(ours.0 + 8))),
        (LAST, None),
    ] {
        let fact = ServerFact {
            server,
            generation: has,
            power: Power::Running,
            busy: false,
        };
        let shown = ComputeInventory {
            host: b.clone(),
            order: Order { epoch: 1, seq: 1 },
            servers: vec![fact],
        };
        let mut tx = story.cloud.store.begin().await.unwrap();
        let with = (&story.cloud.key, &Context::begin());
        let repairs = inventory::server(&mut tx, server, &shown, with)
            .await
            .unwrap();
        assert_eq!(repairs.removed, usize::from(told.is_some()));
        let sent = tx.commit().await.unwrap();
        assert_eq!(sent.len(), repairs.removed);
        let mut report = story.server_report(server, &b, Power::Running).await;
        report.generation = has;
        assert_eq!(story.send(&report).await, Outcome::NotTheirs);
        if let Some(told) = told {
            let remove: serde_json::Value = serde_json::from_slice(&sent[0].body).unwrap();
            assert_eq!(remove["generation"], told.0);
            let fence = story.last_told("server.remove/1").await;
            assert_eq!(fence["generation"], told.0);
        }
    }
    assert_eq!(story.server(server).await.host, Some(a));
}

async fn a_host_whose_clock_is_far_ahead_counts_as_silent(story: Story) {
    let (a, now) = (&story.a, Timestamp::now());
    story.cloud.silence(a).await;
    let mut beat = story.cloud.beat(a, "compute", super::ROOMY);
    let mut tx = story.cloud.store.begin().await.unwrap();
    let week = 7 * 24 * 3600;
    for (ahead, down) in [(week, true), (0, false)] {
        beat.order.epoch = i64::try_from(now.seconds()).unwrap() + ahead;
        services::heard(&mut tx, &beat, now).await.unwrap();
        let is = services::is_down(&mut tx, a, "compute").await.unwrap();
        assert_eq!(is, down, "{ahead} s ahead");
    }
}
