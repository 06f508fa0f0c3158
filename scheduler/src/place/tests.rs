//! Placing against a real database: who gets the room, and what is said when there is none.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use skybus_bus::{Bus, Delivery, Settings, Verdict, relay::Relay};
use skybus_model::{
    HostName, Timestamp,
    host::Resources,
    id::{OperationId, ServerId},
    message::{Context, Outgoing, Service, command::ServerPlace},
    operation::Step,
    segment::{Carries, SegmentKind},
};
use skybus_store::{
    hosts::{self, Ratios},
    operations, servers, services,
    testing::{TestCloud, TestStore},
};
use tokio_util::sync::CancellationToken;

use super::Placer;
use crate::{config::Placement, fleet::Fleet, registry};

const TWO_SMALL: Resources = Resources {
    vcpus: 2,
    ram_mib: 600,
    disk_gib: 4,
};

/// A scheduler over the cloud's database. Its broker is away, so what it sends stays in the outbox.
async fn scheduler(cloud: &TestCloud) -> Placer {
    let fleet = Arc::new(Fleet::default());
    registry::refresh(&cloud.store, &fleet).await.unwrap();
    let settings = Settings {
        url: "amqp://nobody:nothing@127.0.0.1:1/none".to_owned(),
        service: Service::Scheduler,
        instance: "scheduler-1".to_owned(),
    };
    let token = CancellationToken::new();
    token.cancel();
    let bus = Bus::connect(settings, token);
    Placer {
        store: cloud.store.clone(),
        fleet,
        relay: Relay::new(bus, Arc::new(cloud.store.clone())),
        key: cloud.key.clone(),
        ratios: Ratios {
            vcpus: 1000,
            ram: 1000,
            disk: 1000,
        },
        placement: Placement::Spread,
    }
}

fn place(server: ServerId, operation: OperationId) -> Delivery {
    Delivery::of(&Outgoing::to_any(
        &ServerPlace { operation, server },
        &Context::begin(),
    ))
}

async fn host_of(cloud: &TestCloud, server: ServerId) -> Option<HostName> {
    servers::get(&cloud.store, server).await.unwrap().host
}

#[tokio::test]
async fn servers_are_spread_until_all_hosts_are_full_and_then_the_reason_is_told() {
    let test = TestStore::sqlite().await;
    let cloud = TestCloud::new(test.store.clone()).await;
    cloud.host("a", TWO_SMALL).await;
    cloud.host("b", TWO_SMALL).await;
    let placer = scheduler(&cloud).await;
    let mut taken = Vec::new();
    for n in 0..4 {
        let (server, operation) = cloud.boot(&format!("vm{n}")).await;
        assert_eq!(placer.handle(place(server, operation)).await, Verdict::Ack);
        taken.push(host_of(&cloud, server).await.unwrap().to_string());
    }
    taken.sort();
    assert_eq!(taken, ["a", "a", "b", "b"]);

    let (server, operation) = cloud.boot("one too many").await;
    assert_eq!(placer.handle(place(server, operation)).await, Verdict::Ack);
    let row = servers::get(&cloud.store, server).await.unwrap();
    let fault = row.fault.expect("it says why");
    for part in [
        "1 vCPUs",
        "None of the 2 hosts",
        "2 hosts: vcpus: 1 vCPUs wanted",
        "2 used",
    ] {
        assert!(
            fault.message.contains(part),
            "{part:?} is missing in {fault:?}"
        );
    }
    for part in ["a: vcpus: 1 vCPUs wanted", "b: vcpus"] {
        assert!(
            fault.details.contains(part),
            "{part:?} is missing in {fault:?}"
        );
        assert!(
            !fault.message.contains(part),
            "an owner is told of {part:?}"
        );
    }
    assert_eq!(
        operations::of_server(&cloud.store, server).await.unwrap()[0].step,
        Step::Failed
    );
}

