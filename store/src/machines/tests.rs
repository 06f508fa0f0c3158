//! Invitations, removals, and what a removed machine may still bring about: nothing.

use skybus_model::{
    Generation, Order,
    host::Resources,
    id::ServerId,
    message::{command::ServerPlace, heartbeat::HostBeat},
    segment::Carries,
};

use super::*;
use crate::{
    hosts::{self, Host, Ratios},
    lifecycle::placed,
    networks::on_both,
    services,
    strays::{self, Seen, What},
    testing::{SMALL, TestCloud},
};

on_both! {
    only_the_newest_of_two_tokens_is_good
    a_machine_with_servers_stays
    a_removed_machine_cannot_bring_its_rows_back
    of_a_claim_and_a_removal_one_comes_first
    a_beat_in_the_midst_of_a_removal_leaves_no_row
    the_first_machine_and_its_hosts_cannot_be_taken
    what_was_switched_off_leaves_its_name_to_others
    an_inventory_of_a_removed_machine_leaves_nothing
}

const RATIOS: Ratios = Ratios {
    vcpus: 1000,
    ram: 1000,
    disk: 1000,
};
const ROOM: Resources = Resources {
    vcpus: 64,
    ram_mib: 65_536,
    disk_gib: 640,
};

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

async fn invited(store: &Store, host: &str, secret: &str) -> Result<Option<Machine>> {
    let mut tx = store.begin().await?;
    let expires = Timestamp::now().after(std::time::Duration::from_secs(60));
    let former = invite(&mut tx, &name(host), Role::Compute, (secret, expires)).await?;
    tx.commit().await?;
    Ok(former)
}

async fn goes_on(store: &Store, host: &str, next: State) -> Result<()> {
    let mut tx = store.begin().await?;
    let machine = lock(&mut tx, &name(host)).await?.unwrap();
    advance(&mut tx, &machine, next).await?;
    tx.commit().await.map(drop)
}

async fn leaves(store: &Store, host: &str) -> Result<Machine> {
    let mut tx = store.begin().await?;
    let machine = leave(&mut tx, &name(host)).await?;
    tx.commit().await?;
    Ok(machine)
}

async fn is_forgotten(store: &Store, host: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    forget(&mut tx, &name(host)).await?;
    tx.commit().await.map(drop)
}

/// A joined host that both of its workers speak for.
async fn joined(store: &Store, host: &str) {
    invited(store, host, "s").await.unwrap();
    goes_on(store, host, State::Joined).await.unwrap();
    beats(store, host).await;
}

fn beat(host: &str, service: &str) -> HostBeat {
    HostBeat {
        host: name(host),
        service: service.to_owned(),
        zone: "nova".to_owned(),
        order: Order::default(),
        at: Timestamp::now(),
        capacity: ROOM,
        free: ROOM,
        hypervisor: "fake".to_owned(),
        version: "0".to_owned(),
        carries: Carries::default(),
    }
}

