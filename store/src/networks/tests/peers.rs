//! Hosts of a VXLAN know each other's tunnel addresses, and which of two descriptions is newer.

use skybus_model::{
    Generation, Order,
    host::Resources,
    id::NetworkId,
    message::heartbeat::HostBeat,
    segment::{Carries, SegmentKind},
};

use super::*;
use crate::{
    networks::{Scope, binding, refresh, segments::of_parts, spec::Specs},
    services,
};

on_both! {
    hosts_of_a_vxlan_are_told_of_each_other
    a_host_that_answers_elsewhere_is_told_to_all
    other_networks_are_nobody_elses_business
    every_change_that_all_are_told_has_a_higher_revision
}

/// A host whose network worker has said where its tunnels end.
async fn a_peer(tx: &mut Tx, name: &str, tunnel: Option<[u8; 4]>) -> HostName {
    let host = a_host(tx, name).await;
    says(tx, &host, tunnel).await;
    host
}

async fn says(tx: &mut Tx, host: &HostName, tunnel: Option<[u8; 4]>) {
    let beat = HostBeat {
        host: host.clone(),
        service: "network".to_owned(),
        zone: "nova".to_owned(),
        order: Order { epoch: 1, seq: 1 },
        at: Timestamp::now(),
        capacity: Resources::default(),
        free: Resources::default(),
        hypervisor: String::new(),
        version: "0".to_owned(),
        carries: Carries {
            tunnel: tunnel.map(Into::into),
            ..Carries::default()
        },
    };
    services::heard(tx, &beat, Timestamp::now()).await.unwrap();
}

async fn on_segment(tx: &mut Tx, kind: SegmentKind) -> Network {
    let physical = match kind {
        SegmentKind::Flat | SegmentKind::Vlan => "trunk",
        _ => "",
    };
    let (network, _) = a_network(tx, ProjectId::random(), "10.0.0.0/24").await;
    let (kind, physical, number) =
        crate::networks::segments::columns(&of_parts(kind, physical, 7).unwrap());
    sqlx::query("UPDATE networks SET segment = $2, physical = $3, number = $4 WHERE id = $1")
        .bind(network.id.to_string())
        .bind(kind.as_str())
        .bind(physical)
        .bind(number)
        .execute(tx.conn())
        .await
        .unwrap();
    network
}

/// A server's port on `network`, bound to `host`.
async fn bound(tx: &mut Tx, network: &Network, host: &HostName) -> Port {
    let new = NewPort::new(network.id, network.project).for_server(ServerId::random(), "vm", 0);
    let port = ports::create(tx, new).await.unwrap();
    let server = port.server.unwrap();
    binding::bind(tx, server, host, None, &context())
        .await
        .unwrap()
        .remove(0)
}

/// Tells whoever is marked; which hosts were told of which peers, and of which revision.
async fn tell(store: &Store) -> Vec<(String, Vec<String>, i64)> {
    let mut tx = store.begin().await.unwrap();
    refresh::flush(&mut tx, &context(), 100).await.unwrap();
    let messages = tx.commit().await.unwrap();
    let mut all: Vec<_> = messages
        .iter()
        .zip(told(&messages))
        .map(|(message, command)| {
            let host = message.routing_key.split('.').nth(1).unwrap().to_owned();
            let network = command.spec.network;
            let peers = network.peers.iter().map(ToString::to_string).collect();
            (host, peers, network.revision)
        })
        .collect();
    all.sort();
    // With each of a host's ports.
    all.dedup();
    all
}

async fn revision(tx: &mut Tx, id: NetworkId) -> i64 {
    let network = network::get(tx.conn(), id, Scope::Everything).await;
    network.unwrap().revision
}

async fn peers_in(tx: &mut Tx, port: &Port) -> Vec<String> {
    let spec = Specs::default().of(tx, port).await.unwrap();
    let peers = spec.network.peers.iter();
    peers.map(ToString::to_string).collect()
}

