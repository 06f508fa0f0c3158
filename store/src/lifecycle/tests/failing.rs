//! An operation that fails is told with its reason, and what it wanted is not wished any more.

use skybus_model::{
    FaultCode, Timestamp,
    operation::Step,
    server::{Desired, Power, Request},
};

use super::{Story, on_both};
use crate::operations;

on_both! {
    three_hosts_may_fail_a_boot_and_the_last_reasons_are_told
    one_reason_is_told_once
    a_start_that_failed_is_not_done_later
    a_command_that_grew_old_is_sent_again_soon
}

async fn three_hosts_may_fail_a_boot_and_the_last_reasons_are_told(mut story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    let c = story.cloud.host("c", super::ROOMY).await;
    let hosts = [story.a.clone(), story.b.clone(), c];
    for (host, code) in hosts.iter().zip([
        FaultCode::HostSilent,
        FaultCode::DiskFull,
        FaultCode::MachineDidNotStart,
    ]) {
        assert_eq!(story.server(server).await.state.status(), "BUILD");
        story.place(server, operation, host).await;
        story.fail(server, host, code).await;
    }
    let row = story.server(server).await;
    assert_eq!(row.state.status(), "ERROR");
    let fault = row.fault.unwrap();
    assert_eq!(fault.code, FaultCode::MachineDidNotStart);
    assert!(fault.message.contains("Before that: It did not work."));
    assert!(row.fault_at.is_some());
    assert_eq!(story.operations(server).await[0].step, Step::Failed);
}

async fn one_reason_is_told_once(mut story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    let (a, b) = (story.a.clone(), story.b.clone());
    for host in [&a, &b] {
        story.place(server, operation, host).await;
        if *host == b {
            // There is no time for a third.
            let mut tx = story.cloud.store.begin().await.unwrap();
            let mut row = operations::load(&mut tx, operation).await.unwrap();
            row.deadline = Timestamp(1);
            operations::save(&mut tx, &row).await.unwrap();
            tx.commit().await.unwrap();
        }
        story.fail(server, host, FaultCode::HostSilent).await;
    }
    let row = story.server(server).await;
    assert_eq!(row.state.status(), "ERROR");
    assert_eq!(row.fault.unwrap().message, "It did not work.");
}

async fn a_start_that_failed_is_not_done_later(mut story: Story) {
    let server = story.running("vm1").await;
    let a = story.a.clone();
    story.ask(server, Request::Stop).await.unwrap();
    story.report(server, &a, Power::Shutdown).await;
    story.ask(server, Request::Start).await.unwrap();
    assert_eq!(story.server(server).await.desired, Desired::Running);
    story.fail(server, &a, FaultCode::MachineDidNotStart).await;
    let row = story.server(server).await;
    assert_eq!(
        (row.state.status(), row.desired),
        ("ERROR", Desired::Stopped)
    );
}

async fn a_command_that_grew_old_is_sent_again_soon(mut story: Story) {
    let server = story.running("vm1").await;
    let a = story.a.clone();
    story.ask(server, Request::Stop).await.unwrap();
    story.fail(server, &a, FaultCode::DeadlinePassed).await;
    assert!(story.server(server).await.state.task.is_some());
    let stop = story.operations(server).await.remove(1);
    assert_eq!(stop.step, Step::OnHost);
    assert_eq!(stop.fault.unwrap().code, FaultCode::DeadlinePassed);
    let soon = Timestamp::now().after(std::time::Duration::from_secs(3));
    assert!(stop.wake_at < soon, "it is sent again long after");
}
