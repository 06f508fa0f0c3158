//! A machine is given its accounts and queues, and nothing of them is of use when it was removed.

use std::time::Duration;

use lapin::{Connection, ConnectionProperties};
use skybus_bus::{
    accounts::machine::{admit, dismiss},
    testing::{Broker, is_let_in},
};
use skybus_model::{HostName, machine::Role};

fn derived(account: &str) -> String {
    format!("of-{account}")
}

#[tokio::test]
async fn a_machine_is_let_in_until_it_is_removed_and_comes_back_as_another() {
    let broker = Broker::shared().await.unwrap();
    let management = broker.management().unwrap();
    let machine: HostName = "comes-and-goes".parse().unwrap();
    let (url, who) = (broker.admin_url(), (Role::Compute, &machine));
    let first = admit(&management, &url, who, derived).await.unwrap();
    let again = admit(&management, &url, who, derived).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(first.keys().collect::<Vec<_>>(), ["compute", "network"]);
    let mut connections = Vec::new();
    for address in first.values() {
        let connection = Connection::connect(address, ConnectionProperties::default());
        connections.push(connection.await.unwrap());
    }

    for _ in 0..2 {
        dismiss(&management, Role::Compute, &machine).await.unwrap();
    }
    let cut_off = async {
        while connections.iter().any(|one| one.status().connected()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), cut_off)
        .await
        .expect("a removed machine keeps its connection");
    let queues = management.queues().await.unwrap();
    assert!(
        queues
            .iter()
            .all(|queue| !queue.name.contains("comes-and-goes"))
    );

    let other = |account: &str| format!("another-of-{account}");
    let second = admit(&management, &url, who, other).await.unwrap();
    for (role, address) in second {
        assert!(is_let_in(&address).await.unwrap(), "{role}");
        assert!(!is_let_in(&first[&role]).await.unwrap(), "{role}, formerly");
    }
    dismiss(&management, Role::Compute, &machine).await.unwrap();
}

#[tokio::test]
async fn one_more_scheduler_does_not_take_the_others_account_along() {
    let broker = Broker::shared().await.unwrap();
    let management = broker.management().unwrap();
    let machine: HostName = "one-more".parse().unwrap();
    let first = broker
        .account(&skybus_bus::accounts::Account::scheduler().on(&"stays".parse().unwrap()))
        .await
        .unwrap();
    let who = (Role::Scheduler, &machine);
    let own = admit(&management, &broker.admin_url(), who, derived)
        .await
        .unwrap();
    assert!(is_let_in(&own["scheduler"]).await.unwrap());
    dismiss(&management, Role::Scheduler, &machine)
        .await
        .unwrap();
    assert!(!is_let_in(&own["scheduler"]).await.unwrap());
    assert!(is_let_in(&first).await.unwrap());
    let queues = management.queues().await.unwrap();
    assert!(
        queues
            .iter()
            .any(|queue| queue.name == "skybus.scheduler.v1")
    );
}