async fn hosts_of_a_vxlan_are_told_of_each_other(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let a = a_peer(&mut tx, "a", Some([192, 0, 2, 20])).await;
    let b = a_peer(&mut tx, "b", Some([192, 0, 2, 10])).await;
    let network = on_segment(&mut tx, SegmentKind::Vxlan).await;
    let mut on_a = [
        bound(&mut tx, &network, &a).await,
        bound(&mut tx, &network, &a).await,
    ];
    on_a.sort_by_key(|port| port.id);
    let [lower, first] = on_a;
    assert_eq!(peers_in(&mut tx, &first).await, ["192.0.2.20"]);
    tx.commit().await.unwrap();
    assert_eq!(tell(store).await, [], "there is nobody else");

    let mut tx = store.begin().await.unwrap();
    let before = revision(&mut tx, network.id).await;
    let on_b = bound(&mut tx, &network, &b).await;
    let messages = tx.commit().await.unwrap();
    let both = ["192.0.2.10".to_owned(), "192.0.2.20".to_owned()];
    let own = told(&messages).pop().unwrap().spec.network;
    assert_eq!(own.peers.len(), 2);
    assert!(own.revision > before);
    let others = tell(store).await;
    assert_eq!(others, [("a".to_owned(), both.to_vec(), own.revision)]);

    // A second port there, and one of two that goes, are no news to others.
    let mut tx = store.begin().await.unwrap();
    let second = bound(&mut tx, &network, &b).await;
    assert_eq!(revision(&mut tx, network.id).await, own.revision);
    binding::unbind(&mut tx, second.server.unwrap(), None, &context())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(tell(store).await, []);

    // The last one is leaving, and then is gone.
    let mut tx = store.begin().await.unwrap();
    binding::withdraw(&mut tx, on_b.server.unwrap(), None, &context())
        .await
        .unwrap();
    assert_eq!(peers_in(&mut tx, &first).await.len(), 2);
    tx.commit().await.unwrap();
    assert_eq!(tell(store).await, [], "it still has it");
    let mut tx = store.begin().await.unwrap();
    let on_b = ports::get(tx.conn(), on_b.id, Scope::Everything).await;
    ports::release(&mut tx, &on_b.unwrap()).await.unwrap();
    let now = revision(&mut tx, network.id).await;
    assert!(now > own.revision);
    tx.commit().await.unwrap();
    let alone = vec!["192.0.2.20".to_owned()];
    assert_eq!(tell(store).await, [("a".to_owned(), alone.clone(), now)]);

    // The same when a boot is taken away from it.
    let mut tx = store.begin().await.unwrap();
    let again = bound(&mut tx, &network, &b).await;
    // Nor does it matter which of a host's ports goes before the host was told.
    binding::unbind(&mut tx, lower.server.unwrap(), None, &context())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(tell(store).await.len(), 1);
    let mut tx = store.begin().await.unwrap();
    binding::unbind(&mut tx, again.server.unwrap(), None, &context())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(tell(store).await[0].1, alone);

    // And of a port that its owner keeps.
    let mut tx = store.begin().await.unwrap();
    let kept = ports::create(&mut tx, NewPort::new(network.id, network.project))
        .await
        .unwrap();
    let server = ServerId::random();
    ports::attach(&mut tx, &kept, server, "vm", 0)
        .await
        .unwrap();
    let kept = binding::bind(&mut tx, server, &b, None, &context())
        .await
        .unwrap()
        .remove(0);
    tx.commit().await.unwrap();
    assert_eq!(tell(store).await.len(), 1);
    let mut tx = store.begin().await.unwrap();
    ports::release(&mut tx, &kept).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(tell(store).await[0].1, alone);
}

