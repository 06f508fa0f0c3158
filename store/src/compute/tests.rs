//! Flavors, keypairs and quotas, on both engines.

use std::collections::BTreeMap;

use skybus_model::{
    Timestamp,
    host::Resources,
    id::{ProjectId, UserId},
};

use super::{
    flavors::{self, Flavor},
    keypairs::{self, Keypair},
    quotas::{self, Resource},
};
use crate::{Error, Store, testing::TestStore};

async fn flavors_are_kept(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    flavors::bootstrap(&mut tx).await.unwrap();
    flavors::bootstrap(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let names: Vec<_> = flavors::list(store, None)
        .await
        .unwrap()
        .into_iter()
        .map(|f| f.name)
        .collect();
    assert_eq!(
        names,
        [
            "m1.nano",
            "m1.tiny",
            "m1.small",
            "m1.medium",
            "m1.large",
            "m1.xlarge"
        ]
    );

    let (ours, theirs) = (ProjectId::random(), ProjectId::random());
    let private = Flavor {
        id: "x".into(),
        name: "x1".into(),
        resources: Resources {
            vcpus: 1,
            ram_mib: 1,
            disk_gib: 0,
        },
        is_public: false,
        description: Some("ours".into()),
        extra_specs: BTreeMap::from([("a".into(), "b".into())]),
        created_at: Timestamp(1),
    };
    let mut tx = store.begin().await.unwrap();
    flavors::insert(&mut tx, &private).await.unwrap();
    assert!(flavors::allow(&mut tx, "x", ours).await.unwrap());
    assert!(!flavors::allow(&mut tx, "x", ours).await.unwrap());
    let again = flavors::insert(
        &mut tx,
        &Flavor {
            name: "y".into(),
            ..private.clone()
        },
    )
    .await;
    assert!(matches!(again, Err(Error::Conflict(text)) if text.contains("ID x")));
    let again = flavors::insert(
        &mut tx,
        &Flavor {
            id: "y".into(),
            ..private.clone()
        },
    )
    .await;
    assert!(matches!(again, Err(Error::Conflict(text)) if text.contains("name x1")));
    tx.commit().await.unwrap();
    assert_eq!(
        flavors::find(store, "x", Some(ours)).await.unwrap(),
        private
    );
    assert!(matches!(
        flavors::find(store, "x", Some(theirs)).await,
        Err(Error::NotFound(_))
    ));
    assert_eq!(flavors::list(store, Some(theirs)).await.unwrap().len(), 6);
    assert_eq!(flavors::list(store, Some(ours)).await.unwrap().len(), 7);

    let mut tx = store.begin().await.unwrap();
    flavors::delete(&mut tx, "x").await.unwrap();
    assert!(flavors::delete(&mut tx, "x").await.is_err());
    tx.commit().await.unwrap();
}

async fn keypairs_are_their_owners(store: &Store) {
    let (alice, bob) = (UserId::random(), UserId::random());
    let keypair = Keypair {
        owner: alice,
        name: "key1".into(),
        kind: "ssh".into(),
        fingerprint: "00:11".into(),
        public_key: "ssh-ed25519 AAAA".into(),
        created_at: Timestamp(1),
    };
    let mut tx = store.begin().await.unwrap();
    keypairs::insert(&mut tx, &keypair).await.unwrap();
    assert!(matches!(
        keypairs::insert(&mut tx, &keypair).await,
        Err(Error::Conflict(_))
    ));
    tx.commit().await.unwrap();
    assert_eq!(keypairs::find(store, alice, "key1").await.unwrap(), keypair);
    assert!(keypairs::find(store, bob, "key1").await.is_err());
    let mut tx = store.begin().await.unwrap();
    assert!(keypairs::delete(&mut tx, bob, "key1").await.is_err());
    keypairs::delete(&mut tx, alice, "key1").await.unwrap();
    tx.commit().await.unwrap();
    assert!(keypairs::list(store, alice).await.unwrap().is_empty());
}

async fn quotas_hold(store: &Store) {
    let project = ProjectId::random();
    let each = Resources {
        vcpus: 1,
        ram_mib: 512,
        disk_gib: 1,
    };
    let mut tx = store.begin().await.unwrap();
    quotas::set_limit(&mut tx, project, Resource::Instances, 3)
        .await
        .unwrap();
    quotas::take_servers(&mut tx, project, 2, each)
        .await
        .unwrap()
        .unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin().await.unwrap();
    let over = quotas::take_servers(&mut tx, project, 2, each)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        over.to_string(),
        "Quota exceeded for instances: Requested 2, but already used 2 of 3 instances"
    );
    drop(tx);
    let usage = quotas::usage(store, project).await.unwrap();
    assert_eq!(
        (usage[&Resource::Instances], usage[&Resource::Ram]),
        (2, 1024)
    );

    let mut tx = store.begin().await.unwrap();
    for _ in 0..3 {
        quotas::give_back_server(&mut tx, project, each)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(
        quotas::usage(store, project).await.unwrap()[&Resource::Cores],
        0
    );
}

/// Sixteen at once ask for one of five places: five get one.
async fn the_last_place_is_given_once(store: &Store) {
    let project = ProjectId::random();
    let mut tx = store.begin().await.unwrap();
    quotas::set_limit(&mut tx, project, Resource::Instances, 5)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        asking.spawn(async move {
            let each = Resources {
                vcpus: 1,
                ram_mib: 1,
                disk_gib: 0,
            };
            let mut tx = store.begin().await.unwrap();
            let taken = quotas::take_servers(&mut tx, project, 1, each)
                .await
                .unwrap();
            if taken.is_ok() {
                tx.commit().await.unwrap();
            }
            taken.is_ok()
        });
    }
    let got = asking
        .join_all()
        .await
        .into_iter()
        .filter(|got| *got)
        .count();
    assert_eq!(got, 5);
    let usage = quotas::usage(store, project).await.unwrap();
    assert_eq!(
        (usage[&Resource::Instances], usage[&Resource::Cores]),
        (5, 5)
    );
}

async fn everything(test: TestStore) {
    flavors_are_kept(&test.store).await;
    keypairs_are_their_owners(&test.store).await;
    quotas_hold(&test.store).await;
    the_last_place_is_given_once(&test.store).await;
}

#[tokio::test]
async fn on_sqlite() {
    everything(TestStore::sqlite().await).await;
}

#[tokio::test]
async fn on_postgresql() {
    everything(TestStore::postgres().await).await;
}
