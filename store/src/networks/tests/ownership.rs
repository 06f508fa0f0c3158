//! What one project has is invisible to another; the shared network is there once.

use super::*;
use crate::{
    Error,
    networks::{
        Scope,
        bootstrap::{BadFlatNetwork, FlatNetwork, ensure_flat},
        ports::Narrow,
        quotas::{self, Resource},
    },
};

on_both! {
    what_belongs_to_others_is_not_there
    the_first_network_is_made_once_and_shared
    quotas_have_defaults_and_can_be_set_and_reset
}

async fn what_belongs_to_others_is_not_there(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let (mine, theirs) = (ProjectId::random(), ProjectId::random());
    let (network, subnet) = a_network(&mut tx, mine, "10.0.0.0/24").await;
    let (same_addresses, _) = a_network(&mut tx, theirs, "10.0.0.0/24").await;
    let group = groups::ensure_default(&mut tx, mine).await.unwrap();
    let port = a_port(&mut tx, &network, group.id).await;
    tx.commit().await.unwrap();
    let (db, other) = (store.pool(), Scope::Project(theirs));
    assert!(matches!(
        network::get(db, network.id, other).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        subnets::get(db, subnet.id, other).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        groups::get(db, group.id, other).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        ports::get(db, port.id, other).await,
        Err(Error::NotFound(_))
    ));
    let seen = network::list(db, other).await.unwrap();
    assert_eq!(
        seen.iter().map(|n| n.id).collect::<Vec<_>>(),
        [same_addresses.id]
    );
    for narrow in [
        Narrow::No,
        Narrow::Network(network.id),
        Narrow::Device(port.device.clone()),
    ] {
        assert!(
            ports::list(db, other, narrow.clone())
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            ports::list(db, Scope::Project(mine), narrow.clone())
                .await
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            ports::list(db, Scope::Everything, narrow)
                .await
                .unwrap()
                .len(),
            1
        );
    }
    let addresses = ports::addresses_of(db, &[port.server.unwrap(), ServerId::random()]).await;
    assert_eq!(addresses.unwrap()[0].address, port.address);
    let at = ports::at_address(db, network.id, port.address)
        .await
        .unwrap();
    assert_eq!(at.id, port.id);
    assert!(
        ports::at_address(db, same_addresses.id, port.address)
            .await
            .is_err()
    );
}

async fn the_first_network_is_made_once_and_shared(store: &Store) {
    let flat = FlatNetwork::first_of("10.1.0.0/16".parse().unwrap(), 512, Vec::new()).unwrap();
    assert_eq!(
        (flat.cidr.to_string(), flat.gateway.to_string()),
        ("10.1.0.0/23".into(), "10.1.0.1".into())
    );
    let mut tx = store.begin().await.unwrap();
    let made = ensure_flat(&mut tx, ProjectId::random(), &flat)
        .await
        .unwrap();
    let again = ensure_flat(&mut tx, ProjectId::random(), &flat)
        .await
        .unwrap();
    assert_eq!(made.id, again.id);
    let anyone = Scope::Project(ProjectId::random());
    assert_eq!(
        network::get(tx.conn(), made.id, anyone).await.unwrap().name,
        "flat"
    );
    assert_eq!(subnets::list(tx.conn(), anyone).await.unwrap().len(), 1);
    let port = ports::create(&mut tx, NewPort::new(made.id, ProjectId::random()))
        .await
        .unwrap();
    assert_eq!(port.address.to_string(), "10.1.0.2");
    let mut private = made.clone();
    private.shared = false;
    assert!(matches!(
        network::update(&mut tx, &private).await,
        Err(Error::Conflict(_))
    ));
}

async fn quotas_have_defaults_and_can_be_set_and_reset(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    assert_eq!(
        quotas::exceeded(tx.conn(), project, Resource::Network)
            .await
            .unwrap(),
        None
    );
    quotas::set(&mut tx, project, Resource::Network, 1)
        .await
        .unwrap();
    quotas::set(&mut tx, project, Resource::Network, 1)
        .await
        .unwrap();
    a_network(&mut tx, project, "10.0.0.0/24").await;
    let over = quotas::exceeded(tx.conn(), project, Resource::Network)
        .await
        .unwrap();
    assert_eq!(over, Some((1, 1)));
    assert!(
        quotas::set(&mut tx, project, Resource::Network, -2)
            .await
            .is_err()
    );
    quotas::reset(&mut tx, project).await.unwrap();
    assert_eq!(
        quotas::limit(tx.conn(), project, Resource::Network)
            .await
            .unwrap(),
        100
    );
}

#[test]
fn settings_that_give_no_network_are_refused_with_the_reason() {
    let range = "10.1.0.0/16".parse().unwrap();
    assert_eq!(
        FlatNetwork::first_of(range, 500, Vec::new()),
        Err(BadFlatNetwork::Size(500))
    );
    let small = "10.1.0.0/24".parse().unwrap();
    assert!(matches!(
        FlatNetwork::first_of(small, 512, Vec::new()),
        Err(BadFlatNetwork::Range { .. })
    ));
}
