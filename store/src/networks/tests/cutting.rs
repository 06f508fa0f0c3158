//! Networks that are cut from a range of addresses, and wait for their first use.

use std::collections::BTreeSet;

use super::*;
use crate::{
    Error,
    identity::{Domain, Project, domains, projects},
    networks::{
        Scope,
        cut::{self, BadCut, Cut, Kind},
        first_use,
        quotas::{self, Resource},
    },
    testing::{TestStore, wait},
};

on_both! {
    a_range_is_cut_once_and_all_or_nothing
    each_network_is_given_to_one_project
    what_is_used_by_name_waits_no_more
}

fn a_cut(count: u32, kind: Kind) -> Cut {
    Cut {
        name: "vlan".to_owned(),
        range: "10.1.0.0/16".parse().unwrap(),
        count,
        size: 512,
        kind,
        dns: vec!["9.9.9.9".parse().unwrap()],
    }
}

fn vlans(first: u32) -> Kind {
    Kind::Vlan("trunk".parse().unwrap(), first)
}

#[test]
fn what_does_not_fit_is_refused_with_its_numbers() {
    let refused = |cut: Cut| cut.pieces().unwrap_err().to_string();
    let size = |size| Cut {
        size,
        ..a_cut(1, Kind::Local)
    };
    for bad in [0, 4, 500] {
        assert_eq!(size(bad).pieces(), Err(BadCut::Size(bad)));
    }
    for bad in [0, cut::MOST + 1] {
        assert_eq!(a_cut(bad, Kind::Local).pieces(), Err(BadCut::Count(bad)));
    }
    assert_eq!(
        refused(a_cut(129, Kind::Local)),
        "10.1.0.0/16 has room for 128 networks of 512 addresses, not for 129"
    );
    assert!(refused(size(1 << 17)).contains("room for 0 networks"));
    let beyond = refused(a_cut(8, vlans(4090)));
    assert!(
        beyond.contains("from 4090 on would end at 4097") && beyond.contains("1 to 4094"),
        "{beyond}"
    );
    assert!(refused(a_cut(1, vlans(0))).starts_with("0 cannot be a VLAN's number"));
    let beyond = refused(a_cut(2, Kind::Vxlan((1 << 24) - 1)));
    assert!(beyond.contains("would end at 16777216"), "{beyond}");
    let pieces = a_cut(128, vlans(3967)).pieces().unwrap();
    let last = pieces.last().unwrap();
    assert_eq!(
        (last.name.as_str(), last.cidr.to_string().as_str()),
        ("vlan-4094", "10.1.254.0/23")
    );
    let local = a_cut(2, Kind::Local).pieces().unwrap();
    assert_eq!(local[1].name, "vlan-2");
}

async fn cut(store: &Store, project: ProjectId, cut: &Cut) -> crate::Result<Vec<cut::Made>> {
    let mut tx = store.begin().await.unwrap();
    let made = cut::make(&mut tx, project, &cut.pieces().unwrap(), &cut.dns).await?;
    tx.commit().await?;
    Ok(made)
}

async fn a_range_is_cut_once_and_all_or_nothing(store: &Store) {
    let admin = ProjectId::random();
    let made = cut(store, admin, &a_cut(4, vlans(100))).await.unwrap();
    let second = network::get(store.pool(), made[1].id, Scope::Everything)
        .await
        .unwrap();
    assert_eq!(second.name, "vlan-101");
    assert_eq!(second.segment.to_string(), "VLAN 101 on trunk");
    assert!(second.waits && !second.shared);
    let subnet = subnets::of_network(store.pool(), second.id).await.unwrap();
    let subnet = subnet.unwrap();
    assert_eq!(
        (subnet.cidr.to_string(), subnet.gateway.to_string()),
        ("10.1.2.0/23".to_owned(), "10.1.2.1".to_owned())
    );
    assert_eq!(subnet.dns.len(), 1);
    let refused = async |again: Cut| match cut(store, admin, &again).await {
        Err(Error::Conflict(why)) => why,
        other => panic!("{other:?}"),
    };
    let why = refused(a_cut(4, vlans(100))).await;
    assert_eq!(
        why,
        "all of these networks exist already: vlan-100, vlan-101, vlan-102, vlan-103"
    );
    let why = refused(a_cut(6, vlans(100))).await;
    assert!(why.starts_with("4 of these 6 networks exist"), "{why}");
    let why = refused(a_cut(5, vlans(96))).await;
    assert!(
        why.starts_with("VLAN 100 on trunk is taken by network vlan-100 ("),
        "{why}"
    );
    let all = network::list(store.pool(), Scope::Everything)
        .await
        .unwrap();
    assert_eq!(all.len(), 4, "a refused cut has left something");
    let local = a_cut(2, Kind::Local);
    cut(store, admin, &local).await.unwrap();
    assert!(refused(local).await.contains("vlan-1, vlan-2"));
    // What waits is not counted as its maker's: 100 are allowed.
    cut(store, admin, &a_cut(101, Kind::Vxlan(1)))
        .await
        .unwrap();
    let mut tx = store.begin().await.unwrap();
    for resource in [Resource::Network, Resource::Subnet] {
        let over = quotas::exceeded(tx.conn(), admin, resource).await.unwrap();
        assert_eq!(over, None);
    }
}

