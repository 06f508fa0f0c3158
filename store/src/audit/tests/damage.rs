//! Each kind of damage, made by hand: found, explained, mended, and found no more.

use skybus_model::{
    id::ImageId,
    message::{Context, event::PortState},
    operation::{OperationKind, Step},
    server::{Desired, Power, Request},
};

use super::{Finding, Kind, Outcome, after, look, repaired};
use crate::{
    audit::Resource,
    images::{self, NewImage},
    lifecycle::{
        overdue,
        tests::{Story, on_both},
    },
    networks::floating,
    operations,
};

on_both! {
    a_claim_without_a_server
    a_quota_that_was_not_given_back
    a_floating_ip_that_is_not_counted
    a_floating_ip_that_leads_to_no_port
    an_address_of_a_server_that_is_gone
    an_address_of_a_server_without_a_row
    a_port_on_another_host
    a_server_whose_port_is_gone
    an_operation_of_a_settled_server
    a_delete_whose_server_forgot_it
    a_server_that_nobody_looks_after
    a_delete_that_nobody_looks_after
    a_task_that_nobody_asked_for
    an_operation_that_nobody_wakes_for
    a_message_that_never_leaves
    an_upload_that_died
}

async fn a_claim_without_a_server(mut story: Story) {
    story.running("vm1").await;
    story
        .by_hand("UPDATE hosts SET servers = servers + 1, used_ram_mib = used_ram_mib + 256 WHERE name = 'a'")
        .await;
    let words = ["host a", "2 servers", "512 MiB", "1 servers", "256 MiB"];
    repaired(&story.one(&look(), Kind::ClaimDrift, &words).await);
    story.is_in_order().await;
    assert_eq!(story.claimed(&story.a).await, (1, 256));
}

async fn a_quota_that_was_not_given_back(mut story: Story) {
    story.running("vm1").await;
    story
        .by_hand("UPDATE quota_usage SET used = 7 WHERE resource = 'instances'")
        .await;
    let words = ["instances of", "7 instances counted", "1, which is what"];
    repaired(&story.one(&look(), Kind::QuotaDrift, &words).await);
    story.is_in_order().await;
    story
        .by_hand("DELETE FROM quota_usage WHERE resource = 'cores'")
        .await;
    repaired(&story.one(&look(), Kind::QuotaDrift, &["cores"]).await);
    story.is_in_order().await;
}

async fn a_floating_ip_that_is_not_counted(mut story: Story) {
    let server = story.running("vm1").await;
    story.floating(server).await;
    story.is_in_order().await;
    story
        .by_hand("UPDATE quota_usage SET used = 0 WHERE resource = 'floating_ips'")
        .await;
    let words = ["floating_ips of", "0 floating_ips counted", "1, which is"];
    repaired(&story.one(&look(), Kind::QuotaDrift, &words).await);
    story.is_in_order().await;
}

async fn a_floating_ip_that_leads_to_no_port(mut story: Story) {
    let server = story.running("vm1").await;
    let id = story.floating(server).await;
    let port = story.ports(server).await.remove(0).id;
    story
        .by_hand("UPDATE floating_ips SET port = '7b0a1f53-3b92-4a93-8b5c-0d5f6d2c9a11'")
        .await;
    let words = ["floating-ip", "7b0a1f53", "lead nowhere"];
    repaired(&story.one(&look(), Kind::FloatingIpAstray, &words).await);
    story.is_in_order().await;
    // It can be led again, and a repair that comes too late leaves it alone.
    let mut tx = story.cloud.store.begin().await.unwrap();
    let again = floating::lead(&mut tx, id, Some(port), &Context::begin()).await;
    assert_eq!(again.unwrap().port, Some(port));
    tx.commit().await.unwrap();
    let late = Finding {
        kind: Kind::FloatingIpAstray,
        resource: Resource::FloatingIp(id),
        found: String::new(),
        expected: String::new(),
        repair: String::new(),
    };
    assert_eq!(story.mend(&late, &look()).await, Outcome::Gone);
    assert_eq!(story.ports(server).await.len(), 1);
}

/// A delete whose host has let go of the machine, but not yet of the port.
async fn half_deleted(story: &mut Story) -> skybus_model::id::ServerId {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    story.ask(server, Request::Delete).await.unwrap();
    story.report(server, &host, Power::Absent).await;
    server
}

async fn an_address_of_a_server_that_is_gone(mut story: Story) {
    let server = half_deleted(&mut story).await;
    story
        .by_hand("UPDATE operations SET step = 'done', ended_at = 1 WHERE ended_at IS NULL")
        .await;
    let words = ["is deleted", "have host a let go"];
    repaired(&story.one(&look(), Kind::PortWithoutServer, &words).await);
    // Told, and in flight; when the host has let go, the address is free and the delete ends.
    story.is_in_order().await;
    let (port, host) = (story.ports(server).await.remove(0), story.a.clone());
    story.report_port(&port, &host, PortState::Absent).await;
    assert!(story.ports(server).await.is_empty());
    assert!(
        story
            .operations(server)
            .await
            .iter()
            .all(|one| one.step.ended())
    );
    story.is_in_order().await;
}

