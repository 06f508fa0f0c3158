//! Groups and rules, and that every host learns what it must let pass.

use std::net::Ipv4Addr;

use skybus_model::network::{Direction, PacketMatch};

use super::*;
use crate::{
    Error,
    networks::{binding, refresh, rules, rules::NewRule},
};

on_both! {
    the_default_group_is_made_once_and_lets_its_members_in
    a_second_rule_that_allows_the_same_is_refused
    a_rule_reaches_the_hosts_of_the_group_and_of_no_other
    neighbours_learn_of_a_new_member_and_of_one_that_left
    where_all_ports_are_members_neighbours_need_not_be_told
    a_group_without_members_here_lets_nobody_in
    deleting_a_group_takes_the_rules_that_speak_of_it
}

fn ssh() -> NewRule {
    let mut rule = NewRule::any(Direction::Ingress, "IPv4");
    rule.protocol = Some("tcp".to_owned());
    (rule.port_min, rule.port_max) = (Some(22), Some(22));
    rule.remote_prefix = Some("0.0.0.0/0".to_owned());
    rule
}

async fn the_default_group_is_made_once_and_lets_its_members_in(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let group = groups::ensure_default(&mut tx, project).await.unwrap();
    let again = groups::ensure_default(&mut tx, project).await.unwrap();
    assert_eq!(group, again);
    let rules = rules::of_group(tx.conn(), group.id).await.unwrap();
    assert_eq!(rules.len(), 4);
    let inward: Vec<_> = rules
        .iter()
        .filter(|r| r.direction == Direction::Ingress)
        .collect();
    assert!(
        inward
            .iter()
            .all(|rule| rule.remote_group == Some(group.id))
    );
    let second = groups::create(&mut tx, project, "default", "").await;
    assert!(matches!(second, Err(Error::Conflict(_))));
    groups::create(&mut tx, project, "web", "").await.unwrap();
    groups::create(&mut tx, project, "web", "").await.unwrap();
}

async fn a_second_rule_that_allows_the_same_is_refused(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let group = groups::create(&mut tx, project, "web", "").await.unwrap();
    let first = rules::create(&mut tx, group.id, project, ssh())
        .await
        .unwrap();
    let mut by_number = ssh();
    by_number.protocol = Some("6".to_owned());
    by_number.remote_prefix = None;
    match rules::create(&mut tx, group.id, project, by_number).await {
        Err(Error::Conflict(text)) => assert!(text.contains(&first.id.to_string()), "{text}"),
        other => panic!("{other:?}"),
    }
}

async fn a_rule_reaches_the_hosts_of_the_group_and_of_no_other(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let (network, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let web = groups::create(&mut tx, project, "web", "").await.unwrap();
    let other = groups::create(&mut tx, project, "other", "").await.unwrap();
    let host = a_host(&mut tx, "node-1").await;
    let guarded = a_port(&mut tx, &network, web.id).await;
    let apart = a_port(&mut tx, &network, other.id).await;
    for port in [&guarded, &apart] {
        binding::bind(&mut tx, port.server.unwrap(), &host, None, &context())
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();

    let mut tx = store.begin().await.unwrap();
    rules::create(&mut tx, web.id, project, ssh())
        .await
        .unwrap();
    assert_eq!(refresh::flush(&mut tx, &context(), 100).await.unwrap(), 1);
    let told = told(&tx.commit().await.unwrap());
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].spec.id, guarded.id);
    assert!(told[0].generation > guarded.generation.next());
    let rule = told[0]
        .spec
        .rules
        .iter()
        .find(|r| r.direction == Direction::Ingress)
        .unwrap();
    assert_eq!(rule.matches, PacketMatch::Tcp(Some((22, 22))));
    assert!(rule.remotes.is_empty(), "0.0.0.0/0 is anywhere");
    assert!(!refresh::is_needed(store).await.unwrap());
}

