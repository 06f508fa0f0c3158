//! What holds in every state that a server can get into: all of them are visited.

use std::collections::HashSet;

use super::*;

/// What can happen to a server.
fn everything_that_can_happen(state: ServerState) -> Vec<ServerState> {
    let mut next: Vec<ServerState> = Request::ALL
        .into_iter()
        .filter_map(|request| accept(state, request).ok())
        .collect();
    next.extend(Power::ALL.iter().map(|power| observe(state, *power)));
    next.push(fail(state));
    // A host was found for it, or has to be found again.
    let placed = |task| ServerState {
        task: Some(task),
        ..state
    };
    match state.task {
        Some(Task::Scheduling) => next.push(placed(Task::Spawning)),
        Some(Task::Spawning) => next.push(placed(Task::Scheduling)),
        _ => {}
    }
    next
}

fn reachable_from(start: ServerState) -> HashSet<ServerState> {
    let (mut known, mut ahead) = (HashSet::from([start]), vec![start]);
    while let Some(state) = ahead.pop() {
        for next in everything_that_can_happen(state) {
            if known.insert(next) {
                ahead.push(next);
            }
        }
    }
    known
}

fn reachable() -> HashSet<ServerState> {
    reachable_from(ServerState::ACCEPTED)
}

#[test]
fn every_way_on_leads_to_rest_and_to_the_end() {
    for state in reachable() {
        let ahead = reachable_from(state);
        assert!(
            ahead.iter().any(|next| next.task.is_none()),
            "{state:?} never comes to rest"
        );
        assert!(
            ahead.contains(&ServerState::settled(VmState::Deleted)),
            "{state:?} is never gone"
        );
    }
}

#[test]
fn no_way_leads_into_a_state_that_means_nothing() {
    let seen = reachable();
    for state in &seen {
        let fits = match (state.vm, state.task) {
            (VmState::Building, task) => {
                matches!(
                    task,
                    Some(Task::Scheduling | Task::Spawning | Task::Deleting)
                )
            }
            (VmState::Deleted, task) => task.is_none(),
            (_, Some(Task::Scheduling | Task::Spawning)) => false,
            (vm, Some(Task::PoweringOn)) => vm == VmState::Stopped,
            (vm, Some(Task::Rebooting)) => vm == VmState::Active,
            (vm, Some(Task::PoweringOff)) => vm != VmState::Stopped,
            (vm, Some(Task::AttachingInterface | Task::DetachingInterface)) => vm != VmState::Error,
            (_, None | Some(Task::RebootingHard | Task::Deleting)) => true,
        };
        assert!(fits, "{state:?}");
    }
    for vm in VmState::ALL.iter().filter(|vm| **vm != VmState::Building) {
        assert!(seen.contains(&ServerState::settled(*vm)), "{vm}");
    }
}

#[test]
fn what_was_accepted_is_being_done_and_changes_nothing_else() {
    for state in reachable() {
        for request in Request::ALL {
            if let Ok(next) = accept(state, request) {
                assert_eq!(next.vm, state.vm, "{state:?} {request:?}");
                assert_ne!(next.task, None, "{state:?} {request:?}");
                let overtakes = request == Request::Delete || request == Request::RebootHard;
                assert!(state.task.is_none() || overtakes, "{state:?} {request:?}");
            }
        }
    }
}

/// What a machine that is so makes of a server; nothing when only what is being done can tell.
const fn means(power: Power) -> Option<VmState> {
    match power {
        Power::Running => Some(VmState::Active),
        Power::Shutdown => Some(VmState::Stopped),
        Power::Paused => Some(VmState::Paused),
        Power::Unknown | Power::Crashed | Power::Absent => None,
    }
}

#[test]
fn a_report_invents_nothing() {
    for state in reachable() {
        for power in Power::ALL {
            let next = observe(state, *power);
            if next == state {
                continue;
            }
            assert_eq!(
                next.task, None,
                "{state:?} {power}: a report begins nothing"
            );
            let expected = match (state.task, power) {
                (Some(Task::Deleting), Power::Absent) => VmState::Deleted,
                (Some(Task::PoweringOff), Power::Crashed) => VmState::Stopped,
                (None, Power::Crashed | Power::Absent) => VmState::Error,
                _ => means(*power).expect("it cannot tell"),
            };
            assert_eq!(next.vm, expected, "{state:?} {power}");
        }
    }
}

#[test]
fn the_outcome_that_was_asked_for_settles_it() {
    let doing = |vm, task| ServerState {
        vm,
        task: Some(task),
    };
    for (state, power, vm) in [
        (
            doing(VmState::Building, Task::Spawning),
            Power::Running,
            VmState::Active,
        ),
        (
            doing(VmState::Building, Task::Spawning),
            Power::Shutdown,
            VmState::Stopped,
        ),
        (
            doing(VmState::Stopped, Task::PoweringOn),
            Power::Running,
            VmState::Active,
        ),
        (
            doing(VmState::Stopped, Task::PoweringOn),
            Power::Shutdown,
            VmState::Stopped,
        ),
        (
            doing(VmState::Active, Task::Rebooting),
            Power::Running,
            VmState::Active,
        ),
        (
            doing(VmState::Error, Task::RebootingHard),
            Power::Running,
            VmState::Active,
        ),
        (
            doing(VmState::Active, Task::RebootingHard),
            Power::Shutdown,
            VmState::Stopped,
        ),
        (
            doing(VmState::Active, Task::PoweringOff),
            Power::Crashed,
            VmState::Stopped,
        ),
        (
            doing(VmState::Active, Task::Rebooting),
            Power::Paused,
            VmState::Paused,
        ),
        (
            doing(VmState::Building, Task::Spawning),
            Power::Paused,
            VmState::Paused,
        ),
    ] {
        assert_eq!(
            observe(state, power),
            ServerState::settled(vm),
            "{state:?} {power}"
        );
    }
}

#[test]
fn what_is_seen_on_the_way_settles_nothing() {
    for state in reachable().into_iter().filter(|state| state.task.is_some()) {
        let passing: &[Power] = match state.task {
            Some(Task::Deleting) => &[
                Power::Running,
                Power::Paused,
                Power::Shutdown,
                Power::Crashed,
            ],
            Some(Task::PoweringOff) => &[Power::Running, Power::Paused, Power::Absent],
            Some(Task::Scheduling) => &[
                Power::Running,
                Power::Shutdown,
                Power::Crashed,
                Power::Absent,
            ],
            _ => &[Power::Crashed, Power::Absent],
        };
        for power in passing.iter().chain(&[Power::Unknown]) {
            assert_eq!(observe(state, *power), state, "{power}");
        }
    }
}

#[test]
fn a_failure_is_shown_and_ends_what_was_being_done() {
    for state in reachable() {
        let stays = state.vm == VmState::Deleted || state.task == Some(Task::Deleting);
        let expected = match state.task {
            _ if stays => state,
            Some(Task::AttachingInterface | Task::DetachingInterface) => {
                ServerState::settled(state.vm)
            }
            _ => ServerState::settled(VmState::Error),
        };
        assert_eq!(fail(state), expected);
    }
}

#[test]
fn a_report_that_comes_twice_says_nothing_new() {
    for state in reachable() {
        for power in Power::ALL {
            let once = observe(state, *power);
            // A stop that a crash ended is a stop; what crashes afterwards was not asked to end.
            let stopped_by_crash =
                state.task == Some(Task::PoweringOff) && *power == Power::Crashed;
            if !stopped_by_crash {
                assert_eq!(observe(once, *power), once, "{state:?} {power}");
            }
        }
    }
}
