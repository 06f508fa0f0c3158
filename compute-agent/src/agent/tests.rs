//! The worker without a broker: commands go in through the journal, reports come out, and hosts are
//! fakes that outlive a killed worker or are lost with it, as the test wants.

mod bench;
mod interfaces;

use skybus_model::{
    FaultCode, Generation,
    id::ServerId,
    message::Context,
    server::{Desired, Power, Restart},
};
use tokio::{runtime::Runtime, sync::mpsc::unbounded_channel};

use super::*;
use crate::driver::{Hops, Seen};
use bench::{Bench, fake, host, next, place, wish, words};

#[tokio::test]
async fn a_server_boots_stops_starts_and_goes_with_one_report_each() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let boot = wish("vm", 1, Desired::Running);
    bench.ensure(&boot).await;
    let reports = bench.settle().await;
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].operation, boot.operation);
    assert_eq!(
        (reports[0].power, reports[0].generation),
        (Power::Running, Generation(1))
    );
    assert_eq!(
        words(&reports[0]),
        ["image ready", "disk ready", "qemu started"],
        "nobody took it up again"
    );

    let stop = next(&boot, Desired::Stopped, None);
    bench.ensure(&stop).await;
    assert_eq!(bench.settle().await[0].power, Power::Shutdown);
    let start = next(&stop, Desired::Running, None);
    bench.ensure(&start).await;
    let started = bench.settle().await;
    assert_eq!(started[0].power, Power::Running);
    assert!(started[0].order > reports[0].order);

    bench.remove(boot.spec.id, 4).await;
    let removed = bench.settle().await;
    assert_eq!(
        (removed[0].power, removed[0].generation),
        (Power::Absent, Generation(4))
    );
    assert!(bench.inventory().await.servers.is_empty());
}

#[tokio::test]
async fn what_was_applied_is_answered_again_and_not_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let boot = wish("vm", 1, Desired::Running);
    bench.ensure(&boot).await;
    let first = bench.settle().await.remove(0);
    bench.ensure(&boot).await;
    let second = bench.settle().await.remove(0);
    assert_eq!(
        (&second.hops, second.operation),
        (&first.hops, first.operation)
    );
    assert!(second.order > first.order);

    let reboot = next(&boot, Desired::Running, Some(Restart::Hard));
    for _ in 0..3 {
        bench.ensure(&reboot).await;
        assert_eq!(bench.settle().await[0].power, Power::Running);
    }
    assert_eq!(bench.starts(&place(&boot)).await, 2);

    // An older wish that comes late is told how things are.
    bench.ensure(&boot).await;
    assert_eq!(bench.settle().await[0].generation, reboot.generation);
    assert_eq!(bench.starts(&place(&boot)).await, 2);
}

#[tokio::test]
async fn after_its_deadline_a_command_is_answered_and_not_carried_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let mut boot = wish("vm", 1, Desired::Running);
    boot.deadline = Timestamp(1);
    bench.ensure(&boot).await;
    let report = bench.settle().await.remove(0);
    assert_eq!(report.fault.unwrap().code, FaultCode::DeadlinePassed);
    assert_eq!(
        (report.power, report.operation),
        (Power::Absent, boot.operation)
    );
    assert_eq!(bench.driver.list(&host()).await, []);

    boot.deadline = Timestamp::now().after(Duration::from_secs(60));
    bench.ensure(&boot).await;
    assert_eq!(
        bench.settle().await[0].power,
        Power::Running,
        "with more time it may be sent again"
    );
}

#[tokio::test]
async fn a_build_that_runs_into_its_deadline_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let mut boot = wish("fake-never", 1, Desired::Running);
    boot.deadline = Timestamp::now().after(Duration::from_millis(200));
    bench.ensure(&boot).await;
    let report = bench.settle().await.remove(0);
    assert_eq!(report.fault.unwrap().code, FaultCode::DeadlinePassed);
    assert_eq!(report.power, Power::Absent);
    assert_eq!(bench.driver.list(&host()).await, []);
}

#[tokio::test]
async fn a_removal_interrupts_a_build_and_has_the_last_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let boot = wish("fake-never", 1, Desired::Running);
    bench.ensure(&boot).await;
    bench.until_busy().await;
    bench.remove(boot.spec.id, 2).await;
    let reports = bench.settle().await;
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].power, Power::Absent);
    assert_eq!(bench.driver.list(&host()).await, []);

    // The boot's command, delivered once more as another message, brings nothing back.
    bench.ensure(&boot).await;
    assert_eq!(bench.settle().await[0].power, Power::Absent);
    assert_eq!(bench.driver.list(&host()).await, []);
}

