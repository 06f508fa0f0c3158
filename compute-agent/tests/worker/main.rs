//! The worker's binary on a real broker: hosts in memory, and real machines that outlive it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod bench;
mod boot_sector;

use std::time::Duration;

use bench::{Bench, PATIENCE, name, serve, wish};
use boot_sector::Guest;
use skybus_compute::qemu::{files::Files, process::Process, qmp::Monitor};
use skybus_model::{
    FaultCode, Generation, HostName,
    id::{NetworkId, PortId},
    message::{
        Service,
        call::{ConsoleAnswer, ConsoleTail},
        event::ComputeInventory,
        heartbeat::HostBeat,
    },
    server::{Desired, Nic, Power, Restart, spec},
};
use skybus_sys::{namespace, tap};
use tokio::{sync::mpsc::unbounded_channel, time::timeout};

#[tokio::test(flavor = "multi_thread")]
async fn one_process_plays_several_hosts_and_resumes_after_a_kill() {
    let hosts: Vec<HostName> = (1..=3)
        .map(|n| format!("node-{n}").parse().unwrap())
        .collect();
    let more = "virt_type = 'fake'\nfake_hosts = 3";
    let mut bench = Bench::new(&hosts, more, "http://127.0.0.1:1").await;
    let scheduler = bench
        .broker
        .bus(Service::Scheduler, "s-1", &bench.token)
        .await
        .unwrap();
    let (heard, mut beats) = unbounded_channel();
    let listen = tokio::spawn(async move {
        let handler = |delivery: skybus_bus::Delivery| {
            let _ = heard.send(delivery.decode::<HostBeat>().unwrap());
            async { skybus_bus::Verdict::Ack }
        };
        scheduler
            .consume(skybus_bus::Subscription::beats("s-1"), handler)
            .await
    });
    let worker = bench.start();
    let beat = timeout(PATIENCE, beats.recv()).await.unwrap().unwrap();
    assert!(hosts.contains(&beat.host) && beat.hypervisor == "fake" && beat.capacity.vcpus > 0);

    let boot = wish("vm", b"x");
    bench.ensure(&hosts[1], &boot).await;
    let report = bench.report(Power::Running).await;
    assert_eq!(
        (report.host.clone(), report.operation),
        (hosts[1].clone(), boot.operation)
    );
    let tail = ConsoleTail {
        server: boot.spec.id,
        lines: Some(1),
    };
    let answer = bench
        .api
        .call(&hosts[1], &tail, Duration::from_secs(10))
        .await
        .unwrap();
    assert!(matches!(answer, ConsoleAnswer::Text(text) if text.contains("is up")));
    let answer = bench
        .api
        .call(&hosts[0], &tail, Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(answer, ConsoleAnswer::NoSuchServer);

    // Killed while it builds: accepted, not yet done, and not redelivered by the broker.
    let slow = wish("fake-slow", b"x");
    bench.ensure(&hosts[2], &slow).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    worker.kill().await;
    let _worker = bench.start();
    let mut servers = [
        bench.report(Power::Running).await,
        bench.report(Power::Running).await,
    ];
    servers.sort_by_key(|report| report.host.clone());
    assert_eq!(
        servers[0].server, boot.spec.id,
        "the fake host came back with its server"
    );
    assert_eq!(
        (servers[1].server, servers[1].operation),
        (slow.spec.id, slow.operation)
    );
    assert!(servers.iter().all(|later| later.order > report.order));
    // A broker that comes back is told of everything.
    bench.broker.kill().await.unwrap();
    bench.broker.restart().await.unwrap();
    loop {
        let inventory: ComputeInventory = bench.event("host.inventory").await.decode().unwrap();
        if inventory.host == hosts[1] && inventory.order > servers[0].order {
            assert_eq!(inventory.servers[0].server, boot.spec.id);
            break;
        }
    }
    listen.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_guest_outlives_its_worker_and_what_it_did_is_told() {
    let image = boot_sector::disk(Guest::Obeys);
    let url = serve(image.clone()).await;
    let host = name();
    let mut bench = Bench::new(std::slice::from_ref(&host), "virt_type = 'tcg'", &url).await;
    let worker = bench.start();
    let mut boot = wish("guest", &image);
    boot.spec.config_drive = Some("/internal/config-drive/x".to_owned());
    bench.ensure(&host, &boot).await;
    let report = bench.report(Power::Running).await;
    let hops: Vec<&str> = report.hops.iter().map(|hop| hop.what.as_str()).collect();
    assert_eq!(
        hops,
        [
            "image ready",
            "disk ready",
            "config drive ready",
            "qemu started",
            "qemu answers",
        ]
    );
    let files = Files::of(&bench.data_dir(), boot.spec.id);
    let guest = || Process::find(boot.spec.id, &files).unwrap();
    assert_eq!(guest().unwrap().generation(), Generation(1));

    // A restart is one restart, however often it is asked for.
    let mut reboot = boot.clone();
    (reboot.generation, reboot.restart) = (Generation(2), Some(Restart::Hard));
    bench.ensure(&host, &reboot).await;
    bench.report(Power::Running).await;
    assert_eq!(guest().unwrap().generation(), Generation(2));

    // The guest goes on without its worker, and powers itself off meanwhile.
    worker.kill().await;
    let socket = files.monitor();
    let (monitor, mut events) = Monitor::connect(&socket, PATIENCE).await.unwrap();
    let mut is_off = false;
    while !is_off {
        monitor
            .execute("system_powerdown", serde_json::json!({}))
            .await
            .unwrap();
        let patience = Duration::from_millis(100);
        while let Ok(Some(event)) = timeout(patience, events.recv()).await {
            is_off |= event.name == "SHUTDOWN";
        }
    }
    drop((monitor, events));
    let worker = bench.start();
    let report = bench.report(Power::Shutdown).await;
    assert_eq!((report.operation, report.fault), (None, None));

    // Started again, killed from outside: a crash, told with its worker there and without.
    let mut start = boot.clone();
    start.generation = Generation(3);
    bench.ensure(&host, &start).await;
    bench.report(Power::Running).await;
    guest().unwrap().kill();
    let crash = bench.report(Power::Crashed).await;
    assert_eq!(crash.fault.unwrap().code, FaultCode::MachineCrashed);
    start.generation = Generation(4);
    bench.ensure(&host, &start).await;
    bench.report(Power::Running).await;
    worker.kill().await;
    guest().unwrap().kill();
    let worker = bench.start();
    bench.report(Power::Crashed).await;

    // Taken down in good order, it is up again with the next worker.
    start.generation = Generation(5);
    bench.ensure(&host, &start).await;
    bench.report(Power::Running).await;
    worker.kill().await;
    bench.teardown().await;
    assert!(guest().is_none());
    let _worker = bench.start();
    let report = bench.report(Power::Running).await;
    assert_eq!((report.generation, report.operation), (Generation(5), None));

    bench.remove(&host, boot.spec.id, 6).await;
    bench.report(Power::Absent).await;
    assert!(guest().is_none() && !files.directory().exists());
}

/// How long the broker lets a message be kept without acknowledging it.
const UNACKNOWLEDGED: Duration = Duration::from_secs(3);
/// Commands, and calls for the console.
const QUEUES: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_its_tap_on_the_host_and_a_stop_in_order_ends_the_guest() {
    let image = boot_sector::disk(Guest::Obeys);
    let url = serve(image.clone()).await;
    let host = name();
    let mut bench = Bench::new(std::slice::from_ref(&host), "virt_type = 'tcg'", &url).await;
    bench.cut_off_after(UNACKNOWLEDGED).await;
    let _worker = bench.start();
    let (network, port) = (NetworkId::random(), PortId::random());
    let mut boot = wish("guest", &image);
    let address = [10, 1, 0, 2].into();
    boot.spec.nics.push(Nic {
        port,
        network,
        mac: "fa:16:3e:00:00:01".to_owned(),
        address,
        place: None,
    });
    bench.ensure(&host, &boot).await;
    let files = Files::of(&bench.data_dir(), boot.spec.id);
    while !files.disk().exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The command is worked on for much longer than a message may be kept, and its consumer is not cut off.
    tokio::time::sleep(UNACKNOWLEDGED * 4).await;
    let sessions = bench.sessions();
    let space = spec::namespace(network);
    namespace::make(&space).unwrap();
    tap::make(&space, &spec::tap(port), None).unwrap();
    let report = bench.report(Power::Running).await;
    assert!(
        report.hops.iter().any(|hop| hop.what == "tap seen"),
        "{report:?}"
    );

    boot.generation = Generation(2);
    boot.desired = Desired::Stopped;
    bench.ensure(&host, &boot).await;
    bench.report(Power::Shutdown).await;
    assert!(Process::find(boot.spec.id, &files).unwrap().is_none());
    bench.remove(&host, boot.spec.id, 3).await;
    bench.report(Power::Absent).await;
    assert_eq!(bench.sessions(), sessions);
    assert_eq!(sessions, QUEUES, "it was cut off");
    namespace::delete(&space).unwrap();
}
