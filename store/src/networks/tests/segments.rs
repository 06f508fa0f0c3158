//! Ranges of VLANs and VXLANs, and the segments that networks get.

use skybus_model::segment::SegmentKind;

use super::*;
use crate::{
    Error,
    networks::segments::{
        NewRange, Range, of_parts, ranges,
        take::{self, From, Full},
    },
};

on_both! {
    no_two_networks_get_the_same_number
    a_projects_network_takes_a_vlan_then_a_vxlan_and_is_local_without_ranges
    the_lowest_free_number_is_next_and_chosen_ones_are_passed_over
    a_segment_has_one_network
    ranges_do_not_overlap_and_keep_the_numbers_in_use
}

fn a_range(kind: SegmentKind, minimum: u32, maximum: u32) -> NewRange {
    NewRange {
        name: format!("{kind}s"),
        description: String::new(),
        kind,
        physical: (kind == SegmentKind::Vlan).then(|| "trunk".parse().unwrap()),
        minimum,
        maximum,
        project: None,
    }
}

fn new_network(project: ProjectId) -> NewNetwork {
    NewNetwork {
        project,
        name: "own".to_owned(),
        description: String::new(),
        shared: false,
        external: false,
        mtu: None,
        segment: Segment::Local,
        waits: None,
    }
}

/// A project's own network.
async fn own(tx: &mut Tx, project: ProjectId) -> std::result::Result<Network, Full> {
    take::create(tx, new_network(project), &From::default())
        .await
        .unwrap()
}

async fn made(store: &Store, new: NewRange) -> Range {
    let mut tx = store.begin().await.unwrap();
    let range = ranges::create(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
    range
}

async fn no_two_networks_get_the_same_number(store: &Store) {
    made(store, a_range(SegmentKind::Vlan, 100, 139)).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut tx = store.begin().await.unwrap();
                let network = own(&mut tx, ProjectId::random()).await;
                tx.commit().await.unwrap();
                network
            })
        })
        .collect();
    let (mut numbers, mut refused) = (Vec::new(), Vec::new());
    for task in tasks {
        match task.await.unwrap() {
            Ok(network) => numbers.push(network.segment.number().unwrap()),
            Err(full) => refused.push(full.to_string()),
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (100..140).collect::<Vec<u32>>());
    assert_eq!(refused.len(), 10);
    assert!(
        refused[0].contains("vlans (vlan 100-139 on trunk)"),
        "{refused:?}"
    );
}

async fn a_projects_network_takes_a_vlan_then_a_vxlan_and_is_local_without_ranges(store: &Store) {
    let (one, other) = (ProjectId::random(), ProjectId::random());
    let mut tx = store.begin().await.unwrap();
    let local = own(&mut tx, one).await.unwrap();
    assert_eq!((local.segment, local.mtu), (Segment::Local, 1500));
    tx.commit().await.unwrap();
    made(store, a_range(SegmentKind::Vxlan, 70_000, 70_001)).await;
    made(store, a_range(SegmentKind::Vlan, 100, 100)).await;
    let owned = NewRange {
        project: Some(one),
        ..a_range(SegmentKind::Vlan, 7, 7)
    };
    made(store, owned).await;
    let mut tx = store.begin().await.unwrap();
    let mut told = Vec::new();
    for project in [other, other, one, one] {
        let network = own(&mut tx, project).await.unwrap();
        told.push((network.segment.to_string(), network.mtu));
    }
    let expected = [
        ("VLAN 100 on trunk", 1500),
        ("VXLAN 70000", 1450),
        ("VLAN 7 on trunk", 1500),
        ("VXLAN 70001", 1450),
    ];
    assert_eq!(told, expected.map(|(s, mtu)| (s.to_owned(), mtu)));
    assert_eq!(own(&mut tx, other).await.unwrap_err().0.len(), 2);
    assert_eq!(own(&mut tx, one).await.unwrap_err().0.len(), 3);
}

