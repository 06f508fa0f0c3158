//! What is asked for happens.

use skybus_model::{
    message::event::PortState,
    operation::Step,
    server::{Power, Request},
};

use super::{Story, keys, on_both};
use crate::{hops, networks::ports::ACTIVE};

on_both! { a_boot_ends_active a_stop_and_a_start a_reboot a_guest_that_powers_itself_off }

async fn a_boot_ends_active(mut story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    let host = story.a.clone();
    let told = story.place(server, operation, &host).await;
    assert_eq!(
        keys(&told),
        ["network.a.port.ensure", "compute.a.server.ensure"]
    );
    assert_eq!(story.server(server).await.state.status(), "BUILD");
    let port = story.ports(server).await.remove(0);
    story.report_port(&port, &host, PortState::Up).await;
    assert_eq!(story.ports(server).await[0].status, ACTIVE);

    story.report(server, &host, Power::Running).await;
    let row = story.server(server).await;
    assert_eq!(row.state.status(), "ACTIVE");
    assert!(row.launched_at.is_some() && row.fault.is_none());
    assert_eq!(story.operations(server).await[0].step, Step::Done);
    assert_eq!(story.claimed(&host).await, (1, 256));
    let hops = hops::of(&story.cloud.store, operation).await.unwrap();
    let told: Vec<_> = hops.iter().map(|hop| hop.what.as_str()).collect();
    for what in ["accepted", "placed", "qemu started", "active"] {
        assert!(told.contains(&what), "{what:?} is missing in {told:?}");
    }
}

async fn a_stop_and_a_start(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    assert_eq!(
        keys(&story.ask(server, Request::Stop).await.unwrap()),
        ["compute.a.server.ensure"]
    );
    story.report(server, &host, Power::Shutdown).await;
    assert_eq!(story.server(server).await.state.status(), "SHUTOFF");
    assert!(
        story
            .ask(server, Request::Stop)
            .await
            .unwrap_err()
            .contains("stopped")
    );
    story.ask(server, Request::Start).await.unwrap();
    story.report(server, &host, Power::Running).await;
    assert_eq!(story.server(server).await.state.status(), "ACTIVE");
}

async fn a_reboot(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    let told = story.ask(server, Request::RebootSoft).await.unwrap();
    let body = String::from_utf8(
        told.iter()
            .find(|m| m.must_be_routed())
            .unwrap()
            .body
            .clone(),
    );
    assert!(body.unwrap().contains("\"restart\":\"soft\""));
    assert_eq!(story.server(server).await.state.status(), "REBOOT");
    story.report(server, &host, Power::Running).await;
    assert_eq!(story.server(server).await.state.status(), "ACTIVE");
}

async fn a_guest_that_powers_itself_off(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    story.report(server, &host, Power::Shutdown).await;
    let row = story.server(server).await;
    assert_eq!(row.state.status(), "SHUTOFF");
    assert_eq!(
        row.desired,
        skybus_model::server::Desired::Stopped,
        "repair must not raise it"
    );
}
