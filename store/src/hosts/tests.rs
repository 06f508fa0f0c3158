//! Claims under fire: many tasks claim and give back at once, some change their minds before they commit,
//! and the sums are what was claimed, never more than there is.

use std::collections::HashMap;

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use skybus_model::message::heartbeat::HostBeat;
use tokio::task::JoinSet;

use super::*;
use crate::{
    networks::on_both,
    services,
    testing::{SMALL, TestCloud},
};

on_both! {
    any_mixture_of_claims_and_releases_adds_up
    a_closed_or_unknown_host_cannot_be_claimed
    what_is_exactly_full_takes_nothing_more
    what_a_host_says_of_itself_leaves_its_claims
    the_most_that_is_believed_can_be_claimed_at_the_largest_ratio
}

const RATIOS: Ratios = Ratios {
    vcpus: 2000,
    ram: 1000,
    disk: 1500,
};
const CAPACITY: Resources = Resources {
    vcpus: 4,
    ram_mib: 2048,
    disk_gib: 10,
};

/// One thing that a task does.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Claims on the host with this number; without `keep` the transaction is dropped.
    Claim {
        host: usize,
        wanted: Resources,
        keep: bool,
    },
    /// Gives back the claim with this number, of those that the task has.
    Release { which: usize, keep: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let amounts = (0i64..5, 0i64..1500, 0i64..9);
    let claim = (0usize..2, amounts, any::<bool>(), any::<bool>()).prop_map(
        |(host, (vcpus, ram_mib, disk_gib), keep, surely)| Step::Claim {
            host,
            wanted: Resources {
                vcpus,
                ram_mib,
                disk_gib,
            },
            keep: keep || surely,
        },
    );
    let release =
        (any::<usize>(), any::<bool>(), any::<bool>()).prop_map(|(which, keep, surely)| {
            Step::Release {
                which,
                keep: keep || surely,
            }
        });
    prop_oneof![3 => claim, 2 => release]
}

fn within(host: &Host) -> bool {
    let (has, used) = (host.capacity, host.used);
    let fits = |used: i64, has: i64, ratio| (0..=has * ratio / 1000).contains(&used);
    fits(used.vcpus, has.vcpus, RATIOS.vcpus)
        && fits(used.ram_mib, has.ram_mib, RATIOS.ram)
        && fits(used.disk_gib, has.disk_gib, RATIOS.disk)
        && host.servers >= 0
}

/// Does the steps one after the other, and says what is claimed in the end.
async fn run(store: Store, names: [HostName; 2], steps: Vec<Step>) -> Vec<(HostName, Resources)> {
    let mut held: Vec<(HostName, Resources)> = Vec::new();
    for step in steps {
        let mut tx = store.begin().await.unwrap();
        let keep = match step {
            Step::Claim { host, wanted, keep } => {
                let done = claim(&mut tx, &names[host], wanted, RATIOS).await.unwrap();
                if done && keep {
                    held.push((names[host].clone(), wanted));
                }
                keep
            }
            Step::Release { .. } if held.is_empty() => false,
            Step::Release { which, keep } => {
                let which = which % held.len();
                let (host, claimed) = held[which].clone();
                release(&mut tx, &host, claimed).await.unwrap();
                if keep {
                    held.swap_remove(which);
                }
                keep
            }
        };
        if keep {
            tx.commit().await.unwrap();
        }
        let all = all(&store).await.unwrap();
        assert!(all.iter().all(within), "{all:#?}");
    }
    held
}

async fn any_mixture_of_claims_and_releases_adds_up(store: &Store) {
    let cloud = TestCloud::new(store.clone()).await;
    let mut runner = TestRunner::deterministic();
    let tasks = proptest::collection::vec(proptest::collection::vec(step(), 20), 4);
    for round in 0..6 {
        let names = [
            cloud.host(&format!("a-{round}"), CAPACITY).await,
            cloud.host(&format!("b-{round}"), CAPACITY).await,
        ];
        let mut running = JoinSet::new();
        for steps in tasks.new_tree(&mut runner).unwrap().current() {
            running.spawn(run(store.clone(), names.clone(), steps));
        }
        let mut sums: HashMap<HostName, (Resources, i64)> = HashMap::new();
        let held: Vec<_> = running.join_all().await.into_iter().flatten().collect();
        assert!(!held.is_empty(), "nothing was ever claimed");
        for (host, claimed) in held {
            let (sum, servers) = sums.entry(host).or_default();
            sum.vcpus += claimed.vcpus;
            sum.ram_mib += claimed.ram_mib;
            sum.disk_gib += claimed.disk_gib;
            *servers += 1;
        }
        for host in all(store).await.unwrap() {
            if names.contains(&host.name) {
                let (sum, servers) = sums.remove(&host.name).unwrap_or_default();
                assert_eq!((host.used, host.servers), (sum, servers), "{}", host.name);
            }
        }
    }
}

