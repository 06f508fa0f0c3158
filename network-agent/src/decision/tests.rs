//! Repeated, reordered and impossible commands.

use super::*;
use crate::testing;

fn ensure(n: u8, generation: i64) -> Wish {
    let spec = testing::port(n);
    Wish::Ensure(Box::new(PortEnsure {
        operation: None,
        generation: Generation(generation),
        spec,
    }))
}

fn remove(n: u8, generation: i64) -> Wish {
    let spec = testing::port(n);
    let (port, network) = (spec.id, spec.network.id);
    Wish::Remove(PortRemove {
        operation: None,
        port,
        network,
        generation: Generation(generation),
    })
}

/// The records after a decision.
fn after(mut records: Records, wishes: &[Wish]) -> (Records, Vec<(PortState, i64)>) {
    let decision = decide(&records, wishes);
    for (id, port) in decision.ports {
        match port {
            Some(port) => drop(records.ports.insert(id, port)),
            None => drop(records.ports.remove(&id)),
        }
    }
    records.gone.extend(decision.gone);
    let answers = decision
        .answers
        .iter()
        .map(|a| (a.state, a.generation.0))
        .collect();
    (records, answers)
}

#[test]
fn the_same_command_again_is_answered_the_same() {
    let (once, first) = after(Records::default(), &[ensure(7, 1)]);
    let (twice, second) = after(once.clone(), &[ensure(7, 1)]);
    assert_eq!((once, first), (twice, second));
}

#[test]
fn an_older_wish_that_comes_late_changes_nothing() {
    let (records, _) = after(Records::default(), &[ensure(7, 3)]);
    let (same, answers) = after(records.clone(), &[ensure(7, 2), remove(7, 2)]);
    assert_eq!(same, records);
    assert_eq!(answers, [(PortState::Up, 3), (PortState::Up, 3)]);

    let (records, _) = after(records, &[remove(7, 4)]);
    let (same, answers) = after(records.clone(), &[ensure(7, 3)]);
    assert_eq!(
        (same.ports.len(), answers),
        (0, vec![(PortState::Absent, 4)])
    );
}

#[test]
fn all_in_one_batch_is_as_one_after_the_other() {
    let wishes = [
        ensure(7, 1),
        ensure(8, 1),
        remove(7, 2),
        ensure(7, 1),
        ensure(8, 2),
        ensure(7, 3),
    ];
    let (batch, _) = after(Records::default(), &wishes);
    let mut single = Records::default();
    for wish in &wishes {
        single = after(single, std::slice::from_ref(wish)).0;
    }
    assert_eq!(batch.ports, single.ports);
    assert!(
        decide(&Records::default(), &wishes).doomed.is_empty(),
        "a port that is back has a tap"
    );
}

#[test]
fn removing_what_is_not_there_is_done_at_once() {
    let decision = decide(&Records::default(), &[remove(7, 1)]);
    assert_eq!(decision.answers[0].state, PortState::Absent);
    assert!(decision.doomed.contains(&spec::tap(testing::port(7).id)));
}

#[test]
fn whoever_holds_the_address_makes_room_and_is_reported_gone() {
    let (records, _) = after(Records::default(), &[ensure(7, 5)]);
    let mut spec = testing::port(8);
    spec.address = testing::port(7).address;
    let wish = Wish::Ensure(Box::new(PortEnsure {
        operation: None,
        generation: Generation(1),
        spec,
    }));
    let decision = decide(&records, &[wish]);
    let states: Vec<_> = decision.answers.iter().map(|a| (a.port, a.state)).collect();
    assert_eq!(
        states,
        [
            (testing::port(8).id, PortState::Up),
            (testing::port(7).id, PortState::Absent)
        ]
    );
}

#[test]
fn a_port_that_cannot_be_is_refused_with_its_reason_and_the_others_are_made() {
    let mut spec = testing::port(8);
    spec.mac = "nonsense".to_owned();
    let bad = Wish::Ensure(Box::new(PortEnsure {
        operation: None,
        generation: Generation(1),
        spec,
    }));
    let (records, answers) = after(Records::default(), &[bad, ensure(7, 1)]);
    assert_eq!(answers, [(PortState::Down, 1), (PortState::Up, 1)]);
    assert_eq!(records.ports.len(), 1);
}