/// Makes a project's network as a boot does; whether it was one that waited.
async fn boots(store: Store, project: ProjectId) -> bool {
    let mut tx = store.begin().await.unwrap();
    first_use::one_at_a_time(&mut tx, project).await.unwrap();
    let choice = first_use::choice(tx.conn(), project).await.unwrap();
    let took = if choice.own.is_empty() {
        first_use::take(&mut tx, project).await.unwrap().is_some()
    } else {
        false
    };
    tx.commit().await.unwrap();
    took
}

async fn some_projects(store: &Store, count: usize) -> Vec<ProjectId> {
    let mut tx = store.begin().await.unwrap();
    let domain = Domain {
        id: domains::DEFAULT.to_owned(),
        name: "Default".to_owned(),
        description: String::new(),
        enabled: true,
    };
    domains::ensure(&mut tx, &domain).await.unwrap();
    let mut all = Vec::new();
    for n in 0..count {
        let project = Project {
            id: ProjectId::random(),
            domain: domain.id.clone(),
            name: format!("p{n}"),
            description: String::new(),
            enabled: true,
            created_at: Timestamp::now(),
        };
        projects::insert(&mut tx, &project).await.unwrap();
        all.push(project.id);
    }
    tx.commit().await.unwrap();
    all
}

async fn each_network_is_given_to_one_project(store: &Store) {
    let admin = ProjectId::random();
    let made = cut(store, admin, &a_cut(8, vlans(100))).await.unwrap();
    let all = some_projects(store, 12).await;
    // The lowest goes first.
    assert!(boots(store.clone(), all[0]).await);
    let first = network::get(store.pool(), made[0].id, Scope::Everything);
    assert_eq!(first.await.unwrap().project, all[0]);
    let tasks: Vec<_> = (0..36)
        .map(|n| tokio::spawn(boots(store.clone(), all[n % 12])))
        .collect();
    let mut taken = 0;
    for task in tasks {
        taken += usize::from(task.await.unwrap());
    }
    assert_eq!(taken, 7);
    let mut owners = BTreeSet::new();
    for piece in &made {
        let network = network::get(store.pool(), piece.id, Scope::Everything);
        let network = network.await.unwrap();
        assert!(!network.waits);
        assert!(owners.insert(network.project), "one project has two");
        let subnet = subnets::of_network(store.pool(), piece.id).await.unwrap();
        assert_eq!(subnet.unwrap().project, network.project);
    }
    assert!(!owners.contains(&admin));
    let choice = first_use::choice(store.pool(), all[0]).await.unwrap();
    assert_eq!(choice.own, [made[0].id]);
    assert!(!choice.waiting);
}

/// Both would find that the project has no network.
#[tokio::test]
async fn a_projects_second_boot_waits_for_its_first() {
    let test = TestStore::postgres().await;
    let store = &test.store;
    let made = cut(store, ProjectId::random(), &a_cut(2, vlans(100)))
        .await
        .unwrap();
    let project = some_projects(store, 1).await[0];
    let mut tx = store.begin().await.unwrap();
    first_use::one_at_a_time(&mut tx, project).await.unwrap();
    let taken = first_use::take(&mut tx, project).await.unwrap();
    assert_eq!(taken, Some(made[0].id));
    let second = [tokio::spawn(boots(store.clone(), project))];
    assert!(wait(store, &second).await, "it did not wait");
    tx.commit().await.unwrap();
    let [second] = second;
    assert!(!second.await.unwrap(), "one project has two");
}

/// Of a network that two projects would take, the second finds that it is gone.
#[tokio::test]
async fn who_comes_second_takes_the_next() {
    let test = TestStore::postgres().await;
    let store = &test.store;
    let made = cut(store, ProjectId::random(), &a_cut(2, vlans(100)))
        .await
        .unwrap();
    let projects = some_projects(store, 2).await;
    let mut tx = store.begin().await.unwrap();
    first_use::take(&mut tx, projects[0]).await.unwrap();
    let second = [tokio::spawn(boots(store.clone(), projects[1]))];
    assert!(wait(store, &second).await, "it did not wait");
    tx.commit().await.unwrap();
    let [second] = second;
    assert!(second.await.unwrap());
    for (piece, project) in made.iter().zip(projects) {
        let network = network::get(store.pool(), piece.id, Scope::Everything);
        assert_eq!(network.await.unwrap().project, project);
    }
}

async fn what_is_used_by_name_waits_no_more(store: &Store) {
    let admin = ProjectId::random();
    let made = cut(store, admin, &a_cut(3, Kind::Vxlan(7))).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let choice = first_use::choice(tx.conn(), admin).await.unwrap();
    assert_eq!(choice.own, [], "what waits is nobody's own");
    assert!(choice.waiting);
    ports::create(&mut tx, NewPort::new(made[0].id, admin))
        .await
        .unwrap();
    let mut second = network::get(tx.conn(), made[1].id, Scope::Everything)
        .await
        .unwrap();
    second.shared = true;
    network::update(&mut tx, &second).await.unwrap();
    network::delete(&mut tx, made[2].id).await.unwrap();
    let project = ProjectId::random();
    assert_eq!(first_use::take(&mut tx, project).await.unwrap(), None);
    let choice = first_use::choice(tx.conn(), project).await.unwrap();
    assert_eq!((choice.own, choice.shared), (vec![], vec![made[1].id]));
}
