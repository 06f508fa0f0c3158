//! Two changes at once, on PostgreSQL, which has many writers: one waits for the other, and neither fails.

use skybus_model::{id::ProjectId, network::Direction};

use super::{
    floating::{made, ports_on, wish},
    *,
};
use crate::{
    Error,
    identity::{Domain, Project, domains, projects},
    networks::{
        floating, refresh,
        rules::{self, NewRule},
    },
    testing::{TestStore, wait},
};

fn a_rule() -> NewRule {
    NewRule {
        protocol: Some("tcp".to_owned()),
        ..NewRule::any(Direction::Ingress, "IPv4")
    }
}

/// Adds a rule to a group and tells its hosts; how many ports they were told of.
async fn add_rule(store: Store, group: SecurityGroupId, project: ProjectId) -> usize {
    let mut tx = store.begin().await.unwrap();
    rules::create(&mut tx, group, project, a_rule())
        .await
        .unwrap();
    let told = refresh::flush(&mut tx, &context(), 100).await.unwrap();
    tx.commit().await.unwrap();
    told
}

#[tokio::test]
async fn a_rule_waits_for_whoever_leads_to_a_port_that_it_guards() {
    let test = TestStore::postgres().await;
    let store = &test.store;
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let host = a_host(&mut tx, "node-1").await;
    let port = ports_on(&mut tx, project, &[&host]).await.remove(0);
    let held = made(&mut tx, outside.id, project).await;
    tx.commit().await.unwrap();

    let mut leads = store.begin().await.unwrap();
    subnets::lock(&mut leads, port.subnet).await.unwrap();
    let rule = tokio::spawn(add_rule(store.clone(), port.groups[0], project));
    let rule = [rule];
    assert!(wait(store, &rule).await, "the rule did not wait");
    floating::lead(&mut leads, held.id, Some(port.id), &context())
        .await
        .unwrap();
    leads.commit().await.unwrap();
    let [rule] = rule;
    assert_eq!(rule.await.unwrap(), 1, "the host was not told at once");
}

#[tokio::test]
async fn whoever_tells_hosts_does_not_wait_for_what_others_marked() {
    let test = TestStore::postgres().await;
    let store = &test.store;
    let mut tx = store.begin().await.unwrap();
    let (mine, theirs) = (ProjectId::random(), ProjectId::random());
    let host = a_host(&mut tx, "node-1").await;
    let own = ports_on(&mut tx, mine, &[&host]).await.remove(0);
    let other = ports_on(&mut tx, theirs, &[&host]).await.remove(0);
    refresh::port_changed(&mut tx, other.id).await.unwrap();
    tx.commit().await.unwrap();

    let mut held = store.begin().await.unwrap();
    subnets::lock(&mut held, other.subnet).await.unwrap();
    let rule = [tokio::spawn(add_rule(store.clone(), own.groups[0], mine))];
    assert!(!wait(store, &rule).await, "it waits, holding its own");
    let [rule] = rule;
    assert_eq!(rule.await.unwrap(), 1);
    held.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let told = refresh::flush(&mut tx, &context(), 100).await.unwrap();
    assert_eq!(told, 1, "the other port was forgotten");
}

#[tokio::test]
async fn two_who_lead_it_to_the_same_port_both_do() {
    let test = TestStore::postgres().await;
    let store = &test.store;
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let host = a_host(&mut tx, "node-1").await;
    let port = ports_on(&mut tx, project, &[&host]).await.remove(0);
    let held = made(&mut tx, outside.id, project).await;
    tx.commit().await.unwrap();

    let lead = async |tx: &mut Tx| floating::lead(tx, held.id, Some(port.id), &context()).await;
    let mut first = store.begin().await.unwrap();
    lead(&mut first).await.unwrap();
    let (to, id, own) = (port.id, held.id, store.clone());
    let second = [tokio::spawn(async move {
        let mut tx = own.begin().await.unwrap();
        let led = floating::lead(&mut tx, id, Some(to), &context()).await;
        (led, tx.commit().await.unwrap())
    })];
    assert!(wait(store, &second).await, "the second did not wait");
    first.commit().await.unwrap();
    let [second] = second;
    let (led, sent) = second.await.unwrap();
    assert_eq!(led.unwrap().port, Some(port.id));
    assert!(sent.is_empty(), "the host was told of what it knows");
}

#[tokio::test]
async fn the_outside_stays_while_somebody_gets_an_address_of_it() {
    let test = TestStore::postgres().await;
    let store = &test.store;
    let mut tx = store.begin().await.unwrap();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    tx.commit().await.unwrap();

    let mut gets = store.begin().await.unwrap();
    made(&mut gets, outside.id, ProjectId::random()).await;
    let (id, own) = (outside.id, store.clone());
    let gone = [tokio::spawn(async move {
        let mut tx = own.begin().await.unwrap();
        network::delete(&mut tx, id).await
    })];
    assert!(wait(store, &gone).await, "the delete did not wait");
    gets.commit().await.unwrap();
    let [gone] = gone;
    let refused = gone.await.unwrap();
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn nobody_gets_an_address_of_an_outside_that_goes() {
    let test = TestStore::postgres().await;
    let store = &test.store;
    let mut tx = store.begin().await.unwrap();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    tx.commit().await.unwrap();

    let mut goes = store.begin().await.unwrap();
    network::delete(&mut goes, outside.id).await.unwrap();
    let (id, own) = (outside.id, store.clone());
    let gets = [tokio::spawn(async move {
        let mut tx = own.begin().await.unwrap();
        floating::create(&mut tx, wish(id, ProjectId::random())).await
    })];
    assert!(wait(store, &gets).await, "the other did not wait");
    goes.commit().await.unwrap();
    let [gets] = gets;
    let refused = gets.await.unwrap();
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn a_project_stays_while_something_is_made_in_it() {
    let test = TestStore::postgres().await;
    let store = &test.store;
    let mut tx = store.begin().await.unwrap();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let project = Project {
        id: ProjectId::random(),
        domain: domains::DEFAULT.to_owned(),
        name: "p".to_owned(),
        description: String::new(),
        enabled: true,
        created_at: Timestamp::now(),
    };
    let domain = Domain {
        id: domains::DEFAULT.to_owned(),
        name: "Default".to_owned(),
        description: String::new(),
        enabled: true,
    };
    domains::ensure(&mut tx, &domain).await.unwrap();
    projects::insert(&mut tx, &project).await.unwrap();
    tx.commit().await.unwrap();

    let mut gets = store.begin().await.unwrap();
    projects::hold(&mut gets, project.id).await.unwrap();
    let held = made(&mut gets, outside.id, project.id).await;
    let (id, own) = (project.id, store.clone());
    let gone = [tokio::spawn(async move {
        let mut tx = own.begin().await.unwrap();
        projects::delete(&mut tx, id).await
    })];
    assert!(wait(store, &gone).await, "the delete did not wait");
    gets.commit().await.unwrap();
    let [gone] = gone;
    let refused = gone.await.unwrap();
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");

    let mut tx = store.begin().await.unwrap();
    floating::delete(&mut tx, held.id, &context())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut goes = store.begin().await.unwrap();
    projects::delete(&mut goes, project.id).await.unwrap();
    let (id, own) = (project.id, store.clone());
    let holds = [tokio::spawn(async move {
        let mut tx = own.begin().await.unwrap();
        projects::hold(&mut tx, id).await
    })];
    assert!(wait(store, &holds).await, "the other did not wait");
    goes.commit().await.unwrap();
    let [holds] = holds;
    let missing = holds.await.unwrap();
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
}