async fn the_lowest_free_number_is_next_and_chosen_ones_are_passed_over(store: &Store) {
    made(store, a_range(SegmentKind::Vlan, 10, 14)).await;
    let project = ProjectId::random();
    let mut tx = store.begin().await.unwrap();
    let segment = of_parts(SegmentKind::Vlan, "trunk", 11).unwrap();
    let chosen = NewNetwork {
        segment,
        ..new_network(project)
    };
    network::create(&mut tx, chosen).await.unwrap();
    let mut next = async || {
        let network = own(&mut tx, project).await.unwrap();
        (network.id, network.segment.number().unwrap())
    };
    let first = next().await;
    assert_eq!((first.1, next().await.1, next().await.1), (10, 12, 13));
    network::delete(&mut tx, first.0).await.unwrap();
    let again = own(&mut tx, project).await.unwrap();
    assert_eq!(again.segment.number(), Some(10));
}

async fn a_segment_has_one_network(store: &Store) {
    for (kind, physical, number, other) in [
        (SegmentKind::Flat, "trunk", 0, ("wire", 0)),
        (SegmentKind::Vlan, "trunk", 7, ("wire", 7)),
        (SegmentKind::Vxlan, "", 7, ("", 8)),
    ] {
        let mut tx = store.begin().await.unwrap();
        let on = |physical: &str, number| NewNetwork {
            segment: of_parts(kind, physical, number).unwrap(),
            ..new_network(ProjectId::random())
        };
        let made = network::create(&mut tx, on(physical, number))
            .await
            .unwrap();
        let found = network::get(tx.conn(), made.id, crate::networks::Scope::Everything).await;
        assert_eq!(found.unwrap(), made);
        let refused = network::create(&mut tx, on(physical, number)).await;
        let Err(Error::Conflict(why)) = refused else {
            panic!("{kind}: {refused:?}");
        };
        assert!(why.contains("is in use"), "{why}");
        network::create(&mut tx, on(other.0, other.1))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

async fn ranges_do_not_overlap_and_keep_the_numbers_in_use(store: &Store) {
    let mut range = made(store, a_range(SegmentKind::Vlan, 100, 200)).await;
    let mut tx = store.begin().await.unwrap();
    for (minimum, maximum) in [(200, 300), (50, 100), (120, 130), (1, 4094)] {
        let refused = ranges::create(&mut tx, a_range(SegmentKind::Vlan, minimum, maximum)).await;
        let Err(Error::Conflict(why)) = refused else {
            panic!("{minimum}-{maximum}: {refused:?}");
        };
        assert!(why.contains("vlans (vlan 100-200 on trunk)"), "{why}");
    }
    let elsewhere = NewRange {
        physical: Some("wire".parse().unwrap()),
        ..a_range(SegmentKind::Vlan, 100, 200)
    };
    ranges::create(&mut tx, elsewhere).await.unwrap();
    let vxlans = ranges::create(&mut tx, a_range(SegmentKind::Vxlan, 100, 200))
        .await
        .unwrap();
    let above = ranges::create(&mut tx, a_range(SegmentKind::Vlan, 300, 400))
        .await
        .unwrap();
    let project = ProjectId::random();
    let network = take::create(
        &mut tx,
        new_network(project),
        &From {
            kind: Some(SegmentKind::Vlan),
            physical: Some("trunk".parse().unwrap()),
        },
    )
    .await
    .unwrap()
    .unwrap();
    let used = ranges::used(tx.conn(), Some(range.id)).await.unwrap();
    assert_eq!(used.len(), 1);
    assert_eq!((used[0].number, used[0].project), (100, project));
    (range.minimum, range.maximum) = (101, 200);
    let refused = ranges::update(&mut tx, &range).await;
    assert!(matches!(refused, Err(Error::Conflict(why)) if why.contains(": 100;")));
    let refused = ranges::delete(&mut tx, range.id).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    (range.minimum, range.maximum) = (90, 300);
    let refused = ranges::update(&mut tx, &range).await;
    assert!(matches!(refused, Err(Error::Conflict(why)) if why.contains(&above.told())));
    (range.minimum, range.maximum) = (90, 150);
    ranges::update(&mut tx, &range).await.unwrap();
    let now = ranges::get(tx.conn(), range.id).await.unwrap();
    assert_eq!((now.minimum, now.maximum), (90, 150));
    ranges::delete(&mut tx, vxlans.id).await.unwrap();
    network::delete(&mut tx, network.id).await.unwrap();
    ranges::delete(&mut tx, range.id).await.unwrap();
    assert_eq!(ranges::list(tx.conn()).await.unwrap().len(), 2);
}
