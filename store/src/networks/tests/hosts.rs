//! Giving ports to hosts, and what a host may say of them.

use skybus_model::{
    Generation, Order,
    message::event::{PortReport, PortState},
};

use super::*;
use crate::networks::{Scope, binding, binding::Recorded};

on_both! {
    a_host_is_told_all_that_it_needs
    only_the_ports_own_host_may_report_and_only_news_counts
    a_port_that_was_taken_away_keeps_its_address
    a_port_that_its_owner_made_outlives_the_server
}

async fn a_host_is_told_all_that_it_needs(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let (network, subnet) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let group = groups::ensure_default(&mut tx, project).await.unwrap();
    let host = a_host(&mut tx, "node-1").await;
    let port = a_port(&mut tx, &network, group.id).await;
    let bound = binding::bind(&mut tx, port.server.unwrap(), &host, None, &context())
        .await
        .unwrap();
    assert_eq!(bound[0].host.as_ref(), Some(&host));
    let messages = tx.commit().await.unwrap();
    assert_eq!(messages[0].routing_key, "network.node-1.port.ensure");
    let command = told(&messages).pop().unwrap();
    assert_eq!(command.generation, bound[0].generation);
    let spec = command.spec;
    assert_eq!(
        (spec.address, spec.hostname.as_str()),
        (port.address, "vm1")
    );
    assert_eq!(
        (spec.network.gateway, spec.network.cidr),
        (subnet.gateway, subnet.cidr)
    );
    assert_eq!(spec.network.dns, subnet.dns);
    assert_eq!(spec.rules.len(), 2, "out to anywhere, in from the members");
}

async fn only_the_ports_own_host_may_report_and_only_news_counts(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let (network, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let group = groups::ensure_default(&mut tx, project).await.unwrap();
    let host = a_host(&mut tx, "node-1").await;
    let thief = a_host(&mut tx, "node-2").await;
    let port = a_port(&mut tx, &network, group.id).await;
    let bound = binding::bind(&mut tx, port.server.unwrap(), &host, None, &context())
        .await
        .unwrap();
    let report = |from: &HostName, generation, seq, state| PortReport {
        port: port.id,
        operation: None,
        generation,
        order: Order { epoch: 1, seq },
        host: from.clone(),
        state,
        fault: None,
        hops: Vec::new(),
    };
    let now = bound[0].generation;
    for (report, expected) in [
        (report(&thief, now, 1, PortState::Up), Recorded::NotTheirs),
        (
            report(&host, Generation(now.0 - 1), 1, PortState::Up),
            Recorded::Old,
        ),
        (report(&host, now, 2, PortState::Up), Recorded::News),
        (report(&host, now, 2, PortState::Up), Recorded::Old),
        (report(&host, now, 1, PortState::Down), Recorded::Old),
    ] {
        let recorded = binding::record(&mut tx, &report).await.unwrap();
        assert_eq!(recorded, expected, "{report:?}");
    }
    let port = ports::get(tx.conn(), port.id, Scope::Everything)
        .await
        .unwrap();
    assert_eq!(port.status, ports::ACTIVE);
}

async fn a_port_that_was_taken_away_keeps_its_address(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let (network, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let group = groups::ensure_default(&mut tx, project).await.unwrap();
    let first = a_host(&mut tx, "node-1").await;
    let second = a_host(&mut tx, "node-2").await;
    let port = a_port(&mut tx, &network, group.id).await;
    let server = port.server.unwrap();
    binding::bind(&mut tx, server, &first, None, &context())
        .await
        .unwrap();
    binding::unbind(&mut tx, server, None, &context())
        .await
        .unwrap();
    let again = binding::bind(&mut tx, server, &second, None, &context())
        .await
        .unwrap();
    assert_eq!((again[0].address, &again[0].mac), (port.address, &port.mac));
    let keys: Vec<_> = tx
        .commit()
        .await
        .unwrap()
        .into_iter()
        .map(|message| message.routing_key)
        .collect();
    assert_eq!(
        keys,
        [
            "network.node-1.port.ensure",
            "network.node-1.port.remove",
            "network.node-2.port.ensure"
        ]
    );
}

async fn a_port_that_its_owner_made_outlives_the_server(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let (network, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let made = ports::create(&mut tx, NewPort::new(network.id, project))
        .await
        .unwrap();
    let server = ServerId::random();
    ports::attach(&mut tx, &made, server, "vm1", 0)
        .await
        .unwrap();
    let taken = ports::attach(&mut tx, &made, ServerId::random(), "vm2", 0).await;
    assert!(matches!(taken, Err(crate::Error::Conflict(_))));
    let plugged = ports::of_server(tx.conn(), server).await.unwrap();
    assert_eq!(plugged[0].device, server.to_string());
    ports::release(&mut tx, &plugged[0]).await.unwrap();
    let free = ports::get(tx.conn(), made.id, Scope::Everything)
        .await
        .unwrap();
    assert_eq!((free.server, free.address), (None, made.address));
}
