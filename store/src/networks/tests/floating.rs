//! Floating IPs: each is given out once and within its project's quota, and hosts learn where it leads.

use std::collections::HashSet;

use skybus_model::{HostName, id::NetworkId};

use super::*;
use crate::{
    Error,
    compute::quotas,
    networks::{
        FloatingIp, Scope, binding,
        bootstrap::FlatNetwork,
        floating::{self, NewFloatingIp},
        quotas as network_quotas,
    },
};

on_both! {
    ten_at_once_never_get_the_same_address
    ten_at_once_do_not_go_over_the_quota
    an_address_that_was_given_back_can_be_had_again
    a_wanted_address_is_given_out_if_it_is_free
    a_host_learns_what_leads_to_its_ports
    a_move_tells_both_hosts_first_the_one_that_loses
    what_leads_elsewhere_is_not_taken_away
    a_port_that_goes_takes_the_way_to_it_along
    a_port_of_an_owner_keeps_what_leads_to_it
    a_port_that_goes_while_it_is_led_to_leaves_nothing_astray
    one_project_does_not_see_anothers
    the_outside_is_made_once_and_is_for_nobodys_ports
}

pub(super) fn wish(network: NetworkId, project: ProjectId) -> NewFloatingIp {
    NewFloatingIp {
        project,
        network,
        address: None,
        description: String::new(),
    }
}

pub(super) async fn made(tx: &mut Tx, network: NetworkId, project: ProjectId) -> FloatingIp {
    let new = wish(network, project);
    floating::create(tx, new).await.unwrap().unwrap()
}