async fn beats(store: &Store, host: &str) {
    let mut tx = store.begin().await.unwrap();
    for service in ["compute", "network"] {
        let beat = beat(host, service);
        if service == "compute" {
            let row = Host {
                name: beat.host.clone(),
                zone: beat.zone.clone(),
                hypervisor: beat.hypervisor.clone(),
                version: beat.version.clone(),
                capacity: ROOM,
                used: Resources::default(),
                servers: 0,
            };
            hosts::register(&mut tx, &row).await.unwrap();
        }
        services::heard(&mut tx, &beat, Timestamp::now())
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn rows(store: &Store, host: &str) -> (usize, usize) {
    let hosts = hosts::all(store).await.unwrap();
    let services = services::all(store).await.unwrap();
    (
        hosts.iter().filter(|h| h.name.as_str() == host).count(),
        services.iter().filter(|s| s.host.as_str() == host).count(),
    )
}

async fn only_the_newest_of_two_tokens_is_good(store: &Store) {
    let (one, other) = tokio::join!(invited(store, "b", "one"), invited(store, "b", "other"));
    let formers = [one.unwrap(), other.unwrap()];
    let first = formers.iter().filter(|former| former.is_none()).count();
    assert_eq!(first, 1, "{formers:?}");
    let mut tx = store.begin().await.unwrap();
    bind(&mut tx, &name("b"), "key").await.unwrap();
    tx.commit().await.unwrap();
    let former = invited(store, "b", "third").await.unwrap().unwrap();
    assert_eq!(former.joiner.as_deref(), Some("key"));
    let now = find(store, &name("b")).await.unwrap().unwrap();
    assert_eq!((now.secret.as_deref(), now.joiner), (Some("third"), None));

    goes_on(store, "b", State::Joined).await.unwrap();
    let refused = invited(store, "b", "fourth").await.unwrap_err();
    assert!(refused.to_string().contains("host remove b"), "{refused}");
}

async fn a_machine_with_servers_stays(store: &Store) {
    joined(store, "b").await;
    let cloud = TestCloud::new(store.clone()).await;
    let server = placed_on(&cloud, "b").await.unwrap();
    let refused = leaves(store, "b").await.unwrap_err().to_string();
    assert!(refused.contains(&server.to_string()), "{refused}");
    assert_eq!(rows(store, "b").await, (1, 2));

    sqlx::query("UPDATE servers SET deleted_at = 1 WHERE id = $1")
        .bind(server.to_string())
        .execute(store.pool())
        .await
        .unwrap();
    let refused = leaves(store, "b").await.unwrap_err().to_string();
    assert!(refused.contains("ports"), "{refused}");
    sqlx::query("UPDATE ports SET host = NULL WHERE server = $1")
        .bind(server.to_string())
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(leaves(store, "b").await.unwrap().state, State::Leaving);
    assert_eq!(rows(store, "b").await, (0, 0));
}

/// Boots a server and places it there, as a scheduler does, unless the host cannot be claimed.
async fn placed_on(cloud: &TestCloud, host: &str) -> Option<ServerId> {
    let (server, operation) = cloud.boot(host).await;
    let mut tx = cloud.store.begin().await.unwrap();
    let command = ServerPlace { operation, server };
    let (mut row, mut operation) = placed::waiting(&mut tx, &command).await.unwrap()?;
    if !hosts::claim(&mut tx, &name(host), SMALL, RATIOS)
        .await
        .unwrap()
    {
        return None;
    }
    let (chosen, how) = ((name(host), vec![]), (&cloud.key, String::new()));
    placed::on(&mut tx, &mut row, &mut operation, chosen, how)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    Some(server)
}

async fn a_removed_machine_cannot_bring_its_rows_back(store: &Store) {
    joined(store, "b").await;
    leaves(store, "b").await.unwrap();
    // Asked again, as after a crash.
    assert_eq!(leaves(store, "b").await.unwrap().state, State::Leaving);
    beats(store, "b").await;
    assert_eq!(rows(store, "b").await, (0, 0));
    let refused = invited(store, "b", "s").await.unwrap_err().to_string();
    assert!(refused.contains("being removed"), "{refused}");
    is_forgotten(store, "b").await.unwrap();
    is_forgotten(store, "b").await.unwrap();
    beats(store, "b").await;
    assert_eq!(rows(store, "b").await, (0, 0));
    assert_eq!(away(store).await.unwrap(), [name("b")].into());
    assert!(matches!(leaves(store, "b").await, Err(Error::NotFound(_))));

    joined(store, "b").await;
    assert_eq!(rows(store, "b").await, (1, 2));
}

async fn of_a_claim_and_a_removal_one_comes_first(store: &Store) {
    let cloud = TestCloud::new(store.clone()).await;
    for round in 0..8 {
        let host = format!("b{round}");
        joined(store, &host).await;
        let (claimed, left) = tokio::join!(placed_on(&cloud, &host), leaves(store, &host));
        match left {
            Ok(_) => assert_eq!(claimed, None, "a server was placed on a host that is gone"),
            Err(error) => {
                assert!(matches!(error, Error::Conflict(_)), "{error}");
                assert!(claimed.is_some());
            }
        }
    }
}

/// The first beat of a machine, which makes its rows.
async fn a_beat_in_the_midst_of_a_removal_leaves_no_row(store: &Store) {
    for round in 0..8 {
        let host = format!("b{round}");
        invited(store, &host, "s").await.unwrap();
        goes_on(store, &host, State::Joined).await.unwrap();
        let (left, ()) = tokio::join!(leaves(store, &host), beats(store, &host));
        left.unwrap();
        assert_eq!(rows(store, &host).await, (0, 0), "{host}");
    }
}

async fn the_first_machine_and_its_hosts_cannot_be_taken(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    found(&mut tx, &name("a")).await.unwrap();
    found(&mut tx, &name("a")).await.unwrap();
    tx.commit().await.unwrap();
    let refused = leaves(store, "a").await.unwrap_err().to_string();
    assert!(refused.contains("skybus down"), "{refused}");
    assert!(invited(store, "a", "s").await.is_err());
    // It plays none in memory yet: then this is a name like any other.
    invited(store, "a-7", "s").await.unwrap();
    beats(store, "a-1").await;
    for played in ["a-1", "a-2"] {
        assert!(invited(store, played, "s").await.is_err(), "{played}");
        assert_eq!(find(store, &name(played)).await.unwrap(), None);
    }

    let all = all(store).await.unwrap();
    let first = find(store, &name("a")).await.unwrap().unwrap();
    for (host, is_its) in [
        ("a", true),
        ("a-1", true),
        ("a-7", false),
        ("a-b", false),
        ("b", false),
    ] {
        assert_eq!(first.has(&name(host), &all), is_its, "{host}");
    }
}

/// A host with workers that somebody configured by hand.
async fn what_was_switched_off_leaves_its_name_to_others(store: &Store) {
    beats(store, "x").await;
    let refused = invited(store, "x", "s").await.unwrap_err().to_string();
    assert!(refused.contains("speaks for"), "{refused}");
    sqlx::query("UPDATE services SET last_seen = 1, enabled = 0")
        .execute(store.pool())
        .await
        .unwrap();
    // Nobody listens: then silence says nothing.
    assert!(invited(store, "x", "s").await.is_err());
    let mut tx = store.begin().await.unwrap();
    services::heard(
        &mut tx,
        &beat("elsewhere", services::SCHEDULER),
        Timestamp::now(),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    invited(store, "x", "s").await.unwrap();
    // Nothing of the former one stays, such as that it was closed.
    assert_eq!(rows(store, "x").await, (0, 0));
}

async fn an_inventory_of_a_removed_machine_leaves_nothing(store: &Store) {
    let (host, seen) = (name("b"), [stray()]);
    let remembered = async || {
        strays::remember(store, &host, &seen, Timestamp::now())
            .await
            .unwrap();
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM strays")
            .fetch_one(store.pool())
            .await
            .unwrap();
        count
    };
    joined(store, "b").await;
    assert_eq!(remembered().await, 1);
    leaves(store, "b").await.unwrap();
    assert_eq!(remembered().await, 0);
    is_forgotten(store, "b").await.unwrap();
    assert_eq!(remembered().await, 0);
}

fn stray() -> Seen {
    Seen {
        server: ServerId::random(),
        what: What::Unknown,
        generation: Generation(1),
    }
}
