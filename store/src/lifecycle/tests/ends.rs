//! A delete works from every state, and leaves nothing behind.

use skybus_model::{
    Order,
    message::{
        Context,
        event::{NetworkInventory, PortState},
    },
    operation::Step,
    server::{Power, Request},
};

use super::{Story, keys, on_both};
use crate::{
    compute::quotas,
    lifecycle::{
        inventory,
        overdue::{self, Done},
    },
    networks::{Scope, floating, ports, refresh},
    operations,
};

on_both! { a_leaving_port_is_not_brought_back  a_delete_frees_everything a_delete_before_a_host_is_chosen a_delete_behind_a_silent_host }

async fn nothing_is_left(story: &Story, server: skybus_model::id::ServerId) {
    let row = story.server(server).await;
    assert_eq!(row.state.status(), "DELETED");
    assert!(row.deleted_at.is_some());
    assert!(
        story.ports(server).await.is_empty(),
        "its address is still taken"
    );
    for host in [&story.a, &story.b] {
        assert_eq!(
            story.claimed(host).await,
            (0, 0),
            "{host} still has a claim"
        );
    }
    for operation in story.operations(server).await {
        assert!(operation.step.ended(), "{operation:?}");
    }
    let usage = quotas::usage(&story.cloud.store, story.cloud.project)
        .await
        .unwrap();
    assert_eq!(usage[&quotas::Resource::Instances], 0);
    assert_eq!(usage[&quotas::Resource::Ram], 0);
    // What led to it leads nowhere, and stays with its project.
    let db = story.cloud.store.pool();
    let held = floating::list(db, Scope::Project(story.cloud.project)).await;
    for floating in held.unwrap() {
        assert_eq!((floating.port, floating.status()), (None, ports::DOWN));
        assert_eq!(usage[&quotas::Resource::FloatingIps], 1);
    }
}

async fn a_delete_frees_everything(mut story: Story) {
    let server = story.running("vm1").await;
    story.floating(server).await;
    let host = story.a.clone();
    let port = story.ports(server).await.remove(0);
    let told = story.ask(server, Request::Delete).await.unwrap();
    assert_eq!(
        keys(&told),
        ["compute.a.server.remove", "network.a.port.remove"]
    );
    story.report(server, &host, Power::Absent).await;
    assert_eq!(story.server(server).await.state.status(), "DELETED");
    assert_eq!(
        story.ports(server).await.len(),
        1,
        "the address is taken until the host lets go"
    );
    story.report_port(&port, &host, PortState::Absent).await;
    nothing_is_left(&story, server).await;
}

async fn a_delete_before_a_host_is_chosen(story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    story.floating(server).await;
    let told = story.ask(server, Request::Delete).await.unwrap();
    assert!(
        keys(&told).is_empty(),
        "there is nobody to tell: {:?}",
        keys(&told)
    );
    nothing_is_left(&story, server).await;
    // The scheduler that comes too late finds nothing to do.
    let mut tx = story.cloud.store.begin().await.unwrap();
    let command = skybus_model::message::command::ServerPlace { operation, server };
    assert!(
        crate::lifecycle::placed::waiting(&mut tx, &command)
            .await
            .unwrap()
            .is_none()
    );
    drop(tx);
    assert_eq!(story.operations(server).await[0].step, Step::Overtaken);
}

async fn a_delete_behind_a_silent_host(mut story: Story) {
    let server = story.running("vm1").await;
    story.floating(server).await;
    let host = story.a.clone();
    story.cloud.silence(&host).await;
    story.ask(server, Request::Delete).await.unwrap();
    let delete = story.operations(server).await.remove(1);
    let mut tx = story.cloud.store.begin().await.unwrap();
    let mut due = delete.clone();
    due.wake_at = skybus_model::Timestamp(0);
    operations::save(&mut tx, &due).await.unwrap();
    let done = overdue::look_after(&mut tx, &delete, story.cloud.caretaker())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(done, Done::Ended);
    nothing_is_left(&story, server).await;
}

async fn a_leaving_port_is_not_brought_back(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    story.ask(server, Request::Delete).await.unwrap();
    let leaving = story.ports(server).await.remove(0);
    // The rules of its group change, its host's inventory still shows it, and the delete is sent again.
    let mut tx = story.cloud.store.begin().await.unwrap();
    refresh::network_changed(&mut tx, leaving.network)
        .await
        .unwrap();
    assert_eq!(
        refresh::flush(&mut tx, &Context::begin(), 10)
            .await
            .unwrap(),
        0
    );
    let inventory = NetworkInventory {
        host: host.clone(),
        order: Order { epoch: 2, seq: 1 },
        ports: Vec::new(),
    };
    let repairs = inventory::ports(&mut tx, &inventory, &Context::begin())
        .await
        .unwrap();
    assert_eq!(repairs, inventory::Repairs::default());
    let delete = operations::open_of(&mut tx, server)
        .await
        .unwrap()
        .remove(0);
    let mut due = delete.clone();
    due.wake_at = skybus_model::Timestamp(0);
    operations::save(&mut tx, &due).await.unwrap();
    overdue::look_after(&mut tx, &delete, story.cloud.caretaker())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        story.ports(server).await[0].generation,
        leaving.generation,
        "an answer that is under way still counts"
    );
    story.report(server, &host, Power::Absent).await;
    story.report_port(&leaving, &host, PortState::Absent).await;
    nothing_is_left(&story, server).await;
}
