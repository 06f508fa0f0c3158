//! Repeated, reordered and impossible commands.

use super::*;
use crate::testing;

fn ensure(n: u8, generation: i64) -> Wish {
    let spec = testing::port(n);
    Wish::Ensure(PortEnsure {
        operation: None,
        generation: Generation(generation),
        spec,
    })
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
    let wish = Wish::Ensure(PortEnsure {
        operation: None,
        generation: Generation(1),
        spec,
    });
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
    let bad = Wish::Ensure(PortEnsure {
        operation: None,
        generation: Generation(1),
        spec,
    });
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