#[tokio::test]
async fn a_boot_that_fails_says_why_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let boot = wish("fake-fail", 1, Desired::Running);
    bench.ensure(&boot).await;
    let report = bench.settle().await.remove(0);
    assert_eq!(
        report.fault.as_ref().unwrap().code,
        FaultCode::MachineDidNotStart
    );
    assert_eq!(report.power, Power::Absent);
    assert_eq!(bench.driver.list(&host()).await, []);
    assert!(bench.inventory().await.servers.is_empty());
    bench.ensure(&boot).await;
    assert_eq!(
        bench.settle().await[0].fault,
        report.fault,
        "the same answer again"
    );
}

#[tokio::test]
async fn a_guest_that_powers_itself_off_is_shut_down_and_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let boot = wish("fake-off", 1, Desired::Running);
    bench.ensure(&boot).await;
    let reports = bench.settle().await;
    let powers: Vec<Power> = reports.iter().map(|report| report.power).collect();
    assert_eq!(powers, [Power::Running, Power::Shutdown]);
    assert_eq!(
        (reports[1].operation, reports[1].fault.clone()),
        (None, None)
    );
    assert_eq!(
        bench.driver.look(&place(&boot)).await,
        Seen::Off,
        "its process was ended"
    );
    bench.agent.look(place(&boot));
    assert!(bench.settle().await.is_empty(), "it is told once");
}

#[tokio::test]
async fn a_crash_is_reported_once_with_its_reason_and_not_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let boot = wish("fake-crash", 1, Desired::Running);
    bench.ensure(&boot).await;
    let reports = bench.settle().await;
    assert_eq!(reports[1].power, Power::Crashed);
    let fault = reports[1].fault.as_ref().unwrap();
    assert_eq!(fault.code, FaultCode::MachineCrashed);
    assert!(fault.details.contains("told to crash"));
    bench.agent.look(place(&boot));
    assert!(bench.settle().await.is_empty());
}

#[tokio::test]
async fn a_guest_held_for_want_of_space_is_reported_and_goes_on_when_there_is_some() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let boot = wish("vm", 1, Desired::Running);
    bench.ensure(&boot).await;
    bench.settle().await;
    let full = skybus_model::Fault::new(FaultCode::DiskFull, "full");
    bench
        .driver
        .befall(&place(&boot), Seen::Paused(Some(full.clone())));
    let reports = bench.settle().await;
    assert_eq!(
        (reports[0].power, reports[0].fault.clone()),
        (Power::Paused, Some(full))
    );
    // The fake host has space, so it was let go on; the next look tells.
    bench.agent.look_at_all().await.unwrap();
    assert_eq!(bench.settle().await[0].power, Power::Running);
}

/// The first worker is a runtime that is torn down in the middle of a build.
#[test]
fn a_killed_workers_half_done_work_is_finished_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let (driver, changes) = fake();
    let boot = wish("fake-slow", 1, Desired::Running);
    let first = Runtime::new().unwrap();
    let epoch = first.block_on(async {
        let bench = Bench::with(dir.path(), driver.clone(), changes).await;
        bench.ensure(&boot).await;
        bench.until_busy().await;
        bench.journal.epoch()
    });
    first.shutdown_background();
    Runtime::new().unwrap().block_on(async {
        let (_, changes) = unbounded_channel();
        let mut bench = Bench::with(dir.path(), driver, changes).await;
        let reports = bench.settle().await;
        assert_eq!(reports.len(), 1);
        assert_eq!(
            (reports[0].power, reports[0].operation),
            (Power::Running, boot.operation)
        );
        assert!(reports[0].order.epoch > epoch);
        let hops: Vec<&str> = reports[0]
            .hops
            .iter()
            .map(|hop| hop.what.as_str())
            .collect();
        assert_eq!(hops[0], "taken up again");
        assert_eq!(bench.starts(&place(&boot)).await, 1);
    });
}

#[tokio::test]
async fn after_its_hosts_restart_what_should_run_runs_and_what_was_off_is_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let (up, off, own) = (
        wish("up", 1, Desired::Running),
        wish("off", 1, Desired::Stopped),
        wish("fake-off", 1, Desired::Running),
    );
    for ensure in [&up, &off, &own] {
        bench.ensure(ensure).await;
    }
    bench.settle().await;

    let mut bench = Bench::new(dir.path()).await;
    let reports = bench.settle().await;
    assert_eq!(reports.len(), 1, "only the one that runs again is news");
    assert_eq!(
        (reports[0].server, reports[0].power),
        (up.spec.id, Power::Running)
    );
    assert_eq!(bench.driver.list(&host()).await, [up.spec.id]);
    let facts = bench.inventory().await.servers;
    assert_eq!(facts.len(), 3);
    for fact in facts {
        let power = if fact.server == up.spec.id {
            Power::Running
        } else {
            Power::Shutdown
        };
        assert_eq!(
            (fact.power, fact.generation, fact.busy),
            (power, Generation(1), false)
        );
    }
}