/// `tasks` tasks that make `each` floating IPs each, one transaction a piece, for the project of their
/// number. What they got.
async fn all_at_once(
    store: &Store,
    network: NetworkId,
    projects: &[ProjectId],
    each: usize,
) -> Vec<Result<std::net::Ipv4Addr, quotas::OverQuota>> {
    let mut tasks = tokio::task::JoinSet::new();
    for project in projects.iter().copied() {
        let store = store.clone();
        tasks.spawn(async move {
            let mut got = Vec::new();
            for _ in 0..each {
                let mut tx = store.begin().await.unwrap();
                let answer = floating::create(&mut tx, wish(network, project)).await;
                let answer = answer.unwrap().map(|floating| floating.address);
                if answer.is_ok() {
                    tx.commit().await.unwrap();
                }
                got.push(answer);
            }
            got
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

async fn ten_at_once_never_get_the_same_address(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    tx.commit().await.unwrap();
    let projects: Vec<_> = (0..10).map(|_| ProjectId::random()).collect();
    let got = all_at_once(store, outside.id, &projects, 20).await;
    let addresses: HashSet<_> = got.into_iter().map(Result::unwrap).collect();
    assert_eq!(addresses.len(), 200);
    let range: Ipv4Net = "172.17.1.0/24".parse().unwrap();
    let gateway = "172.17.1.1".parse().unwrap();
    assert!(addresses.iter().all(|one| range.contains(one)));
    assert!(!addresses.contains(&gateway), "the gateway was given out");
}

async fn ten_at_once_do_not_go_over_the_quota(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let project = ProjectId::random();
    let resource = network_quotas::Resource::FloatingIp;
    network_quotas::set(&mut tx, project, resource, 7)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let got = all_at_once(store, outside.id, &[project; 10], 3).await;
    assert_eq!(got.iter().filter(|one| one.is_ok()).count(), 7);
    let over = got.into_iter().find_map(Result::err).unwrap();
    assert_eq!((over.limit, over.used), (7, 7));
    let db = store.pool();
    let used = network_quotas::used(db, project, resource).await.unwrap();
    assert_eq!(used, 7);
    // One that is given back makes room for one.
    let one = floating::list(db, Scope::Project(project)).await.unwrap()[0].id;
    let mut tx = store.begin().await.unwrap();
    floating::delete(&mut tx, one, &context()).await.unwrap();
    tx.commit().await.unwrap();
    let again = all_at_once(store, outside.id, &[project; 2], 1).await;
    assert_eq!(again.iter().filter(|one| one.is_ok()).count(), 1);
}

async fn an_address_that_was_given_back_can_be_had_again(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let outside = the_outside(&mut tx, "172.17.1.0/29").await;
    let project = ProjectId::random();
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(made(&mut tx, outside.id, project).await);
    }
    let full = floating::create(&mut tx, wish(outside.id, project)).await;
    match full {
        Err(Error::Conflict(text)) => {
            assert!(text.contains("all 5 of 172.17.1.0/29"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    // A refusal is the end of its transaction.
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let gone = held.remove(2);
    floating::delete(&mut tx, gone.id, &context())
        .await
        .unwrap();
    let again = made(&mut tx, outside.id, project).await;
    assert_eq!(again.address, gone.address);
}

async fn a_wanted_address_is_given_out_if_it_is_free(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let at = |address: &str| NewFloatingIp {
        address: Some(address.parse().unwrap()),
        ..wish(outside.id, ProjectId::random())
    };
    let free = floating::create(&mut tx, at("172.17.1.77")).await;
    assert_eq!(free.unwrap().unwrap().address.to_string(), "172.17.1.77");
    for bad in [
        "172.17.1.77",
        "172.17.1.1",
        "172.17.1.0",
        "172.17.1.255",
        "172.17.2.5",
    ] {
        let refused = floating::create(&mut tx, at(bad)).await;
        assert!(
            matches!(refused, Err(Error::Conflict(_))),
            "{bad}: {refused:?}"
        );
    }
    let found = floating::at(tx.conn(), "172.17.1.77".parse().unwrap(), Scope::Everything).await;
    assert_eq!(found.unwrap().address.to_string(), "172.17.1.77");
}

/// A network with a port on each of the hosts.
pub(super) async fn ports_on(tx: &mut Tx, project: ProjectId, hosts: &[&HostName]) -> Vec<Port> {
    let (network, _) = a_network(tx, project, "10.0.0.0/24").await;
    let group = groups::ensure_default(tx, project).await.unwrap();
    let mut bound = Vec::new();
    for host in hosts {
        let server = a_port(tx, &network, group.id).await.server.unwrap();
        let mut now = binding::bind(tx, server, host, None, &context())
            .await
            .unwrap();
        bound.push(now.remove(0));
    }
    bound
}

fn told_floating(messages: &[Outgoing]) -> Vec<(String, Vec<String>)> {
    let keys = messages.iter().map(|message| message.routing_key.clone());
    let specs = told(messages).into_iter().map(|command| {
        let floating = command.spec.floating;
        floating.iter().map(ToString::to_string).collect()
    });
    keys.zip(specs).collect()
}

async fn a_host_learns_what_leads_to_its_ports(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let host = a_host(&mut tx, "node-1").await;
    let port = ports_on(&mut tx, project, &[&host]).await.remove(0);
    let (first, second) = (
        made(&mut tx, outside.id, project).await,
        made(&mut tx, outside.id, project).await,
    );
    tx.commit().await.unwrap();
    let key = "network.node-1.port.ensure".to_owned();
    let mut generation = port.generation;
    for (id, to, expected) in [
        (second.id, Some(port.id), vec!["172.17.1.3"]),
        (first.id, Some(port.id), vec!["172.17.1.2", "172.17.1.3"]),
        (second.id, None, vec!["172.17.1.2"]),
    ] {
        let mut tx = store.begin().await.unwrap();
        let now = floating::lead(&mut tx, id, to, &context()).await.unwrap();
        assert_eq!(now.port, to);
        let messages = tx.commit().await.unwrap();
        let expected = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(told_floating(&messages), [(key.clone(), expected)]);
        let newer = told(&messages)[0].generation;
        assert!(newer > generation, "the host would take it for old");
        generation = newer;
    }
    let mut tx = store.begin().await.unwrap();
    // What is so already is not told again.
    floating::lead(&mut tx, first.id, Some(port.id), &context())
        .await
        .unwrap();
    assert!(tx.commit().await.unwrap().is_empty());
    let mut tx = store.begin().await.unwrap();
    floating::delete(&mut tx, first.id, &context())
        .await
        .unwrap();
    let messages = tx.commit().await.unwrap();
    assert_eq!(told_floating(&messages), [(key, Vec::new())]);
    let gone = floating::get(store.pool(), first.id, Scope::Everything).await;
    assert!(matches!(gone, Err(Error::NotFound(_))));
}

async fn a_move_tells_both_hosts_first_the_one_that_loses(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let (a, b) = (a_host(&mut tx, "a").await, a_host(&mut tx, "b").await);
    let ports = ports_on(&mut tx, project, &[&a, &b]).await;
    let floating = made(&mut tx, outside.id, project).await;
    floating::lead(&mut tx, floating.id, Some(ports[0].id), &context())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let address = vec![floating.address.to_string()];
    // There and back: the order is not that of ids or names.
    for (to, loses, gets) in [(&ports[1], "a", "b"), (&ports[0], "b", "a")] {
        let mut tx = store.begin().await.unwrap();
        floating::lead(&mut tx, floating.id, Some(to.id), &context())
            .await
            .unwrap();
        let messages = tx.commit().await.unwrap();
        assert_eq!(
            told_floating(&messages),
            [
                (format!("network.{loses}.port.ensure"), Vec::new()),
                (format!("network.{gets}.port.ensure"), address.clone()),
            ]
        );
    }
}

async fn what_leads_elsewhere_is_not_taken_away(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let host = a_host(&mut tx, "node-1").await;
    let ports = ports_on(&mut tx, project, &[&host, &host]).await;
    let held = made(&mut tx, outside.id, project).await;
    for port in &ports {
        floating::lead(&mut tx, held.id, Some(port.id), &context())
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    // Whoever asked had read that it led to the first.
    let mut tx = store.begin().await.unwrap();
    let refused = floating::take_away(&mut tx, held.id, ports[0].id, &context()).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert!(tx.commit().await.unwrap().is_empty());
    let now = floating::get(store.pool(), held.id, Scope::Everything).await;
    assert_eq!(now.unwrap().port, Some(ports[1].id));
    let mut tx = store.begin().await.unwrap();
    let taken = floating::take_away(&mut tx, held.id, ports[1].id, &context()).await;
    assert_eq!(taken.unwrap().port, None);
    assert_eq!(told(&tx.commit().await.unwrap()).len(), 1);
}

async fn a_port_that_goes_takes_the_way_to_it_along(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let (network, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let group = groups::ensure_default(&mut tx, project).await.unwrap();
    let held = made(&mut tx, outside.id, project).await;
    let free = ports::create(&mut tx, NewPort::new(network.id, project))
        .await
        .unwrap();
    floating::lead(&mut tx, held.id, Some(free.id), &context())
        .await
        .unwrap();
    ports::delete_unused(&mut tx, &free).await.unwrap();
    let now = floating::get(tx.conn(), held.id, Scope::Everything).await;
    assert_eq!(now.unwrap().port, None);
    let servers = a_port(&mut tx, &network, group.id).await;
    floating::lead(&mut tx, held.id, Some(servers.id), &context())
        .await
        .unwrap();
    ports::release(&mut tx, &servers).await.unwrap();
    let now = floating::get(tx.conn(), held.id, Scope::Everything).await;
    let now = now.unwrap();
    assert_eq!(
        (now.port, now.status(), now.project),
        (None, "DOWN", project)
    );
    let missing = floating::lead(&mut tx, held.id, Some(servers.id), &context()).await;
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
}

async fn a_port_of_an_owner_keeps_what_leads_to_it(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let (network, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let host = a_host(&mut tx, "node-1").await;
    let own = ports::create(&mut tx, NewPort::new(network.id, project))
        .await
        .unwrap();
    let held = made(&mut tx, outside.id, project).await;
    // Nobody serves the port, so nobody is told; the host that gets it is, with all that leads to it.
    floating::lead(&mut tx, held.id, Some(own.id), &context())
        .await
        .unwrap();
    let server = ServerId::random();
    ports::attach(&mut tx, &own, server, "vm1", 0)
        .await
        .unwrap();
    binding::bind(&mut tx, server, &host, None, &context())
        .await
        .unwrap();
    let plugged = ports::of_server(tx.conn(), server).await.unwrap();
    ports::release(&mut tx, &plugged[0]).await.unwrap();
    let now = floating::get(tx.conn(), held.id, Scope::Everything).await;
    assert_eq!(now.unwrap().port, Some(own.id));
    let messages = tx.commit().await.unwrap();
    let key = "network.node-1.port.ensure".to_owned();
    let address = vec![held.address.to_string()];
    assert_eq!(told_floating(&messages), [(key, address)]);
}

async fn a_port_that_goes_while_it_is_led_to_leaves_nothing_astray(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let project = ProjectId::random();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let (network, _) = a_network(&mut tx, project, "10.0.0.0/24").await;
    let held = made(&mut tx, outside.id, project).await;
    tx.commit().await.unwrap();
    for _ in 0..30 {
        let mut tx = store.begin().await.unwrap();
        let port = ports::create(&mut tx, NewPort::new(network.id, project))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let led = async {
            let mut tx = store.begin().await.unwrap();
            let led = floating::lead(&mut tx, held.id, Some(port.id), &context()).await;
            match led {
                Ok(_) => drop(tx.commit().await.unwrap()),
                Err(error) => assert!(matches!(error, Error::NotFound(_)), "{error:?}"),
            }
        };
        let gone = async {
            let mut tx = store.begin().await.unwrap();
            ports::delete_unused(&mut tx, &port).await.unwrap();
            tx.commit().await.unwrap();
        };
        tokio::join!(led, gone);
        let now = floating::get(store.pool(), held.id, Scope::Everything).await;
        assert_eq!(now.unwrap().port, None);
    }
}

async fn one_project_does_not_see_anothers(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let (mine, theirs) = (ProjectId::random(), ProjectId::random());
    let held = made(&mut tx, outside.id, mine).await;
    let other = Scope::Project(theirs);
    assert!(floating::get(tx.conn(), held.id, other).await.is_err());
    assert!(floating::at(tx.conn(), held.address, other).await.is_err());
    assert!(floating::list(tx.conn(), other).await.unwrap().is_empty());
    let own = floating::list(tx.conn(), Scope::Project(mine)).await;
    assert_eq!(own.unwrap(), [held]);
    let seen = network::list(tx.conn(), other).await.unwrap();
    assert!(seen.iter().any(|network| network.id == outside.id));
}

async fn the_outside_is_made_once_and_is_for_nobodys_ports(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let flat = FlatNetwork::first_of("10.1.0.0/16".parse().unwrap(), 512, Vec::new()).unwrap();
    let flat = crate::networks::bootstrap::ensure_flat(&mut tx, ProjectId::random(), &flat);
    let flat = flat.await.unwrap();
    let outside = the_outside(&mut tx, "172.17.1.0/24").await;
    let again = the_outside(&mut tx, "192.0.2.0/24").await;
    assert_eq!(again.id, outside.id);
    assert!(outside.external && !outside.shared && !flat.external);
    let refused = ports::create(&mut tx, NewPort::new(outside.id, ProjectId::random())).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    let held = made(&mut tx, outside.id, ProjectId::random()).await;
    let subnet = subnets::of_network(tx.conn(), outside.id).await.unwrap();
    let subnet = subnet.unwrap();
    for refused in [
        network::delete(&mut tx, outside.id).await,
        subnets::delete(&mut tx, &subnet).await,
    ] {
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    }
    floating::delete(&mut tx, held.id, &context())
        .await
        .unwrap();
    network::delete(&mut tx, outside.id).await.unwrap();
}