#[tokio::test]
async fn a_server_goes_where_its_network_is_carried() {
    let test = TestStore::sqlite().await;
    let cloud = TestCloud::new(test.store.clone()).await;
    let (a, b) = (
        cloud.host("a", TWO_SMALL).await,
        cloud.host("b", TWO_SMALL).await,
    );
    cloud.on_vlan(100).await;
    // What the network worker of b has said is known from the database first, then from itself.
    let mut beat = cloud.beat(&b, "network", Resources::default());
    beat.carries.vlan = ["trunk".parse().unwrap()].into();
    let mut tx = cloud.store.begin().await.unwrap();
    services::heard(&mut tx, &beat, Timestamp::now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let placer = scheduler(&cloud).await;
    let (server, operation) = cloud.boot("vm1").await;
    assert_eq!(placer.handle(place(server, operation)).await, Verdict::Ack);
    assert_eq!(host_of(&cloud, server).await, Some(b.clone()));

    beat.carries = Carries::default();
    let why = "the kernel has no 802.1Q".to_owned();
    beat.carries.lacks.insert(SegmentKind::Vlan, why);
    assert!(placer.fleet.beat(&beat, Instant::now()), "it is news");
    assert!(!placer.fleet.beat(&beat, Instant::now()), "it is none");
    registry::refresh(&cloud.store, &placer.fleet)
        .await
        .unwrap();
    let (server, operation) = cloud.boot("vm2").await;
    assert_eq!(placer.handle(place(server, operation)).await, Verdict::Ack);
    let row = servers::get(&cloud.store, server).await.unwrap();
    let fault = row.fault.expect("it says why");
    let told =
        "2 hosts: network_segments: it cannot carry a network of the server's (vlan). Boot on";
    assert!(fault.message.contains(told), "{fault:?}");
    for part in ["trunk", "802.1Q"] {
        assert!(!fault.message.contains(part), "an owner is told of {part}");
    }
    for part in [
        format!("{a}: network_segments: it cannot carry VLAN 100 on trunk: none of its interfaces"),
        format!(
            "{b}: network_segments: it cannot carry VLAN 100 on trunk: the kernel has no 802.1Q"
        ),
    ] {
        assert!(fault.details.contains(&part), "{part:?} in {fault:?}");
    }
}

#[tokio::test]
async fn the_same_message_twice_claims_once() {
    let test = TestStore::sqlite().await;
    let cloud = TestCloud::new(test.store.clone()).await;
    cloud.host("a", TWO_SMALL).await;
    let placer = scheduler(&cloud).await;
    let (server, operation) = cloud.boot("vm").await;
    for _ in 0..3 {
        assert_eq!(placer.handle(place(server, operation)).await, Verdict::Ack);
    }
    assert_eq!(hosts::all(&cloud.store).await.unwrap()[0].servers, 1);
}

/// Ten boots, four schedulers with stale memories, room for eight: nothing is overbooked.
async fn never_overbooked(test: TestStore) {
    let cloud = TestCloud::new(test.store.clone()).await;
    for name in ["a", "b", "c", "d"] {
        cloud.host(name, TWO_SMALL).await;
    }
    let mut work = tokio::task::JoinSet::new();
    let mut boots = Vec::new();
    for n in 0..10 {
        boots.push(cloud.boot(&format!("vm{n}")).await);
    }
    for _ in 0..4 {
        let placer = scheduler(&cloud).await;
        let boots = boots.clone();
        work.spawn(async move {
            for (server, operation) in boots {
                while placer.handle(place(server, operation)).await == Verdict::Retry {}
            }
        });
    }
    while let Some(done) = work.join_next().await {
        done.unwrap();
    }
    let mut placed = 0;
    for (server, _) in boots {
        placed += i64::from(host_of(&cloud, server).await.is_some());
    }
    assert_eq!(placed, 8);
    for host in hosts::all(&cloud.store).await.unwrap() {
        assert_eq!((host.servers, host.used.vcpus), (2, 2), "{host:?}");
    }
}

#[tokio::test]
async fn four_schedulers_overbook_nothing_on_sqlite() {
    never_overbooked(TestStore::sqlite().await).await;
}

#[tokio::test]
async fn four_schedulers_overbook_nothing_on_postgresql() {
    never_overbooked(TestStore::postgres().await).await;
}

#[tokio::test]
async fn a_host_that_was_closed_a_moment_ago_is_not_claimed() {
    let test = TestStore::sqlite().await;
    let cloud = TestCloud::new(test.store.clone()).await;
    let host = cloud.host("a", TWO_SMALL).await;
    let placer = scheduler(&cloud).await;
    let mut tx = cloud.store.begin().await.unwrap();
    let service = skybus_store::services::find(&mut tx, &host, "compute")
        .await
        .unwrap();
    let mut service = service.unwrap();
    service.enabled = false;
    skybus_store::services::save(&mut tx, &service)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let (server, operation) = cloud.boot("vm").await;
    assert_eq!(placer.handle(place(server, operation)).await, Verdict::Ack);
    assert_eq!(host_of(&cloud, server).await, None);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_rejected_at_once() {
    let test = TestStore::sqlite().await;
    let cloud = TestCloud::new(test.store.clone()).await;
    let placer = scheduler(&cloud).await;
    let mut delivery = place(ServerId::random(), OperationId::random());
    assert!(
        matches!(placer.handle(delivery.clone()).await, Verdict::Reject(_)),
        "no such server"
    );
    delivery.body = b"\xff\x00".to_vec();
    assert!(matches!(placer.handle(delivery).await, Verdict::Reject(_)));
}

#[tokio::test]
async fn after_a_start_silent_hosts_get_the_time_of_a_beat_before_a_boot_is_refused() {
    let test = TestStore::sqlite().await;
    let cloud = TestCloud::new(test.store.clone()).await;
    let host = cloud.host("a", TWO_SMALL).await;
    cloud.silence(&host).await;
    let placer = scheduler(&cloud).await;
    placer.fleet.listen(Some(Instant::now()));
    let (server, operation) = cloud.boot("vm").await;
    let placing = {
        let placer = placer.clone();
        tokio::spawn(async move { placer.handle(place(server, operation)).await })
    };
    for service in ["compute", "network"] {
        placer
            .fleet
            .beat(&cloud.beat(&host, service, TWO_SMALL), Instant::now());
    }
    assert_eq!(placing.await.unwrap(), Verdict::Ack);
    assert_eq!(host_of(&cloud, server).await, Some(host));
}

#[tokio::test]
async fn while_no_beat_can_be_heard_no_boot_is_refused_for_silent_hosts() {
    let test = TestStore::sqlite().await;
    let cloud = TestCloud::new(test.store.clone()).await;
    let host = cloud.host("a", TWO_SMALL).await;
    cloud.silence(&host).await;
    let placer = scheduler(&cloud).await;
    let now = Instant::now();
    placer
        .fleet
        .listen(now.checked_sub(Duration::from_secs(60)));
    assert!(
        placer.fleet.is_heard_out(now),
        "it is silent, and that counts"
    );
    // The broker is away or under an alarm, for however long.
    placer.fleet.listen(None);
    assert!(!placer.fleet.is_heard_out(now + Duration::from_secs(3600)));
    // And back: everybody gets the time of a beat.
    let back = now + Duration::from_secs(3600);
    placer.fleet.listen(Some(back));
    assert!(!placer.fleet.is_heard_out(back + Duration::from_secs(5)));
    assert!(placer.fleet.is_heard_out(back + Duration::from_secs(10)));
}

#[tokio::test]
async fn a_beat_that_speaks_of_another_host_is_not_believed() {
    let test = TestStore::sqlite().await;
    let cloud = TestCloud::new(test.store.clone()).await;
    let host = cloud.host("a", TWO_SMALL).await;
    let beat = cloud.beat(&host, "compute", Resources::default());
    let body = serde_json::to_vec(&beat).unwrap();
    let mut delivery = place(ServerId::random(), OperationId::random());
    delivery.kind = "host.beat/1".to_owned();
    delivery.body = body;
    let (fleet, registry) = (Fleet::default(), registry::Registry::default());
    for forged in [
        "compute.b.host.beat",
        "network.a.host.beat",
        "compute.aa.host.beat",
    ] {
        delivery.routing_key = forged.to_owned();
        assert!(
            matches!(registry.hear(&fleet, &delivery), Verdict::Reject(_)),
            "{forged}"
        );
    }
    assert!(fleet.read().is_empty());
    delivery.routing_key = "compute.a.host.beat".to_owned();
    assert_eq!(registry.hear(&fleet, &delivery), Verdict::Ack);
}

#[tokio::test]
async fn a_scheduler_beside_a_dead_worker_does_not_make_it_look_alive() {
    let test = TestStore::sqlite().await;
    let cloud = TestCloud::new(test.store.clone()).await;
    let host = cloud.host("a", TWO_SMALL).await;
    cloud.silence(&host).await;
    let fleet = Fleet::default();
    registry::refresh(&cloud.store, &fleet).await.unwrap();
    assert!(!fleet.read()[&host].is_up(Instant::now()));
}