async fn neighbours_learn_of_a_new_member_and_of_one_that_left(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let (network, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let (elsewhere, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let group = groups::ensure_default(&mut tx, project).await.unwrap();
    let host = a_host(&mut tx, "node-1").await;
    let stranger = groups::create(&mut tx, project, "web", "").await.unwrap();
    a_port(&mut tx, &network, stranger.id).await;
    let first = a_port(&mut tx, &network, group.id).await;
    binding::bind(&mut tx, first.server.unwrap(), &host, None, &context())
        .await
        .unwrap();
    a_port(&mut tx, &elsewhere, group.id).await;
    assert_eq!(
        refresh::flush(&mut tx, &context(), 100).await.unwrap(),
        0,
        "another network"
    );

    let second = a_port(&mut tx, &network, group.id).await;
    assert_eq!(refresh::flush(&mut tx, &context(), 100).await.unwrap(), 1);
    let last = told(&tx.commit().await.unwrap()).pop().unwrap();
    assert_eq!(last.spec.id, first.id);
    let from: Vec<_> = last
        .spec
        .rules
        .iter()
        .flat_map(|rule| rule.remotes.clone())
        .collect();
    assert!(
        [first.address, second.address]
            .iter()
            .all(|a| from.iter().any(|net| net.contains(a)))
    );
    assert!(
        from.iter()
            .map(|net| 1_u32 << (32 - net.prefix_len()))
            .sum::<u32>()
            == 2,
        "{from:?}"
    );

    let mut tx = store.begin().await.unwrap();
    ports::release(&mut tx, &second).await.unwrap();
    assert_eq!(refresh::flush(&mut tx, &context(), 100).await.unwrap(), 1);
    let last = told(&tx.commit().await.unwrap()).pop().unwrap();
    let from: Vec<_> = last
        .spec
        .rules
        .iter()
        .flat_map(|rule| rule.remotes.clone())
        .collect();
    assert!(
        !from.iter().any(|net| net.contains(&second.address)),
        "{from:?}"
    );
}

/// What a host was last told that may come in, of the ports that were told anew.
async fn told_anew(store: &Store) -> Vec<Vec<Ipv4Net>> {
    let mut tx = store.begin().await.unwrap();
    refresh::flush(&mut tx, &context(), 100).await.unwrap();
    let told = told(&tx.commit().await.unwrap());
    told.iter().map(remotes_of).collect()
}

async fn where_all_ports_are_members_neighbours_need_not_be_told(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let (network, subnet) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let group = groups::ensure_default(&mut tx, project).await.unwrap();
    let host = a_host(&mut tx, "node-1").await;
    let first = a_port(&mut tx, &network, group.id).await;
    binding::bind(&mut tx, first.server.unwrap(), &host, None, &context())
        .await
        .unwrap();
    let at_first = told(&tx.commit().await.unwrap()).pop().unwrap();
    let from = remotes_of(&at_first);
    let covers = |from: &[Ipv4Net], address: Ipv4Addr| from.iter().any(|n| n.contains(&address));
    assert!(covers(&from, first.address) && covers(&from, [10, 0, 0, 200].into()));
    assert!(!covers(&from, subnet.gateway), "the gateway is no member");

    let mut tx = store.begin().await.unwrap();
    let second = a_port(&mut tx, &network, group.id).await;
    let third = a_port(&mut tx, &network, group.id).await;
    ports::release(&mut tx, &third).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!refresh::is_needed(store).await.unwrap());

    // One that is no member comes: from now on the members are listed.
    let mut tx = store.begin().await.unwrap();
    let web = groups::create(&mut tx, project, "web", "").await.unwrap();
    let stranger = a_port(&mut tx, &network, web.id).await;
    tx.commit().await.unwrap();
    let from = told_anew(store).await.remove(0);
    assert!(covers(&from, first.address) && covers(&from, second.address));
    assert!(!covers(&from, stranger.address) && !covers(&from, third.address));

    // It joins them, and all are members again; it leaves, and they are not; it goes.
    for (groups, all) in [(vec![group.id], true), (vec![web.id], false)] {
        let mut tx = store.begin().await.unwrap();
        groups::set_of_port(&mut tx, &stranger, &groups)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let from = told_anew(store).await.remove(0);
        assert_eq!(covers(&from, [10, 0, 0, 200].into()), all, "{from:?}");
        assert!(covers(&from, second.address));
    }
    let mut tx = store.begin().await.unwrap();
    ports::release(&mut tx, &stranger).await.unwrap();
    tx.commit().await.unwrap();
    let from = told_anew(store).await.remove(0);
    assert!(covers(&from, [10, 0, 0, 200].into()), "{from:?}");
}

fn remotes_of(ensure: &PortEnsure) -> Vec<Ipv4Net> {
    let rules = ensure.spec.rules.iter();
    rules.flat_map(|rule| rule.remotes.clone()).collect()
}

async fn a_group_without_members_here_lets_nobody_in(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let (network, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let web = groups::create(&mut tx, project, "web", "").await.unwrap();
    let empty = groups::create(&mut tx, project, "empty", "").await.unwrap();
    let mut from_empty = NewRule::any(Direction::Ingress, "IPv4");
    from_empty.remote_group = Some(empty.id);
    rules::create(&mut tx, web.id, project, from_empty)
        .await
        .unwrap();
    let port = a_port(&mut tx, &network, web.id).await;
    let spec = crate::networks::spec::Specs::default()
        .of(&mut tx, &port)
        .await
        .unwrap();
    assert!(
        spec.rules
            .iter()
            .all(|rule| rule.direction == Direction::Egress),
        "{:?}",
        spec.rules
    );
}

async fn deleting_a_group_takes_the_rules_that_speak_of_it(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let (network, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let web = groups::create(&mut tx, project, "web", "").await.unwrap();
    let trusted = groups::create(&mut tx, project, "trusted", "")
        .await
        .unwrap();
    let mut from_trusted = NewRule::any(Direction::Ingress, "IPv4");
    from_trusted.remote_group = Some(trusted.id);
    rules::create(&mut tx, web.id, project, from_trusted)
        .await
        .unwrap();
    let host = a_host(&mut tx, "node-1").await;
    let port = a_port(&mut tx, &network, web.id).await;
    let member = a_port(&mut tx, &network, trusted.id).await;
    binding::bind(&mut tx, port.server.unwrap(), &host, None, &context())
        .await
        .unwrap();
    assert!(matches!(
        groups::delete(&mut tx, &trusted).await,
        Err(Error::Conflict(_))
    ));
    groups::set_of_port(&mut tx, &member, &[]).await.unwrap();
    groups::delete(&mut tx, &trusted).await.unwrap();
    assert_eq!(refresh::flush(&mut tx, &context(), 100).await.unwrap(), 1);
    let last = told(&tx.commit().await.unwrap()).pop().unwrap();
    assert!(
        last.spec
            .rules
            .iter()
            .all(|rule| rule.direction == Direction::Egress)
    );
}
