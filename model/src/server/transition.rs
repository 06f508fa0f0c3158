//! Every allowed change of a server's state, in one place.
//!
//! Two things change it: a [`Request`] that the API accepted, and what the host reports. Both are pure
//! functions, so that tests can try all of them. Deleting is allowed from every state and nothing but
//! its completion leaves it.

use super::state::{Power, ServerState, Task, VmState};

/// What a user or operator may ask of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// Turn it on.
    Start,
    /// Turn it off.
    Stop,
    /// Ask the guest to reboot.
    RebootSoft,
    /// Reset the machine.
    RebootHard,
    /// Plug it into one more network.
    AttachInterface,
    /// Unplug it from a network.
    DetachInterface,
    /// Remove it.
    Delete,
}

impl Request {
    /// Every request.
    pub const ALL: [Self; 7] = [
        Self::Start,
        Self::Stop,
        Self::RebootSoft,
        Self::RebootHard,
        Self::AttachInterface,
        Self::DetachInterface,
        Self::Delete,
    ];
}

/// The request does not fit the server's state; the API answers 409.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Something else is being done to it.
    #[error("it is being changed already (task_state {0}); wait until that is done, or delete it")]
    Busy(Task),
    /// It is not in a state from which that can be done.
    #[error("that cannot be done while it is in vm_state {0}")]
    NotFrom(VmState),
}

/// The state after `request` was accepted.
///
/// # Errors
/// [`Conflict`] when the request does not fit the state.
pub fn accept(state: ServerState, request: Request) -> Result<ServerState, Conflict> {
    let task = match request {
        _ if state.vm == VmState::Deleted => return Err(Conflict::NotFrom(VmState::Deleted)),
        Request::Delete => Task::Deleting,
        _ if state.task.is_some() => match state.task {
            // A hard reboot is the way out of a soft one that the guest ignores.
            Some(Task::Rebooting) if request == Request::RebootHard => Task::RebootingHard,
            Some(task) => return Err(Conflict::Busy(task)),
            None => unreachable!("the guard says that there is a task"),
        },
        Request::Start => match state.vm {
            VmState::Stopped => Task::PoweringOn,
            vm => return Err(Conflict::NotFrom(vm)),
        },
        Request::Stop => match state.vm {
            VmState::Active | VmState::Paused | VmState::Error => Task::PoweringOff,
            vm => return Err(Conflict::NotFrom(vm)),
        },
        Request::RebootSoft => match state.vm {
            VmState::Active => Task::Rebooting,
            vm => return Err(Conflict::NotFrom(vm)),
        },
        Request::RebootHard => match state.vm {
            VmState::Active | VmState::Stopped | VmState::Paused | VmState::Error => {
                Task::RebootingHard
            }
            vm => return Err(Conflict::NotFrom(vm)),
        },
        Request::AttachInterface => plugged(state.vm, Task::AttachingInterface)?,
        Request::DetachInterface => plugged(state.vm, Task::DetachingInterface)?,
    };
    Ok(ServerState {
        vm: state.vm,
        task: Some(task),
    })
}

/// What is being done when a server's interfaces change, where they can. A guest that is held, for want of room
/// on its host's disk, can let go of nothing.
fn plugged(vm: VmState, task: Task) -> Result<Task, Conflict> {
    match vm {
        VmState::Active | VmState::Stopped => Ok(task),
        vm => Err(Conflict::NotFrom(vm)),
    }
}

/// The state after its host reported `power` for the current generation without a fault.
///
/// While something is being done, a report settles the state only if it is the outcome that was asked
/// for: what else is seen on the way (a machine that is still running while it is being stopped) is
/// recorded as power state alone.
#[must_use]
pub fn observe(state: ServerState, power: Power) -> ServerState {
    let vm = match (state.task, power) {
        _ if state.vm == VmState::Deleted => return state,
        (Some(Task::Deleting), Power::Absent) => VmState::Deleted,
        (Some(Task::Deleting), _) | (_, Power::Unknown) => return state,
        (Some(Task::PoweringOff), Power::Shutdown | Power::Crashed) => VmState::Stopped,
        (Some(Task::PoweringOff), _) => return state,
        (
            Some(Task::Spawning | Task::PoweringOn | Task::Rebooting | Task::RebootingHard),
            Power::Running,
        ) => VmState::Active,
        // It ran, and turned itself off before anybody was told that it ran: a host that could not make it
        // run says so with a fault.
        (
            Some(Task::Spawning | Task::PoweringOn | Task::Rebooting | Task::RebootingHard),
            Power::Shutdown,
        ) => VmState::Stopped,
        // It is what it was, or became by itself: with the interfaces that were wished.
        (Some(Task::AttachingInterface | Task::DetachingInterface), Power::Running) => {
            VmState::Active
        }
        (Some(Task::AttachingInterface | Task::DetachingInterface), Power::Shutdown) => {
            VmState::Stopped
        }
        (Some(_), Power::Paused) => VmState::Paused,
        (Some(_), _) => return state,
        (None, Power::Running) => VmState::Active,
        (None, Power::Shutdown) => VmState::Stopped,
        (None, Power::Paused) => VmState::Paused,
        (None, Power::Crashed | Power::Absent) => VmState::Error,
    };
    ServerState::settled(vm)
}

