//! Every kind of failure at every kind of operation: what is done about it.

use skybus_model::{
    Generation,
    id::{OperationId, ProjectId, ServerId, UserId},
    message::Context,
};

use super::*;

const NOW: Timestamp = Timestamp(1_000);
const BEFORE: Timestamp = Timestamp(999);
const AFTER: Timestamp = Timestamp(1_001);

/// An operation whose deadline is [`NOW`].
fn operation(kind: OperationKind) -> Operation {
    Operation {
        id: OperationId::random(),
        server: ServerId::random(),
        kind,
        step: Step::OnHost,
        generation: Generation(1),
        project: ProjectId::random(),
        actor: UserId::random(),
        context: Context::begin(),
        attempts: 1,
        host: None,
        tried: Vec::new(),
        alternates: Vec::new(),
        restart: None,
        fault: None,
        wake_at: NOW,
        deadline: NOW,
        started_at: Timestamp(0),
        ended_at: None,
    }
}

fn failed_before(kind: OperationKind, code: FaultCode) -> Operation {
    Operation {
        fault: Some(Fault::new(code, "before")),
        ..operation(kind)
    }
}

#[test]
fn a_delete_is_never_given_up() {
    for code in FaultCode::ALL {
        for now in [BEFORE, NOW, AFTER] {
            let delete = operation(OperationKind::Delete);
            assert_eq!(next(&delete, code, now), Next::SendAgain, "{code}");
        }
    }
}

#[test]
fn what_is_neither_a_boot_nor_a_delete_ends_with_its_fault() {
    for kind in [
        OperationKind::Start,
        OperationKind::Stop,
        OperationKind::Reboot,
    ] {
        for code in FaultCode::ALL {
            let early = if code == FaultCode::DeadlinePassed {
                // The host took too long to hear of it; there is time to say it again, and again.
                let again = failed_before(kind, code);
                assert_eq!(next(&again, code, BEFORE), Next::SendAgain);
                Next::SendAgain
            } else {
                Next::End
            };
            assert_eq!(next(&operation(kind), code, BEFORE), early, "{kind} {code}");
            for late in [NOW, AFTER] {
                assert_eq!(
                    next(&operation(kind), code, late),
                    Next::End,
                    "{kind} {code}"
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_plugged_is_undone_once() {
    for kind in [
        OperationKind::AttachInterface,
        OperationKind::DetachInterface,
    ] {
        let (first, code) = (operation(kind), FaultCode::Internal);
        assert_eq!(next(&first, code, BEFORE), Next::TurnBack);
        assert_eq!(next(&first, code, AFTER), Next::End);
        let old = FaultCode::DeadlinePassed;
        assert_eq!(next(&first, old, BEFORE), Next::SendAgain);
        let second = Operation {
            attempts: 2,
            ..first
        };
        assert_eq!(next(&second, code, BEFORE), Next::End);
    }
}

#[test]
fn a_boot_goes_to_another_host_while_there_are_time_and_hosts() {
    let boot = operation(OperationKind::Boot);
    for code in FaultCode::ALL {
        let expected = match code {
            FaultCode::DeadlinePassed => Next::SendAgain,
            code if code.worth_another_host() => Next::PlaceAgain,
            _ => Next::End,
        };
        assert_eq!(next(&boot, code, BEFORE), expected, "{code}");
        for late in [NOW, AFTER] {
            assert_eq!(next(&boot, code, late), Next::End, "{code}");
        }
    }
    for (attempts, expected) in [
        (2, Next::PlaceAgain),
        (HOSTS_TRIED, Next::End),
        (HOSTS_TRIED + 1, Next::End),
    ] {
        let boot = Operation {
            attempts,
            ..boot.clone()
        };
        assert_eq!(next(&boot, FaultCode::HostSilent, BEFORE), expected);
    }
}

#[test]
fn a_host_that_finds_every_command_too_old_loses_the_boot_at_the_second() {
    let code = FaultCode::DeadlinePassed;
    let twice = failed_before(OperationKind::Boot, code);
    assert_eq!(next(&twice, code, BEFORE), Next::PlaceAgain);
    let other = failed_before(OperationKind::Boot, FaultCode::HostSilent);
    assert_eq!(next(&other, code, BEFORE), Next::SendAgain);
    let last = Operation {
        attempts: HOSTS_TRIED,
        ..twice
    };
    assert_eq!(next(&last, code, BEFORE), Next::End);
}
