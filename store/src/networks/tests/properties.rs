//! Addresses under fire: many tasks take ports and give them back at once, with and without a wish for an
//! address, and some change their minds.

use std::{
    collections::HashSet,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use tokio::task::JoinSet;

use super::*;
use crate::Error;

on_both! {
    no_address_is_ever_two_ports_and_all_come_back
}

/// One thing that a task does: takes a port, at this address if there is one, or gives one back; and
/// whether it commits.
#[derive(Debug, Clone, Copy)]
enum Step {
    Take(Option<u8>, bool),
    Release(usize, bool),
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let surely = || prop_oneof![3 => Just(true), 1 => Just(false)];
    let wanted = prop_oneof![2 => Just(None), 1 => (0u8..16).prop_map(Some)];
    let step = prop_oneof![
        3 => (wanted, surely()).prop_map(|(at, keep)| Step::Take(at, keep)),
        2 => (any::<usize>(), surely()).prop_map(|(which, keep)| Step::Release(which, keep)),
    ];
    proptest::collection::vec(proptest::collection::vec(step, 15), 4)
}

/// What is held by anybody, as the tasks know it.
type Held = Arc<Mutex<HashSet<Ipv4Addr>>>;

async fn run(store: Store, network: Network, steps: Vec<Step>, known: Held) -> Vec<Port> {
    let mut held: Vec<Port> = Vec::new();
    for step in steps {
        let mut tx = store.begin().await.unwrap();
        match step {
            Step::Take(at, keep) => {
                let mut new = NewPort::new(network.id, network.project);
                new.address = at.map(|n| Ipv4Addr::new(10, 0, 0, n));
                let port = match ports::create(&mut tx, new).await {
                    Ok(port) => port,
                    Err(Error::Conflict(_)) => continue,
                    Err(other) => panic!("{other}"),
                };
                assert!(at.is_none_or(|n| port.address == Ipv4Addr::new(10, 0, 0, n)));
                if keep {
                    tx.commit().await.unwrap();
                    let fresh = known.lock().unwrap().insert(port.address);
                    assert!(fresh, "{} is two ports", port.address);
                    held.push(port);
                }
            }
            Step::Release(which, keep) if !held.is_empty() => {
                let which = which % held.len();
                ports::delete(&mut tx, &held[which]).await.unwrap();
                if keep {
                    let port = held.swap_remove(which);
                    // Forgotten before anybody else can have it.
                    known.lock().unwrap().remove(&port.address);
                    tx.commit().await.unwrap();
                }
            }
            Step::Release(..) => {}
        }
    }
    held
}

async fn no_address_is_ever_two_ports_and_all_come_back(store: &Store) {
    let mut runner = TestRunner::deterministic();
    for _ in 0..4 {
        let mut tx = store.begin().await.unwrap();
        let (network, _) = a_network(&mut tx, ProjectId::random(), "10.0.0.0/28").await;
        tx.commit().await.unwrap();
        let (mut running, known) = (JoinSet::new(), Held::default());
        for steps in steps().new_tree(&mut runner).unwrap().current() {
            running.spawn(run(store.clone(), network.clone(), steps, known.clone()));
        }
        let held: Vec<Port> = running.join_all().await.into_iter().flatten().collect();
        let mut tx = store.begin().await.unwrap();
        let kept = ports::count_on(tx.conn(), network.id).await.unwrap();
        assert_eq!(usize::try_from(kept).unwrap(), held.len());
        for port in &held {
            ports::delete(&mut tx, port).await.unwrap();
        }
        // All thirteen can be had again, each once.
        let mut again = HashSet::new();
        for _ in 0..13 {
            let new = NewPort::new(network.id, network.project);
            assert!(again.insert(ports::create(&mut tx, new).await.unwrap().address));
        }
        tx.commit().await.unwrap();
    }
}