async fn a_host_that_answers_elsewhere_is_told_to_all(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    // It had said nothing when the first server came.
    let a = a_host(&mut tx, "a").await;
    let b = a_peer(&mut tx, "b", Some([192, 0, 2, 10])).await;
    let network = on_segment(&mut tx, SegmentKind::Vxlan).await;
    bound(&mut tx, &network, &a).await;
    bound(&mut tx, &network, &b).await;
    bound(&mut tx, &network, &b).await;
    tx.commit().await.unwrap();
    let mut seen = tell(store).await.pop().unwrap().2;
    for (tunnel, peers) in [
        (
            Some([192, 0, 2, 20]),
            vec!["192.0.2.10".to_owned(), "192.0.2.20".to_owned()],
        ),
        (
            Some([192, 0, 2, 9]),
            vec!["192.0.2.9".to_owned(), "192.0.2.10".to_owned()],
        ),
        (None, vec!["192.0.2.10".to_owned()]),
    ] {
        let mut tx = store.begin().await.unwrap();
        says(&mut tx, &a, tunnel).await;
        tx.commit().await.unwrap();
        let told = tell(store).await;
        let hosts: Vec<&str> = told.iter().map(|(host, ..)| host.as_str()).collect();
        assert_eq!(hosts, ["a", "b"], "each host");
        assert!(told.iter().all(|(_, told, _)| *told == peers), "{told:?}");
        assert!(told.iter().all(|(_, _, revision)| *revision > seen));
        seen = told[0].2;
        let mut tx = store.begin().await.unwrap();
        says(&mut tx, &a, tunnel).await;
        tx.commit().await.unwrap();
        assert_eq!(tell(store).await, [], "it has said nothing new");
    }
    let mut tx = store.begin().await.unwrap();
    let row = services::find(&mut tx, &b, "network").await.unwrap();
    assert_eq!(row.unwrap().carries.tunnel, Some([192, 0, 2, 10].into()));
}

async fn other_networks_are_nobody_elses_business(store: &Store) {
    for kind in [SegmentKind::Local, SegmentKind::Flat, SegmentKind::Vlan] {
        let mut tx = store.begin().await.unwrap();
        let a = a_peer(&mut tx, &format!("a-{kind}"), Some([192, 0, 2, 20])).await;
        let b = a_peer(&mut tx, &format!("b-{kind}"), Some([192, 0, 2, 10])).await;
        let network = on_segment(&mut tx, kind).await;
        let before = revision(&mut tx, network.id).await;
        let port = bound(&mut tx, &network, &a).await;
        let other = bound(&mut tx, &network, &b).await;
        let spec = Specs::default().of(&mut tx, &port).await.unwrap();
        assert_eq!(spec.network.segment.kind(), kind);
        assert!(spec.network.peers.is_empty());
        binding::unbind(&mut tx, other.server.unwrap(), None, &context())
            .await
            .unwrap();
        says(&mut tx, &a, Some([192, 0, 2, 99])).await;
        assert_eq!(revision(&mut tx, network.id).await, before);
        tx.commit().await.unwrap();
        assert_eq!(tell(store).await, [], "{kind}");
    }
}

async fn every_change_that_all_are_told_has_a_higher_revision(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let a = a_peer(&mut tx, "a", None).await;
    let network = on_segment(&mut tx, SegmentKind::Local).await;
    let port = bound(&mut tx, &network, &a).await;
    let first = revision(&mut tx, network.id).await;
    subnets::lock(&mut tx, port.subnet).await.unwrap();
    refresh::network_changed(&mut tx, network.id).await.unwrap();
    let second = revision(&mut tx, network.id).await;
    assert!(second > first);
    // The clock was set back: the numbers go on.
    let ahead = Timestamp::now().micros() + 3_600_000_000;
    sqlx::query("UPDATE networks SET revision = $2 WHERE id = $1")
        .bind(network.id.to_string())
        .bind(ahead)
        .execute(tx.conn())
        .await
        .unwrap();
    refresh::network_changed(&mut tx, network.id).await.unwrap();
    assert_eq!(revision(&mut tx, network.id).await, ahead + 1);
    // The database was restored from a backup, and a host remembers more.
    sqlx::query("UPDATE networks SET revision = 1 WHERE id = $1")
        .bind(network.id.to_string())
        .execute(tx.conn())
        .await
        .unwrap();
    let mut specs = Specs::default();
    assert_eq!(specs.of(&mut tx, &port).await.unwrap().network.revision, 1);
    let heard = Generation(port.generation.0 + 5);
    let caught = binding::catch_up(&mut tx, &mut specs, &port, (&a, heard), &context())
        .await
        .unwrap();
    assert!(caught);
    let messages = tx.commit().await.unwrap();
    let last = told(&messages).pop().unwrap().spec.network.revision;
    assert!(last > second, "{last}");
}