async fn an_address_of_a_server_without_a_row(mut story: Story) {
    let server = story.running("vm1").await;
    story
        .by_hand("UPDATE ports SET server = '7b0a1f53-3b92-4a93-8b5c-0d5f6d2c9a11', host = NULL")
        .await;
    let findings = story.findings().await;
    let kinds: Vec<_> = findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [Kind::PortWithoutServer, Kind::ServerWithoutPort]);
    repaired(&story.mend(&findings[0], &look()).await);
    assert!(matches!(
        story.mend(&findings[1], &look()).await,
        Outcome::Left(_)
    ));
    // Its server has lost it, which only a new boot mends.
    assert!(story.ports(server).await.is_empty());
    story.ask(server, Request::Delete).await.unwrap();
    story.is_in_order().await;
}

async fn a_port_on_another_host(mut story: Story) {
    let server = story.running("vm1").await;
    story.by_hand("UPDATE ports SET host = 'b'").await;
    let words = ["served by host b", "host a"];
    repaired(&story.one(&look(), Kind::PortElsewhere, &words).await);
    story.is_in_order().await;
    assert_eq!(story.ports(server).await[0].host, Some(story.a.clone()));
}

async fn a_server_whose_port_is_gone(mut story: Story) {
    let server = story.running("vm1").await;
    story.by_hand("DELETE FROM ports").await;
    let words = ["0 ports", "1 ports", "boot it again"];
    let outcome = story.one(&look(), Kind::ServerWithoutPort, &words).await;
    assert!(matches!(outcome, Outcome::Left(_)), "{outcome:?}");
    assert_eq!(story.server(server).await.state.status(), "ACTIVE");
}

async fn an_operation_of_a_settled_server(mut story: Story) {
    let server = story.running("vm1").await;
    story.ask(server, Request::Stop).await.unwrap();
    story.by_hand("UPDATE servers SET task_state = NULL").await;
    let words = ["a stop of server", "settled: active"];
    repaired(&story.one(&look(), Kind::OperationWithoutTask, &words).await);
    story.is_in_order().await;
    assert!(story.operations(server).await[1].step.ended());
    assert_eq!(story.server(server).await.state.status(), "ACTIVE");
}

async fn a_delete_whose_server_forgot_it(mut story: Story) {
    let server = story.running("vm1").await;
    story.ask(server, Request::Delete).await.unwrap();
    story.by_hand("UPDATE servers SET task_state = NULL").await;
    let words = ["a delete of server", "go on with the delete"];
    repaired(&story.one(&look(), Kind::OperationWithoutTask, &words).await);
    story.is_in_order().await;
    let (port, host) = (story.ports(server).await.remove(0), story.a.clone());
    story.report(server, &host, Power::Absent).await;
    story.report_port(&port, &host, PortState::Absent).await;
    assert_eq!(story.server(server).await.state.status(), "DELETED");
    story.is_in_order().await;
}

/// Every state that passes, without its operation: it is taken up again, and its host's word ends it.
async fn a_server_that_nobody_looks_after(mut story: Story) {
    let forget = "UPDATE operations SET step = 'failed', ended_at = 1 WHERE ended_at IS NULL";
    let host = story.a.clone();
    let (server, _) = story.cloud.boot("vm1").await;
    story.by_hand(forget).await;
    let words = ["building, scheduling", "no operation is open"];
    repaired(&story.one(&look(), Kind::TaskWithoutOperation, &words).await);
    story.is_in_order().await;
    let boot = story.operations(server).await.pop().unwrap();
    assert_eq!((boot.kind, boot.step), (OperationKind::Boot, Step::Placing));
    story.place(server, boot.id, &host).await;
    for (request, task, power, kind) in [
        (None, "spawning", Power::Running, OperationKind::Boot),
        (
            Some(Request::Stop),
            "powering-off",
            Power::Shutdown,
            OperationKind::Stop,
        ),
        (
            Some(Request::Start),
            "powering-on",
            Power::Running,
            OperationKind::Start,
        ),
        (
            Some(Request::RebootSoft),
            "rebooting",
            Power::Running,
            OperationKind::Reboot,
        ),
        (
            Some(Request::RebootHard),
            "rebooting_hard",
            Power::Running,
            OperationKind::Reboot,
        ),
    ] {
        if let Some(request) = request {
            story.ask(server, request).await.unwrap();
        }
        story.by_hand(forget).await;
        repaired(
            &story
                .one(&look(), Kind::TaskWithoutOperation, &[task])
                .await,
        );
        story.is_in_order().await;
        let again = story.operations(server).await.pop().unwrap();
        assert_eq!(again.kind, kind);
        story.report(server, &host, power).await;
        assert_eq!(story.server(server).await.state.task, None, "{task}");
        assert!(
            story
                .operations(server)
                .await
                .iter()
                .all(|one| one.step.ended())
        );
        story.is_in_order().await;
    }
}

