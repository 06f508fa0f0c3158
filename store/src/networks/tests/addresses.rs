//! Every port gets an address and a hardware address of its own.

use std::collections::HashSet;

use super::*;
use crate::{Error, networks::Scope};

on_both! {
    a_subnet_gives_out_each_address_once_until_it_is_exhausted
    a_wanted_address_is_given_if_it_is_free
    a_released_address_can_be_had_again
    many_at_once_never_share_an_address
    a_network_has_one_subnet_and_ports_keep_it
}

async fn a_subnet_gives_out_each_address_once_until_it_is_exhausted(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let (network, _) = a_network(&mut tx, ProjectId::random(), "10.0.0.0/28").await;
    let mut seen = HashSet::new();
    let mut macs = HashSet::new();
    for _ in 0..13 {
        let port = ports::create(&mut tx, NewPort::new(network.id, network.project))
            .await
            .unwrap();
        assert!(ports::is_mac(&port.mac), "{}", port.mac);
        assert!(seen.insert(port.address) && macs.insert(port.mac));
    }
    assert!(
        !seen.contains(&"10.0.0.1".parse().unwrap()),
        "the gateway was given out"
    );
    let last = ports::create(&mut tx, NewPort::new(network.id, network.project)).await;
    match last {
        Err(Error::Conflict(text)) => assert!(text.contains("all 13 of 10.0.0.0/28"), "{text}"),
        other => panic!("{other:?}"),
    }
}

async fn a_wanted_address_is_given_if_it_is_free(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let (network, _) = a_network(&mut tx, ProjectId::random(), "10.0.0.0/24").await;
    let wanted = |at: &str| {
        let mut new = NewPort::new(network.id, network.project);
        new.address = Some(at.parse().unwrap());
        new
    };
    let port = ports::create(&mut tx, wanted("10.0.0.77")).await.unwrap();
    assert_eq!(port.address.to_string(), "10.0.0.77");
    for bad in [
        "10.0.0.77",
        "10.0.0.1",
        "10.0.0.0",
        "10.0.0.255",
        "10.0.1.5",
    ] {
        let refused = ports::create(&mut tx, wanted(bad)).await;
        assert!(
            matches!(refused, Err(Error::Conflict(_))),
            "{bad}: {refused:?}"
        );
    }
    let mut same_mac = NewPort::new(network.id, network.project);
    same_mac.mac = Some(port.mac);
    assert!(matches!(
        ports::create(&mut tx, same_mac).await,
        Err(Error::Conflict(_))
    ));
}

async fn a_released_address_can_be_had_again(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let (network, _) = a_network(&mut tx, ProjectId::random(), "10.0.0.0/29").await;
    let group = groups::ensure_default(&mut tx, network.project)
        .await
        .unwrap();
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(a_port(&mut tx, &network, group.id).await);
    }
    let gone = held.remove(2);
    ports::release(&mut tx, &gone).await.unwrap();
    let again = a_port(&mut tx, &network, group.id).await;
    assert_eq!(again.address, gone.address);
    assert_eq!(ports::count_on(tx.conn(), network.id).await.unwrap(), 5);
}

async fn many_at_once_never_share_an_address(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let (network, _) = a_network(&mut tx, ProjectId::random(), "10.0.0.0/26").await;
    tx.commit().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (store, network) = (store.clone(), network.clone());
        tasks.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let new = NewPort::new(network.id, network.project);
            let port = ports::create(&mut tx, new).await.unwrap();
            tx.commit().await.unwrap();
            port.address
        });
    }
    let addresses: HashSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(addresses.len(), 40);
}

async fn a_network_has_one_subnet_and_ports_keep_it(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let (network, subnet) = a_network(&mut tx, ProjectId::random(), "10.0.0.0/24").await;
    let second = NewSubnet {
        network: network.id,
        project: network.project,
        name: String::new(),
        description: String::new(),
        cidr: "10.0.1.0/24".parse().unwrap(),
        gateway: "10.0.1.1".parse().unwrap(),
        dns: Vec::new(),
        pools: Vec::new(),
    };
    assert!(matches!(
        subnets::create(&mut tx, second).await,
        Err(Error::Conflict(_))
    ));
    let port = ports::create(&mut tx, NewPort::new(network.id, network.project))
        .await
        .unwrap();
    assert!(matches!(
        subnets::delete(&mut tx, &subnet).await,
        Err(Error::Conflict(_))
    ));
    assert!(matches!(
        network::delete(&mut tx, network.id).await,
        Err(Error::Conflict(_))
    ));
    ports::delete(&mut tx, &port).await.unwrap();
    network::delete(&mut tx, network.id).await.unwrap();
    let gone = subnets::get(tx.conn(), subnet.id, Scope::Everything).await;
    assert!(matches!(gone, Err(Error::NotFound(_))));
}
