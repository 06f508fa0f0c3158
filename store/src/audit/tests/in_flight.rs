//! What comes to be in order between the look and the repair is left alone.

use skybus_model::{
    message::event::PortState,
    server::{Power, Request},
};

use super::{Outcome, look};
use crate::lifecycle::tests::{Story, on_both};

on_both! {
    what_is_in_order_again_is_not_touched
    a_repair_waits_for_whoever_is_at_it
    a_server_that_moved_on_is_not_resumed
}

async fn what_is_in_order_again_is_not_touched(mut story: Story) {
    let server = story.running("vm1").await;
    story
        .by_hand("UPDATE hosts SET servers = 9 WHERE name = 'a'")
        .await;
    story
        .by_hand("UPDATE quota_usage SET used = used + 1")
        .await;
    story.by_hand("UPDATE ports SET host = 'b'").await;
    let findings = story.findings().await;
    assert_eq!(findings.len(), 5, "{findings:#?}");
    story
        .by_hand("UPDATE hosts SET servers = 1 WHERE name = 'a'")
        .await;
    story
        .by_hand("UPDATE quota_usage SET used = used - 1")
        .await;
    story.by_hand("UPDATE ports SET host = 'a'").await;
    let before = (story.ports(server).await, story.server(server).await);
    for finding in &findings {
        assert_eq!(
            story.mend(finding, &look()).await,
            Outcome::Gone,
            "{finding:?}"
        );
    }
    assert_eq!(
        before,
        (story.ports(server).await, story.server(server).await)
    );
}

/// A boot and a delete in flight while sums are repaired: the sums fit when all have ended.
async fn a_repair_waits_for_whoever_is_at_it(mut story: Story) {
    let leaving = story.running("vm1").await;
    story
        .by_hand("UPDATE hosts SET servers = 9, used_vcpus = 5 WHERE name = 'a'")
        .await;
    story
        .by_hand("UPDATE quota_usage SET used = used + 2")
        .await;
    let findings = story.findings().await;
    let (coming, operation) = story.cloud.boot("vm2").await;
    story.ask(leaving, Request::Delete).await.unwrap();
    let host = story.a.clone();
    let report = story.server_report(leaving, &host, Power::Absent).await;
    let repairs = async {
        for finding in &findings {
            story.mend(finding, &look()).await;
        }
    };
    let work = async {
        story.send(&report).await;
        story.place(coming, operation, &host).await;
        story.cloud.boot("vm3").await;
    };
    tokio::join!(repairs, work);
    assert_eq!(story.claimed(&host).await, (1, 256));
    let port = story.ports(leaving).await.remove(0);
    story.report_port(&port, &host, PortState::Absent).await;
    story.is_in_order().await;
}

async fn a_server_that_moved_on_is_not_resumed(mut story: Story) {
    let (server, host) = (story.running("vm1").await, story.a.clone());
    story.ask(server, Request::Stop).await.unwrap();
    story
        .by_hand("UPDATE operations SET step = 'failed', ended_at = 1 WHERE ended_at IS NULL")
        .await;
    let finding = story.findings().await.remove(0);
    // Its host's report comes after all.
    story.report(server, &host, Power::Shutdown).await;
    let operations = story.operations(server).await.len();
    assert_eq!(story.mend(&finding, &look()).await, Outcome::Gone);
    assert_eq!(story.operations(server).await.len(), operations);
    story.is_in_order().await;
}