/// The state after what was being done failed. A failed delete stays a delete: it is tried again. A machine
/// whose interfaces could not be changed is as well as before.
#[must_use]
pub const fn fail(state: ServerState) -> ServerState {
    match (state.vm, state.task) {
        (VmState::Deleted, _) | (_, Some(Task::Deleting)) => state,
        (vm, Some(Task::AttachingInterface | Task::DetachingInterface)) => ServerState::settled(vm),
        _ => ServerState::settled(VmState::Error),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    fn every_state() -> Vec<ServerState> {
        let mut states = Vec::new();
        for vm in VmState::ALL {
            states.push(ServerState::settled(*vm));
            for task in Task::ALL {
                states.push(ServerState {
                    vm: *vm,
                    task: Some(*task),
                });
            }
        }
        states
    }

    #[test]
    fn delete_is_accepted_from_every_living_state() {
        for state in every_state() {
            let accepted = accept(state, Request::Delete);
            assert_eq!(accepted.is_ok(), state.vm != VmState::Deleted, "{state:?}");
        }
    }

    #[test]
    fn nothing_but_absence_ends_a_delete() {
        for state in every_state()
            .into_iter()
            .filter(|s| s.task == Some(Task::Deleting))
        {
            for power in Power::ALL {
                let next = observe(state, *power);
                let ended = next != state;
                assert_eq!(
                    ended,
                    *power == Power::Absent && state.vm != VmState::Deleted
                );
            }
            assert_eq!(fail(state), state);
        }
    }

    #[test]
    fn deleted_is_final() {
        for state in every_state()
            .into_iter()
            .filter(|s| s.vm == VmState::Deleted)
        {
            for power in Power::ALL {
                assert_eq!(observe(state, *power), state);
            }
            for request in Request::ALL {
                assert!(accept(state, request).is_err());
            }
        }
    }

    #[test]
    fn every_state_can_still_reach_deleted() {
        for state in every_state()
            .into_iter()
            .filter(|s| s.vm != VmState::Deleted)
        {
            let deleting = accept(state, Request::Delete).unwrap();
            assert_eq!(observe(deleting, Power::Absent).vm, VmState::Deleted);
        }
    }

    #[test]
    fn a_second_request_waits_its_turn_but_a_hard_reboot_overtakes_a_soft_one() {
        let stopping = accept(ServerState::settled(VmState::Active), Request::Stop).unwrap();
        assert_eq!(
            accept(stopping, Request::Start),
            Err(Conflict::Busy(Task::PoweringOff))
        );
        let soft = accept(ServerState::settled(VmState::Active), Request::RebootSoft).unwrap();
        assert_eq!(
            accept(soft, Request::RebootHard).unwrap().task,
            Some(Task::RebootingHard)
        );
        assert!(accept(soft, Request::RebootSoft).is_err());
    }

    #[test]
    fn a_machine_seen_running_while_it_is_being_stopped_is_not_yet_settled() {
        let stopping = accept(ServerState::settled(VmState::Active), Request::Stop).unwrap();
        assert_eq!(observe(stopping, Power::Running), stopping);
        assert_eq!(
            observe(stopping, Power::Shutdown),
            ServerState::settled(VmState::Stopped)
        );
    }

    #[test]
    fn a_guest_that_powers_itself_off_is_shut_off_and_one_that_vanishes_is_in_error() {
        let active = ServerState::settled(VmState::Active);
        assert_eq!(observe(active, Power::Shutdown).status(), "SHUTOFF");
        assert_eq!(observe(active, Power::Crashed).status(), "ERROR");
    }
}