#[tokio::test]
async fn a_guest_that_nobody_knows_is_reported_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let stranger = wish("stranger", 1, Desired::Running);
    let place = place(&stranger);
    let hops = Hops::on(&host());
    bench
        .driver
        .build(&place, &stranger.spec, &hops)
        .await
        .unwrap();
    bench
        .driver
        .start(&place, &stranger.spec, Generation(9), &hops)
        .await
        .unwrap();
    bench.agent.look(place.clone());
    assert!(bench.settle().await.is_empty());
    let facts = bench.inventory().await.servers;
    assert_eq!(
        (facts[0].server, facts[0].generation),
        (place.server, Generation(0))
    );
    assert_eq!(facts[0].power, Power::Running);
    bench.remove(place.server, 0).await;
    assert_eq!(bench.settle().await[0].power, Power::Absent);
    assert_eq!(bench.driver.list(&host()).await, []);
}

/// The inventory shows what was fulfilled, and a removal counts against what was begun.
#[tokio::test]
async fn a_removal_that_is_too_old_is_answered_with_what_it_must_outweigh() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let boot = wish("vm", 1, Desired::Running);
    bench.ensure(&boot).await;
    bench.settle().await;
    let mut fails = next(&boot, Desired::Running, Some(Restart::Hard));
    fails.generation = Generation(5);
    fails.spec.name = "fake-fail".to_owned();
    bench.ensure(&fails).await;
    assert!(bench.settle().await[0].fault.is_some());
    let shown = bench.inventory().await.servers[0].generation;
    assert_eq!(shown, Generation(1));

    bench.remove(boot.spec.id, shown.next().0).await;
    let refusal = bench.settle().await.remove(0);
    assert_eq!(refusal.generation, Generation(5));
    assert_ne!(refusal.power, Power::Absent);
    bench
        .remove(boot.spec.id, refusal.generation.next().0)
        .await;
    assert_eq!(bench.settle().await[0].power, Power::Absent);
    assert!(bench.inventory().await.servers.is_empty());
}

#[tokio::test]
async fn a_server_whose_record_was_lost_is_taken_over_and_not_removed_when_something_fails() {
    let dir = tempfile::tempdir().unwrap();
    let boot = wish("fake-fail", 3, Desired::Running);
    let mut bench = Bench::new(dir.path()).await;
    bench
        .driver
        .build(&place(&boot), &boot.spec, &Hops::on(&host()))
        .await
        .unwrap();
    bench.ensure(&boot).await;
    let report = bench.settle().await.remove(0);
    assert_eq!(report.fault.unwrap().code, FaultCode::MachineDidNotStart);
    assert_eq!(
        bench.driver.list(&host()).await,
        [boot.spec.id],
        "its disk was lost"
    );
}

#[tokio::test]
async fn a_newer_wish_overtakes_the_one_that_is_being_worked_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let boot = wish("fake-slow", 1, Desired::Running);
    bench.ensure(&boot).await;
    bench.until_busy().await;
    let stop = next(&boot, Desired::Stopped, None);
    bench.ensure(&stop).await;
    let reports = bench.settle().await;
    assert_eq!(reports.len(), 1);
    assert_eq!(
        (reports[0].generation, reports[0].power),
        (Generation(2), Power::Shutdown)
    );
}

#[tokio::test]
async fn three_hundred_servers_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    for n in 0..300 {
        bench
            .ensure(&wish(&format!("vm-{n}"), 1, Desired::Running))
            .await;
    }
    let reports = bench.settle().await;
    assert_eq!(reports.len(), 300);
    let mut orders: Vec<_> = reports.iter().map(|report| report.order).collect();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), 300, "no two reports have the same order");
    assert_eq!(bench.inventory().await.servers.len(), 300);
}

#[test]
fn what_is_no_command_to_a_host_of_ours_is_refused() {
    let remove = ServerRemove {
        operation: None,
        server: ServerId::random(),
        generation: Generation(1),
    };
    let mut delivery = Delivery::of(&Outgoing::to_host(&host(), &remove, &Context::begin()));
    read(&delivery).unwrap();
    delivery.kind = "server.remove/99".to_owned();
    assert!(matches!(read(&delivery), Err(NotForUs::Unreadable(_))));
    delivery.kind = "server.praise/1".to_owned();
    assert!(matches!(read(&delivery), Err(NotForUs::Unknown(_))));
    delivery.routing_key = "compute".to_owned();
    assert!(matches!(read(&delivery), Err(NotForUs::NoHost(_))));
}
