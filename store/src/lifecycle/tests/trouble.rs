//! What goes wrong ends in a state with a reason, and never in a second machine.

use skybus_model::{
    FaultCode, Generation, Timestamp,
    id::OperationId,
    message::Context,
    message::event::{ComputeInventory, ServerFact},
    operation::{OperationKind, Step},
    server::{Power, Request},
};

use super::{Story, keys, on_both};
use crate::lifecycle::{
    absence, inventory,
    overdue::{self, Done},
    reported::Outcome,
};
use crate::operations;

on_both! {
    a_host_that_fails_a_build_is_not_asked_twice
    an_image_that_is_broken_is_not_tried_elsewhere
    a_host_that_dies_in_a_build
    nobody_is_dead_while_nobody_listens
    a_host_whose_clock_is_wrong_loses_the_boot
    a_stop_that_failed_is_not_done_later
    a_database_that_forgot_catches_up
    what_came_about_by_another_way_is_not_failed
    repeated_and_reordered_reports
    another_hosts_word_is_not_taken
    a_silent_scheduler_is_asked_again_and_then_the_boot_fails
    a_host_that_lost_its_journal
    a_guest_of_nobody
    what_a_wrong_clock_put_off_is_looked_after
    a_deadline_that_a_wrong_clock_gave_goes_when_the_clock_is_right
}

async fn look_after(
    story: &Story,
    id: OperationId,
    change: impl Fn(&mut operations::Operation),
) -> Done {
    let mut tx = story.cloud.store.begin().await.unwrap();
    let mut operation = operations::load(&mut tx, id).await.unwrap();
    operation.wake_at = Timestamp(0);
    change(&mut operation);
    operations::save(&mut tx, &operation).await.unwrap();
    let done = overdue::look_after(&mut tx, &operation, story.cloud.caretaker())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    done
}

async fn a_host_that_fails_a_build_is_not_asked_twice(mut story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    let (a, b) = (story.a.clone(), story.b.clone());
    story.place(server, operation, &a).await;
    story.fail(server, &a, FaultCode::MachineDidNotStart).await;
    let row = story.server(server).await;
    assert_eq!((row.state.status(), row.host), ("BUILD", None));
    assert_eq!(story.claimed(&a).await, (0, 0));
    let boot = story.operations(server).await.remove(0);
    assert_eq!(
        (boot.step, boot.tried.as_slice()),
        (Step::Placing, [a.clone()].as_slice())
    );
    story.place(server, operation, &b).await;
    story.report(server, &b, Power::Running).await;
    assert_eq!(story.server(server).await.state.status(), "ACTIVE");
}

async fn an_image_that_is_broken_is_not_tried_elsewhere(mut story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    let a = story.a.clone();
    story.place(server, operation, &a).await;
    story.fail(server, &a, FaultCode::ImageUnusable).await;
    let row = story.server(server).await;
    assert_eq!(row.state.status(), "ERROR");
    assert_eq!(row.fault.unwrap().code, FaultCode::ImageUnusable);
    assert_eq!(story.operations(server).await[0].step, Step::Failed);
}

async fn a_host_that_dies_in_a_build(mut story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    let (a, b) = (story.a.clone(), story.b.clone());
    story.place(server, operation, &a).await;
    let late = story.server_report(server, &a, Power::Running).await;
    story.cloud.silence(&a).await;
    assert_eq!(
        look_after(&story, operation, |_| ()).await,
        Done::PlacedAgain
    );
    story.place(server, operation, &b).await;
    // It was only cut off, and reports its own machine now: it has no say, and is told to remove it.
    assert_eq!(story.send(&late).await, Outcome::NotTheirs);
    assert_eq!(story.server(server).await.state.status(), "BUILD");
    story.report(server, &b, Power::Running).await;
    assert_eq!(story.server(server).await.host.unwrap(), b);
}

async fn repeated_and_reordered_reports(mut story: Story) {
    let server = story.running("vm1").await;
    let a = story.a.clone();
    let older = story.server_report(server, &a, Power::Crashed).await;
    let newer = story.server_report(server, &a, Power::Running).await;
    assert_eq!(story.send(&newer).await, Outcome::Recorded);
    assert_eq!(story.send(&older).await, Outcome::Old);
    assert_eq!(story.send(&newer).await, Outcome::Old);
    assert_eq!(story.server(server).await.state.status(), "ACTIVE");
    // A report about an older wish changes nothing.
    let mut stale = story.server_report(server, &a, Power::Shutdown).await;
    story.ask(server, Request::Stop).await.unwrap();
    stale.generation = Generation(1);
    assert_eq!(story.send(&stale).await, Outcome::Old);
    assert!(story.server(server).await.state.task.is_some());
}

