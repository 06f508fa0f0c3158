//! Interfaces come and go, and what cannot be is undone; on both engines.

use skybus_model::{
    Fault, FaultCode, Timestamp,
    id::PortId,
    message::{Outgoing, event::PortState},
    server::Power,
};

use super::*;
use crate::{
    lifecycle::{
        overdue::{self, Done},
        tests::{Story, keys, on_both},
    },
    networks::{NewPort, floating, ports::DOWN},
};

on_both! {
    an_interface_comes
    an_interface_goes_and_what_led_to_it_leads_nowhere
    a_port_of_its_owner_outlives_its_stay
    what_the_machine_refuses_leaves_nothing
    what_the_guest_keeps_stays
    places_are_kept_and_given_again
    what_was_not_heard_is_said_again_and_a_silent_host_is_given_up
    only_where_it_can_be
}

const SOME: &str = "The guest did not let go of the interface.";

async fn plug(
    story: &Story,
    id: ServerId,
    into: Into,
) -> std::result::Result<(PortId, Vec<Outgoing>), String> {
    let mut tx = story.cloud.store.begin().await.unwrap();
    let mut server = servers::load(&mut tx, id).await.unwrap();
    let context = Context::begin();
    let wish = wish(story, Request::AttachInterface, &context);
    match attach(&mut tx, &mut server, &wish, into).await {
        Ok(Ok(port)) => Ok((port, tx.commit().await.unwrap())),
        Ok(Err(conflict)) => Err(conflict.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

async fn unplug(
    story: &Story,
    id: ServerId,
    port: PortId,
) -> std::result::Result<Vec<Outgoing>, String> {
    let mut tx = story.cloud.store.begin().await.unwrap();
    let mut server = servers::load(&mut tx, id).await.unwrap();
    let context = Context::begin();
    let wish = wish(story, Request::DetachInterface, &context);
    match detach(&mut tx, &mut server, &wish, port).await {
        Ok(Ok(())) => Ok(tx.commit().await.unwrap()),
        Ok(Err(conflict)) => Err(conflict.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn wish<'a>(story: &'a Story, request: Request, context: &'a Context) -> Wish<'a> {
    Wish {
        request,
        actor: story.cloud.user,
        context,
        key: &story.cloud.key,
    }
}

fn new(story: &Story) -> Into {
    Into::New(Box::new(NewPort::new(
        story.cloud.network,
        story.cloud.project,
    )))
}

async fn own_port(story: &Story) -> PortId {
    let mut tx = story.cloud.store.begin().await.unwrap();
    let new = NewPort::new(story.cloud.network, story.cloud.project);
    let port = ports::create(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
    port.id
}

/// The ports that the host was last told of.
async fn told(story: &Story) -> Vec<String> {
    let told = story.last_told("server.ensure/1").await;
    let nics = told["spec"]["nics"].as_array().unwrap().clone();
    nics.iter()
        .map(|nic| nic["port"].as_str().unwrap().to_owned())
        .collect()
}

async fn fail(story: &mut Story, id: ServerId) {
    let host = story.a.clone();
    let mut report = story.server_report(id, &host, Power::Running).await;
    report.fault = Some(Fault::new(FaultCode::Internal, SOME));
    story.send(&report).await;
}

async fn look_after(story: &Story, id: ServerId) -> Done {
    let mut open = story.operations(id).await;
    let mut due = open.pop().unwrap();
    let mut tx = story.cloud.store.begin().await.unwrap();
    due.wake_at = Timestamp(0);
    operations::save(&mut tx, &due).await.unwrap();
    let done = overdue::look_after(&mut tx, &due, story.cloud.caretaker())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    done
}

async fn last(story: &Story, id: ServerId) -> Operation {
    story.operations(id).await.pop().unwrap()
}

async fn is_whole(story: &Story) {
    let look = crate::audit::Look {
        now: Timestamp::now(),
        bus_is_well: true,
    };
    let findings = crate::audit::find(&story.cloud.store, &look).await.unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

async fn an_interface_comes(mut story: Story) {
    let server = story.running("vm1").await;
    let (port, told_now) = plug(&story, server, new(&story)).await.unwrap();
    assert_eq!(
        keys(&told_now),
        ["network.a.port.ensure", "compute.a.server.ensure"]
    );
    let row = story.server(server).await;
    assert_eq!(row.state.task, Some(Task::AttachingInterface));
    assert_eq!(told(&story).await[1], port.to_string());
    assert_eq!(
        last(&story, server).await.kind,
        OperationKind::AttachInterface
    );
    let host = story.a.clone();
    story.report(server, &host, Power::Running).await;
    let row = story.server(server).await;
    assert_eq!((row.state.status(), row.state.task), ("ACTIVE", None));
    assert_eq!(last(&story, server).await.step, Step::Done);
    let all = story.ports(server).await;
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|port| port.plug == Plug::Stays));
    is_whole(&story).await;
}

async fn an_interface_goes_and_what_led_to_it_leads_nowhere(mut story: Story) {
    let server = story.running("vm1").await;
    let floating = story.floating(server).await;
    let port = story.ports(server).await.remove(0);
    let told_now = unplug(&story, server, port.id).await.unwrap();
    assert_eq!(keys(&told_now), ["compute.a.server.ensure"]);
    assert!(told(&story).await.is_empty(), "it is to go");
    assert_eq!(
        story.ports(server).await.len(),
        1,
        "the machine has it still"
    );
    let host = story.a.clone();
    story.report(server, &host, Power::Running).await;
    let removed = story.last_told("port.remove/1").await;
    assert_eq!(removed["port"], port.id.to_string());
    let row = story.server(server).await;
    assert_eq!(row.state.task, Some(Task::DetachingInterface));
    story.report_port(&port, &host, PortState::Absent).await;
    let row = story.server(server).await;
    assert_eq!((row.state.status(), row.state.task), ("ACTIVE", None));
    assert_eq!(last(&story, server).await.step, Step::Done);
    assert!(story.ports(server).await.is_empty());
    let db = story.cloud.store.pool();
    let held = floating::get(db, floating, Scope::Everything)
        .await
        .unwrap();
    assert_eq!(held.port, None);
    is_whole(&story).await;
}

async fn a_port_of_its_owner_outlives_its_stay(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    let own = own_port(&story).await;
    plug(&story, server, Into::Port(own)).await.unwrap();
    let other = story.running("vm2").await;
    let refused = plug(&story, other, Into::Port(own)).await.unwrap_err();
    assert!(refused.contains("in use"), "{refused}");
    story.report(server, &host, Power::Running).await;
    unplug(&story, server, own).await.unwrap();
    story.report(server, &host, Power::Running).await;
    let db = &story.cloud.store.pool().clone();
    let port = ports::get(db, own, Scope::Everything).await.unwrap();
    story.report_port(&port, &host, PortState::Absent).await;
    let port = ports::get(db, own, Scope::Everything).await.unwrap();
    assert_eq!((port.server, port.device.as_str()), (None, ""));
    assert_eq!((port.host, port.status.as_str()), (None, DOWN));
    plug(&story, other, Into::Port(own)).await.unwrap();
}

async fn what_the_machine_refuses_leaves_nothing(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    let (port, _) = plug(&story, server, new(&story)).await.unwrap();
    fail(&mut story, server).await;
    assert_eq!(look_after(&story, server).await, Done::SentAgain);
    assert!(!told(&story).await.contains(&port.to_string()));
    story.report(server, &host, Power::Running).await;
    let goes = story.ports(server).await;
    let goes = goes.iter().find(|one| one.id == port).unwrap().clone();
    story.report_port(&goes, &host, PortState::Absent).await;
    assert_eq!(story.ports(server).await.len(), 1);
    let row = story.server(server).await;
    assert_eq!((row.state.status(), row.state.task), ("ACTIVE", None));
    let operation = last(&story, server).await;
    assert_eq!(operation.step, Step::Failed);
    assert_eq!(operation.fault.unwrap().message, SOME);
    is_whole(&story).await;
}

async fn what_the_guest_keeps_stays(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    let port = story.ports(server).await.remove(0);
    unplug(&story, server, port.id).await.unwrap();
    fail(&mut story, server).await;
    look_after(&story, server).await;
    assert_eq!(told(&story).await, [port.id.to_string()]);
    story.report(server, &host, Power::Running).await;
    let row = story.server(server).await;
    assert_eq!((row.state.status(), row.state.task), ("ACTIVE", None));
    let operation = last(&story, server).await;
    assert_eq!(operation.step, Step::Failed);
    assert_eq!(operation.fault.unwrap().message, SOME);
    assert_eq!(story.ports(server).await[0].plug, Plug::Stays);
    is_whole(&story).await;
}

async fn places_are_kept_and_given_again(mut story: Story) {
    let server = story.running("vm1").await;
    let host = story.a.clone();
    for _ in 1..MOST_INTERFACES {
        plug(&story, server, new(&story)).await.unwrap();
        story.report(server, &host, Power::Running).await;
    }
    let refused = plug(&story, server, new(&story)).await.unwrap_err();
    assert!(refused.contains("16 interfaces"), "{refused}");
    let third = story.ports(server).await.remove(2);
    unplug(&story, server, third.id).await.unwrap();
    story.report(server, &host, Power::Running).await;
    story.report_port(&third, &host, PortState::Absent).await;
    let places = |all: &[Port]| all.iter().map(|one| one.position).collect::<Vec<_>>();
    let left: Vec<i64> = (0..16).filter(|place| *place != 2).collect();
    assert_eq!(places(&story.ports(server).await), left);
    let (port, _) = plug(&story, server, new(&story)).await.unwrap();
    assert_eq!(story.ports(server).await[2].id, port);
}

async fn what_was_not_heard_is_said_again_and_a_silent_host_is_given_up(mut story: Story) {
    let server = story.running("vm1").await;
    let (port, _) = plug(&story, server, new(&story)).await.unwrap();
    assert_eq!(look_after(&story, server).await, Done::SentAgain);
    assert_eq!(told(&story).await[1], port.to_string());
    let before = story.server(server).await.generation;
    let mut late = last(&story, server).await;
    late.deadline = Timestamp(1);
    let mut tx = story.cloud.store.begin().await.unwrap();
    operations::save(&mut tx, &late).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(look_after(&story, server).await, Done::Ended);
    assert_eq!(story.ports(server).await.len(), 1, "its address is free");
    let row = story.server(server).await;
    assert_eq!((row.state.status(), row.state.task), ("ACTIVE", None));
    assert!(
        row.generation > before,
        "what the host says late counts for nothing"
    );
    assert_eq!(last(&story, server).await.step, Step::Failed);
    is_whole(&story).await;
}

async fn only_where_it_can_be(mut story: Story) {
    let (booting, _) = story.cloud.boot("vm0").await;
    assert!(plug(&story, booting, new(&story)).await.is_err());
    let server = story.running("vm1").await;
    let port = story.ports(server).await.remove(0);
    let other = story.running("vm2").await;
    assert!(unplug(&story, other, port.id).await.is_err(), "not its own");
    unplug(&story, server, port.id).await.unwrap();
    let busy = plug(&story, server, new(&story)).await.unwrap_err();
    assert!(busy.contains("detaching_interface"), "{busy}");
    // A delete overtakes it.
    story.ask(server, Request::Delete).await.unwrap();
    let host = story.a.clone();
    story.report(server, &host, Power::Absent).await;
    story.report_port(&port, &host, PortState::Absent).await;
    assert_eq!(story.server(server).await.state.status(), "DELETED");
    assert!(story.ports(server).await.is_empty());
}