async fn a_delete_that_nobody_looks_after(mut story: Story) {
    let forget = "UPDATE operations SET step = 'failed', ended_at = 1 WHERE ended_at IS NULL";
    let (server, host) = (story.running("vm1").await, story.a.clone());
    story.ask(server, Request::Delete).await.unwrap();
    story.by_hand(forget).await;
    repaired(
        &story
            .one(&look(), Kind::TaskWithoutOperation, &["deleting"])
            .await,
    );
    story.is_in_order().await;
    let port = story.ports(server).await.remove(0);
    story.report(server, &host, Power::Absent).await;
    story.report_port(&port, &host, PortState::Absent).await;
    assert_eq!(story.server(server).await.state.status(), "DELETED");
    // Without a host it ends at once.
    let (early, _) = story.cloud.boot("vm2").await;
    story.by_hand(forget).await;
    story
        .by_hand("UPDATE servers SET task_state = 'deleting' WHERE deleted_at IS NULL")
        .await;
    repaired(
        &story
            .one(&look(), Kind::TaskWithoutOperation, &["deleting"])
            .await,
    );
    assert_eq!(story.server(early).await.state.status(), "DELETED");
    story.is_in_order().await;
}

async fn an_operation_that_nobody_wakes_for(mut story: Story) {
    let server = story.running("vm1").await;
    story.ask(server, Request::Stop).await.unwrap();
    // A clock that was far ahead wrote when to look again.
    story
        .by_hand(
            "UPDATE operations SET deadline = 1, wake_at = 9000000000000000 WHERE ended_at IS NULL",
        )
        .await;
    let words = ["a stop of server", "on host a", "after its deadline"];
    repaired(&story.one(&look(), Kind::OperationOverdue, &words).await);
    let store = &story.cloud.store;
    for due in operations::due(store, look().now, 10).await.unwrap() {
        let mut tx = store.begin().await.unwrap();
        overdue::look_after(&mut tx, &due, story.cloud.caretaker())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    story.is_in_order().await;
    assert!(story.server(server).await.fault.is_some());
    // A delete is not given up by an audit either.
    story.ask(server, Request::Delete).await.unwrap();
    story
        .by_hand("UPDATE operations SET deadline = 1 WHERE ended_at IS NULL")
        .await;
    let outcome = story
        .one(&look(), Kind::OperationOverdue, &["a delete of"])
        .await;
    assert!(matches!(outcome, Outcome::Left(_)), "{outcome:?}");
}

async fn a_message_that_never_leaves(story: Story) {
    story.cloud.boot("vm1").await;
    story.is_in_order().await;
    let late = after(3600);
    let mut away = late;
    away.bus_is_well = false;
    let quiet = super::find(&story.cloud.store, &away).await.unwrap();
    assert!(quiet.is_empty(), "the broker is away: {quiet:#?}");
    story
        .by_hand("DELETE FROM outbox WHERE routing_key <> 'scheduler.any.server.place'")
        .await;
    story
        .by_hand("UPDATE operations SET deadline = 9000000000000000")
        .await;
    let words = ["scheduler.any.server.place", "1 wait", "60 min"];
    repaired(&story.one(&late, Kind::MessageWaits, &words).await);
    let left = super::find(&story.cloud.store, &late).await.unwrap();
    assert!(left.is_empty(), "{left:#?}");
}

async fn an_upload_that_died(story: Story) {
    let mut tx = story.cloud.store.begin().await.unwrap();
    let new = NewImage {
        id: None,
        described: images::Image::blank(story.cloud.project),
    };
    let image: ImageId = images::create(&mut tx, new).await.unwrap().id;
    images::upload::begin(&mut tx, image, "u1").await.unwrap();
    tx.commit().await.unwrap();
    story.is_in_order().await;
    let words = ["no life for 15 min", "queued"];
    repaired(&story.one(&after(900), Kind::UploadDead, &words).await);
    story.is_in_order().await;
    story.by_hand("UPDATE images SET status = 'saving'").await;
    repaired(
        &story
            .one(&look(), Kind::UploadDead, &["no upload is known"])
            .await,
    );
    story.is_in_order().await;
}

/// The state was written by hand, and nothing else: the host has to be told of a change.
async fn a_task_that_nobody_asked_for(mut story: Story) {
    let (server, host) = (story.running("vm1").await, story.a.clone());
    story
        .by_hand("UPDATE servers SET task_state = 'powering-off'")
        .await;
    let before = story.server(server).await.generation;
    repaired(
        &story
            .one(&look(), Kind::TaskWithoutOperation, &["powering-off"])
            .await,
    );
    let row = story.server(server).await;
    assert_eq!(row.desired, Desired::Stopped);
    assert!(row.generation > before, "a host does what is new to it");
    story.report(server, &host, Power::Shutdown).await;
    assert_eq!(story.server(server).await.state.status(), "SHUTOFF");
    story.is_in_order().await;
}