async fn another_hosts_word_is_not_taken(mut story: Story) {
    let server = story.running("vm1").await;
    let b = story.b.clone();
    assert_eq!(
        story.report(server, &b, Power::Absent).await,
        Outcome::NotTheirs
    );
    assert_eq!(story.server(server).await.state.status(), "ACTIVE");
}

async fn a_silent_scheduler_is_asked_again_and_then_the_boot_fails(story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    assert_eq!(look_after(&story, operation, |_| ()).await, Done::SentAgain);
    let done = look_after(&story, operation, |boot| boot.deadline = Timestamp(0)).await;
    assert_eq!(done, Done::Ended);
    let row = story.server(server).await;
    assert_eq!(row.state.status(), "ERROR");
    let fault = row.fault.unwrap();
    assert_eq!(fault.code, FaultCode::DeadlinePassed);
    assert!(fault.message.contains("no scheduler answered"), "{fault}");
}

fn inventory_of(story: &Story, servers: Vec<ServerFact>) -> ComputeInventory {
    let order = skybus_model::Order { epoch: 2, seq: 1 };
    ComputeInventory {
        host: story.a.clone(),
        order,
        servers,
    }
}

async fn a_host_that_lost_its_journal(mut story: Story) {
    let server = story.running("vm1").await;
    let empty = inventory_of(&story, Vec::new());
    assert_eq!(
        inventory::suspects(&story.cloud.store, &empty)
            .await
            .unwrap(),
        [server]
    );
    let mut tx = story.cloud.store.begin().await.unwrap();
    let with = (&story.cloud.key, &Context::begin());
    let repairs = inventory::server(&mut tx, server, &empty, with)
        .await
        .unwrap();
    assert_eq!(repairs.ensured, 1);
    assert_eq!(
        keys(&tx.commit().await.unwrap()),
        ["compute.a.server.ensure"]
    );
}

async fn a_guest_of_nobody(mut story: Story) {
    let server = story.running("vm1").await;
    let a = story.a.clone();
    story.ask(server, Request::Delete).await.unwrap();
    story.report(server, &a, Power::Absent).await;
    let fact = |server| ServerFact {
        server,
        generation: Generation(1),
        power: Power::Running,
        busy: false,
    };
    let stranger = skybus_model::id::ServerId::random();
    let found = inventory_of(&story, vec![fact(server), fact(stranger)]);
    let context = Context::begin();
    let mut tx = story.cloud.store.begin().await.unwrap();
    let with = (&story.cloud.key, &context);
    assert_eq!(
        inventory::server(&mut tx, server, &found, with)
            .await
            .unwrap()
            .removed,
        1
    );
    assert_eq!(
        inventory::server(&mut tx, stranger, &found, with)
            .await
            .unwrap()
            .orphans,
        1
    );
    assert_eq!(
        keys(&tx.commit().await.unwrap()),
        ["compute.a.server.remove"]
    );
    assert_eq!(
        story.operations(server).await[1].kind,
        OperationKind::Delete
    );
}

async fn nobody_is_dead_while_nobody_listens(mut story: Story) {
    let (booting, operation) = story.cloud.boot("vm1").await;
    let a = story.a.clone();
    story.place(booting, operation, &a).await;
    let leaving = story.running("vm2").await;
    story.ask(leaving, Request::Delete).await.unwrap();
    let delete = story.operations(leaving).await[1].id;
    let mut tx = story.cloud.store.begin().await.unwrap();
    sqlx::query("UPDATE services SET last_seen = 0")
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    // All schedulers were down: the host is told again, and nothing is taken away from it.
    assert_eq!(look_after(&story, operation, |_| ()).await, Done::SentAgain);
    assert_eq!(look_after(&story, delete, |_| ()).await, Done::SentAgain);
    assert_eq!(story.server(booting).await.host, Some(a));
    assert_eq!(story.server(leaving).await.state.status(), "ACTIVE");
}

async fn a_host_whose_clock_is_wrong_loses_the_boot(mut story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    let a = story.a.clone();
    story.place(server, operation, &a).await;
    story.fail(server, &a, FaultCode::DeadlinePassed).await;
    assert_eq!(
        story.server(server).await.host,
        Some(a.clone()),
        "one is old"
    );
    story.fail(server, &a, FaultCode::DeadlinePassed).await;
    assert_eq!(story.server(server).await.host, None);
    assert_eq!(story.operations(server).await[0].tried, [a]);
}

