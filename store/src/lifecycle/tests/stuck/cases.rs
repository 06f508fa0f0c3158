//! Every state that passes, with every operation that can be in it, and what must come of it.

use skybus_model::{
    FaultCode,
    operation::{OperationKind, Step},
    server::{ServerState, Task, VmState},
};

/// Who is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The host beats and never reports; no scheduler decides.
    Answers,
    /// The host does not even beat; schedulers and the other host are well.
    Host,
    /// An operator declared the host down; schedulers and the other host are well.
    Declared,
    /// No scheduler runs, so that nobody listens to beats either.
    Schedulers,
    /// All hosts are down; schedulers listen and find nothing.
    AllHosts,
    /// The network worker is down. The compute worker removes what it should, and builds nothing.
    Network,
}

/// What a server is in, and the operation that is open for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) state: ServerState,
    pub(super) kind: OperationKind,
    pub(super) step: Step,
}

/// The operations that can be open while `task` is being done.
pub(super) const fn operations_in(task: Task) -> &'static [(OperationKind, Step)] {
    match task {
        Task::Scheduling => &[(OperationKind::Boot, Step::Placing)],
        Task::Spawning => &[(OperationKind::Boot, Step::OnHost)],
        Task::PoweringOff => &[(OperationKind::Stop, Step::OnHost)],
        Task::PoweringOn => &[(OperationKind::Start, Step::OnHost)],
        Task::Rebooting | Task::RebootingHard => &[(OperationKind::Reboot, Step::OnHost)],
        Task::AttachingInterface => &[(OperationKind::AttachInterface, Step::OnHost)],
        Task::DetachingInterface => &[(OperationKind::DetachInterface, Step::OnHost)],
        Task::Deleting => &[(OperationKind::Delete, Step::OnHost)],
    }
}

/// The states in which a server can be while `task` is being done.
pub(super) const fn states_in(task: Task) -> &'static [VmState] {
    match task {
        Task::Scheduling | Task::Spawning => &[VmState::Building],
        Task::PoweringOff => &[VmState::Active, VmState::Paused, VmState::Error],
        Task::PoweringOn => &[VmState::Stopped],
        Task::Rebooting => &[VmState::Active],
        Task::AttachingInterface | Task::DetachingInterface => &[VmState::Active, VmState::Stopped],
        Task::RebootingHard => &[
            VmState::Active,
            VmState::Stopped,
            VmState::Paused,
            VmState::Error,
        ],
        Task::Deleting => &[
            VmState::Building,
            VmState::Active,
            VmState::Stopped,
            VmState::Paused,
            VmState::Error,
        ],
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for task in Task::ALL {
        for vm in states_in(*task) {
            for (kind, step) in operations_in(*task) {
                let task = Some(*task);
                let state = ServerState { vm: *vm, task };
                cases.push(Case {
                    state,
                    kind: *kind,
                    step: *step,
                });
            }
        }
    }
    // The machine is gone; its ports are not.
    cases.push(Case {
        state: ServerState::settled(VmState::Deleted),
        kind: OperationKind::Delete,
        step: Step::OnHost,
    });
    cases
}

/// What must have come of a case in its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// ERROR, with a fault that says which of these.
    Fault(FaultCode),
    /// As it was, and the operation has this fault.
    AsBefore(FaultCode),
    /// It runs on the other host.
    Elsewhere,
    /// It is gone, and nothing of it is left.
    Gone,
    /// Still being deleted, and asked for again and again.
    StillAsked,
}

pub(super) const fn expected(case: Case, cut: Cut) -> End {
    match (case.kind, cut) {
        (OperationKind::Boot, Cut::Answers | Cut::Schedulers | Cut::AllHosts | Cut::Network) => {
            End::Fault(FaultCode::DeadlinePassed)
        }
        (OperationKind::Boot, Cut::Host | Cut::Declared) => End::Elsewhere,
        (OperationKind::Start | OperationKind::Stop | OperationKind::Reboot, _) => {
            End::Fault(FaultCode::DeadlinePassed)
        }
        (OperationKind::AttachInterface | OperationKind::DetachInterface, _) => {
            End::AsBefore(FaultCode::DeadlinePassed)
        }
        (OperationKind::Delete, Cut::Host | Cut::Declared | Cut::AllHosts | Cut::Network) => {
            End::Gone
        }
        // A host that may be alive may have the machine: it is never said to be gone before it is.
        (OperationKind::Delete, Cut::Answers | Cut::Schedulers) => End::StillAsked,
    }
}