async fn take(store: &Store, host: &HostName, wanted: Resources) -> bool {
    let mut tx = store.begin().await.unwrap();
    let done = claim(&mut tx, host, wanted, RATIOS).await.unwrap();
    tx.commit().await.unwrap();
    done
}

async fn find(store: &Store, name: &HostName) -> Host {
    let all = all(store).await.unwrap();
    all.into_iter().find(|host| host.name == *name).unwrap()
}

async fn a_closed_or_unknown_host_cannot_be_claimed(store: &Store) {
    let cloud = TestCloud::new(store.clone()).await;
    let host = cloud.host("a", CAPACITY).await;
    assert!(take(store, &host, SMALL).await);
    assert!(!take(store, &"nobody".parse().unwrap(), SMALL).await);
    for closing in ["enabled = 0", "enabled = 1, forced_down = 1"] {
        let sql = match closing {
            "enabled = 0" => "UPDATE services SET enabled = 0 WHERE service = 'compute'",
            _ => "UPDATE services SET enabled = 1, forced_down = 1 WHERE service = 'compute'",
        };
        let mut tx = store.begin().await.unwrap();
        sqlx::query(sql).execute(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!take(store, &host, SMALL).await, "{closing}");
    }
    assert_eq!(find(store, &host).await.servers, 1);
}

async fn what_is_exactly_full_takes_nothing_more(store: &Store) {
    let cloud = TestCloud::new(store.clone()).await;
    let host = cloud.host("a", CAPACITY).await;
    let all = Resources {
        vcpus: 8,
        ram_mib: 2048,
        disk_gib: 15,
    };
    assert!(take(store, &host, all).await, "with its ratio it fits");
    let nothing = Resources::default();
    for one_more in [
        Resources {
            vcpus: 1,
            ..nothing
        },
        Resources {
            ram_mib: 1,
            ..nothing
        },
        Resources {
            disk_gib: 1,
            ..nothing
        },
    ] {
        assert!(!take(store, &host, one_more).await, "{one_more:?}");
    }
    let mut tx = store.begin().await.unwrap();
    release(&mut tx, &host, all).await.unwrap();
    tx.commit().await.unwrap();
    let found = find(store, &host).await;
    assert_eq!((found.used, found.servers), (nothing, 0));
}

async fn what_a_host_says_of_itself_leaves_its_claims(store: &Store) {
    let cloud = TestCloud::new(store.clone()).await;
    let host = cloud.host("a", CAPACITY).await;
    assert!(take(store, &host, SMALL).await);
    let smaller = Resources {
        vcpus: 1,
        ram_mib: 100,
        disk_gib: 1,
    };
    let again = Host {
        zone: "west".to_owned(),
        capacity: smaller,
        ..find(store, &host).await
    };
    let mut tx = store.begin().await.unwrap();
    register(&mut tx, &again).await.unwrap();
    let beat: HostBeat = cloud.beat(&host, "compute", smaller);
    services::heard(&mut tx, &beat, Timestamp::now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let found = find(store, &host).await;
    assert_eq!((found.used, found.servers), (SMALL, 1));
    assert_eq!((found.capacity, found.zone.as_str()), (smaller, "west"));
    assert!(!take(store, &host, SMALL).await, "it has shrunk");
}

async fn the_most_that_is_believed_can_be_claimed_at_the_largest_ratio(store: &Store) {
    let cloud = TestCloud::new(store.clone()).await;
    let most = Resources {
        vcpus: Resources::MOST,
        ram_mib: Resources::MOST,
        disk_gib: Resources::MOST,
    };
    let host = cloud.host("a", most).await;
    let ratios = Ratios {
        vcpus: 1_000_000,
        ram: 1_000_000,
        disk: 1_000_000,
    };
    let mut tx = store.begin().await.unwrap();
    for wanted in [SMALL, most] {
        assert!(claim(&mut tx, &host, wanted, ratios).await.unwrap());
    }
    tx.commit().await.unwrap();
}