async fn a_stop_that_failed_is_not_done_later(mut story: Story) {
    let server = story.running("vm1").await;
    let a = story.a.clone();
    story.ask(server, Request::Stop).await.unwrap();
    story.fail(server, &a, FaultCode::Internal).await;
    let row = story.server(server).await;
    assert_eq!(row.state.status(), "ERROR");
    assert_eq!(row.desired, skybus_model::server::Desired::Running);
}

async fn a_database_that_forgot_catches_up(mut story: Story) {
    let server = story.running("vm1").await;
    let a = story.a.clone();
    story.ask(server, Request::Delete).await.unwrap();
    let delete = story.operations(server).await[1].id;
    // The host remembers seven changes where the restored database remembers two.
    let mut report = story.server_report(server, &a, Power::Running).await;
    report.generation = Generation(7);
    assert_eq!(story.send(&report).await, Outcome::Recorded);
    assert_eq!(story.server(server).await.generation, Generation(8));
    assert_eq!(
        look_after(&story, delete, |_| ()).await,
        Done::SentAgain,
        "the wish is sent at a generation that counts"
    );
    story.report(server, &a, Power::Absent).await;
    assert_eq!(story.server(server).await.state.status(), "DELETED");
}

async fn what_came_about_by_another_way_is_not_failed(mut story: Story) {
    let server = story.running("vm1").await;
    let a = story.a.clone();
    story.ask(server, Request::Stop).await.unwrap();
    // The database was restored from a backup; the host, which remembers more, says that it is off.
    let mut report = story.server_report(server, &a, Power::Shutdown).await;
    report.generation = Generation(7);
    story.send(&report).await;
    assert_eq!(story.server(server).await.state.status(), "SHUTOFF");
    let stop = story.operations(server).await[1].id;
    let done = look_after(&story, stop, |stop| stop.deadline = Timestamp(0)).await;
    assert_eq!(done, Done::Ended);
    assert_eq!(story.operations(server).await[1].step, Step::Done);
    let row = story.server(server).await;
    assert_eq!((row.state.status(), row.fault), ("SHUTOFF", None));
}

async fn what_a_wrong_clock_put_off_is_looked_after(story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    let a = story.a.clone();
    story.place(server, operation, &a).await;
    let now = Timestamp::now();
    let put_off = |by: u64| {
        let until = now.after(std::time::Duration::from_secs(by));
        look_after(&story, operation, move |operation| {
            operation.wake_at = until;
        })
    };
    assert_eq!(put_off(60).await, Done::Nothing, "somebody has just looked");
    assert_eq!(put_off(3600).await, Done::SentAgain);

    let mut tx = story.cloud.store.begin().await.unwrap();
    let mut row = operations::load(&mut tx, operation).await.unwrap();
    row.wake_at = now.after(std::time::Duration::from_secs(3600));
    operations::save(&mut tx, &row).await.unwrap();
    tx.commit().await.unwrap();
    let due = operations::due(&story.cloud.store, now, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    // A clock that was just set costs the time in which hosts are heard out, and no more.
    absence::clock_was_set(&story.cloud.store, std::time::Duration::ZERO, now)
        .await
        .unwrap();
    let due = operations::due(&story.cloud.store, now, 10).await.unwrap();
    assert!(due.is_empty());
    let row = story.operations(server).await.remove(0);
    assert!(row.wake_at.since(now) < std::time::Duration::from_secs(600));
}

/// The clock was a year ahead for a while, was forgiven that, and was set back.
async fn a_deadline_that_a_wrong_clock_gave_goes_when_the_clock_is_right(story: Story) {
    let (server, operation) = story.cloud.boot("vm1").await;
    let a = story.a.clone();
    story.place(server, operation, &a).await;
    let year = std::time::Duration::from_secs(365 * 24 * 3600);
    let wrong = Timestamp::now().after(year);
    absence::clock_was_set(&story.cloud.store, year, wrong)
        .await
        .unwrap();
    let due = operations::due(&story.cloud.store, Timestamp::now(), 10)
        .await
        .unwrap();
    assert!(due[0].deadline > wrong);
    let done = look_after(&story, operation, |_| {}).await;
    assert_eq!(done, Done::SentAgain);
    let row = story.operations(server).await.remove(0);
    assert!(row.deadline <= Timestamp::now().after(row.kind.deadline()));
    // From then on it stands.
    look_after(&story, operation, |_| {}).await;
    assert_eq!(
        story.operations(server).await.remove(0).deadline,
        row.deadline
    );
}