#[test]
fn a_floating_ip_is_the_port_s_that_got_it_last_and_a_repeated_wish_gets_nothing() {
    let with = |n, generation| {
        let Wish::Ensure(mut ensure) = ensure(n, generation) else {
            unreachable!()
        };
        ensure.spec.floating = vec![[203, 0, 113, 9].into()];
        Wish::Ensure(ensure)
    };
    let holder = |records: &Records| records.floating().into_values().next();
    let (seven, eight) = (testing::port(7).id, testing::port(8).id);
    let (records, _) = after(Records::default(), &[with(7, 1)]);
    let (records, _) = after(records, &[with(8, 1)]);
    assert_eq!(holder(&records), Some(eight));
    // The same wish again, before the one arrives that takes it from the former.
    let (records, _) = after(records, &[with(7, 1)]);
    assert_eq!(holder(&records), Some(eight));
    let (records, _) = after(records, &[ensure(7, 2)]);
    assert_eq!(holder(&records), Some(eight));
    let (records, _) = after(records, &[remove(8, 2)]);
    assert_eq!(holder(&records), None);
    // In one batch the last word counts, too.
    let (records, _) = after(records, &[with(8, 3), with(7, 3)]);
    assert_eq!(holder(&records), Some(seven));
}

/// The wish for port N whose network is described for the so-manieth time, by its MTU.
fn described(n: u8, generation: i64, revision: i64, mtu: u16) -> Wish {
    let Wish::Ensure(mut ensure) = ensure(n, generation) else {
        unreachable!("it is made by `ensure`")
    };
    (ensure.spec.network.revision, ensure.spec.network.mtu) = (revision, mtu);
    Wish::Ensure(ensure)
}

/// What the network's MTU is after these wishes, where it was described as `recorded` before.
fn mtu_after(recorded: Option<(i64, u16)>, wishes: &[Wish]) -> Option<u16> {
    let mut records = Records::default();
    if let Some((revision, mtu)) = recorded {
        let mut network = testing::network(&[]);
        (network.spec.revision, network.spec.mtu) = (revision, mtu);
        let (spec, transit) = (network.spec, network.transit);
        let record = crate::record::NetworkRecord { spec, transit };
        records.networks.insert(record.spec.id, record);
        (records, _) = after(records, &[described(7, 5, revision, mtu)]);
    }
    let decision = decide(&records, wishes);
    let states: Vec<PortState> = decision.answers.iter().map(|answer| answer.state).collect();
    assert!(
        states.iter().all(|state| *state == PortState::Up),
        "{states:?}"
    );
    decision.spec.map(|spec| spec.mtu)
}

#[test]
fn of_two_descriptions_of_a_network_the_newer_counts_whichever_port_brings_it() {
    assert_eq!(mtu_after(None, &[described(8, 1, 4, 1400)]), Some(1400));
    let known = Some((4, 1400));
    assert_eq!(mtu_after(known, &[described(8, 1, 5, 1450)]), Some(1450));
    // The port is made; what it says of its network is old.
    assert_eq!(mtu_after(known, &[described(8, 1, 3, 1500)]), None);
    let both = [described(8, 1, 6, 1500), described(9, 1, 5, 1450)];
    assert_eq!(mtu_after(known, &both), Some(1500));
    // An old command for a port may bring the newest word of its network.
    assert_eq!(mtu_after(known, &[described(7, 4, 5, 1450)]), Some(1450));
    assert_eq!(mtu_after(known, &[described(7, 4, 4, 1450)]), None);
    // Control planes that do not count are taken at their last word.
    let old = Some((0, 1400));
    assert_eq!(mtu_after(old, &[described(8, 1, 0, 1450)]), Some(1450));
    assert_eq!(mtu_after(old, &[described(7, 4, 0, 1450)]), None);
}

#[test]
fn what_is_cut_off_from_other_hosts_is_told_as_down() {
    let mut decision = decide(&Records::default(), &[ensure(7, 1), remove(8, 1)]);
    decision.cut_off(&Fault::new(FaultCode::NetworkNotReady, "no wire"));
    let states: Vec<PortState> = decision.answers.iter().map(|answer| answer.state).collect();
    assert_eq!(states, [PortState::Down, PortState::Absent]);
    assert!(decision.answers[0].fault.is_some() && decision.answers[1].fault.is_none());
    assert_eq!(decision.ports.len(), 2, "and made nevertheless");
}
