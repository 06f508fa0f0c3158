//! A healthy cloud has no findings, at any moment of a server's life.

use skybus_model::{
    FaultCode,
    message::event::PortState,
    server::{Power, Request},
};

use super::{find, look};
use crate::lifecycle::tests::{Story, on_both};

on_both! { no_step_of_a_life_is_flagged nor_are_hosts_that_fail_and_deletes_in_any_order a_busy_cloud_is_a_healthy_one }

async fn no_step_of_a_life_is_flagged(mut story: Story) {
    story.is_in_order().await;
    let (server, operation) = story.cloud.boot("vm1").await;
    story.is_in_order().await;
    let host = story.a.clone();
    story.place(server, operation, &host).await;
    story.is_in_order().await;
    let port = story.ports(server).await.remove(0);
    story.report_port(&port, &host, PortState::Up).await;
    story.report(server, &host, Power::Running).await;
    story.is_in_order().await;
    for (request, power) in [
        (Request::Stop, Power::Shutdown),
        (Request::Start, Power::Running),
        (Request::RebootSoft, Power::Running),
        (Request::RebootHard, Power::Running),
    ] {
        story.ask(server, request).await.unwrap();
        story.is_in_order().await;
        story.report(server, &host, power).await;
        story.is_in_order().await;
    }
    story.ask(server, Request::Delete).await.unwrap();
    story.is_in_order().await;
    story.report(server, &host, Power::Absent).await;
    story.is_in_order().await;
    story.report_port(&port, &host, PortState::Absent).await;
    story.is_in_order().await;
    assert_eq!(story.server(server).await.state.status(), "DELETED");
}

async fn nor_are_hosts_that_fail_and_deletes_in_any_order(mut story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    let (a, b) = (story.a.clone(), story.b.clone());
    story.place(server, operation, &a).await;
    story.fail(server, &a, FaultCode::MachineDidNotStart).await;
    story.is_in_order().await;
    story.place(server, operation, &b).await;
    story.fail(server, &b, FaultCode::ImageUnusable).await;
    assert_eq!(story.server(server).await.state.status(), "ERROR");
    story.is_in_order().await;
    // The port first, then the machine.
    let port = story.ports(server).await.remove(0);
    story.ask(server, Request::Delete).await.unwrap();
    story.report_port(&port, &b, PortState::Absent).await;
    story.is_in_order().await;
    story.report(server, &b, Power::Absent).await;
    story.is_in_order().await;
    // Before a host was chosen, and where the host is silent.
    let (early, _) = story.cloud.boot("vm2").await;
    story.ask(early, Request::Delete).await.unwrap();
    story.is_in_order().await;
}

/// While servers come and go as fast as they can, every look finds nothing.
async fn a_busy_cloud_is_a_healthy_one(story: Story) {
    let store = story.cloud.store.clone();
    let watched = async {
        for _ in 0..40 {
            let findings = find(&store, &look()).await.unwrap();
            assert!(findings.is_empty(), "{findings:#?}");
        }
    };
    let busy = async {
        for n in 0..8 {
            let (server, operation) = story.cloud.boot(&format!("vm{n}")).await;
            story.place(server, operation, &story.a).await;
            story.ask(server, Request::Delete).await.unwrap();
        }
    };
    tokio::join!(watched, busy);
}
