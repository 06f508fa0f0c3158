//! Every conclusion, without a disk, a clock or a machine.

use std::time::Duration;

use super::{
    examples::{running, wish},
    *,
};

const IN_TIME: Timestamp = Timestamp(0);
const TOO_LATE: Timestamp = Timestamp(2_000_000);

#[test]
fn a_wish_is_fulfilled_once() {
    let five = wish(5, Desired::Running);
    assert_eq!(standing(None, &five, IN_TIME), Standing::Begin);
    assert_eq!(standing(Some(&running(4)), &five, IN_TIME), Standing::Begin);
    assert_eq!(
        standing(Some(&running(5)), &five, IN_TIME),
        Standing::Answered
    );
    assert_eq!(
        standing(Some(&running(6)), &five, IN_TIME),
        Standing::Overtaken
    );
    let mut begun = running(5);
    begun.ended = None;
    assert_eq!(
        standing(Some(&begun), &five, IN_TIME),
        Standing::Begin,
        "it is resumed"
    );
}

#[test]
fn an_answer_is_never_too_late_but_work_is() {
    let five = wish(5, Desired::Running);
    assert_eq!(standing(None, &five, TOO_LATE), Standing::Late);
    assert_eq!(standing(Some(&running(4)), &five, TOO_LATE), Standing::Late);
    assert_eq!(
        standing(Some(&running(5)), &five, TOO_LATE),
        Standing::Answered
    );
}

#[test]
fn a_wish_from_before_the_end_does_not_bring_a_server_back() {
    let gone = Record::gone(Generation(7));
    assert_eq!(
        standing(Some(&gone), &wish(6, Desired::Running), IN_TIME),
        Standing::Overtaken
    );
    let again = wish(7, Desired::Running);
    assert_eq!(standing(Some(&gone), &again, IN_TIME), Standing::Begin);
}

#[test]
fn what_the_guest_did_by_itself_is_told_once() {
    let mut record = running(1);
    assert_eq!(
        find(&record, &Seen::Running(Generation(1)), "now"),
        Finding::Known
    );
    assert_eq!(
        find(&record, &Seen::PoweredOff, "now"),
        Finding::Became(Power::Shutdown, None)
    );
    record.power = Power::Shutdown;
    for seen in [Seen::PoweredOff, Seen::Off, Seen::Absent, Seen::Mute] {
        assert_eq!(find(&record, &seen, "now"), Finding::Known, "{seen:?}");
        assert_eq!(
            find(&record, &seen, "another"),
            Finding::Known,
            "off stays off: {seen:?}"
        );
    }
}

#[test]
fn a_machine_that_is_missing_crashed_unless_its_host_did_or_it_was_told_to_stop() {
    let record = running(1);
    assert!(matches!(
        find(&record, &Seen::Off, "now"),
        Finding::Became(Power::Crashed, Some(fault)) if fault.code == FaultCode::MachineCrashed
    ));
    assert_eq!(find(&record, &Seen::Off, "another"), Finding::EndedWithHost);
    assert_eq!(
        find(&record, &Seen::Absent, "another"),
        Finding::EndedWithHost
    );
    let mut stopping = record;
    stopping.desired = Desired::Stopped;
    assert_eq!(
        find(&stopping, &Seen::Off, "now"),
        Finding::Became(Power::Shutdown, None)
    );
    assert_eq!(
        find(&stopping, &Seen::Off, "another"),
        Finding::Became(Power::Shutdown, None)
    );
}

#[test]
fn a_missing_disk_is_told_apart_from_a_missing_machine() {
    let told = |seen| match find(&running(1), &seen, "now") {
        Finding::Became(Power::Crashed, Some(fault)) => fault.message,
        other => panic!("{other:?}"),
    };
    assert!(told(Seen::Absent).contains("and its disk have gone"));
    assert!(told(Seen::Off).contains("reboot it hard"));
}

#[test]
fn a_crash_is_told_once_and_nothing_is_started_against_anyones_wish() {
    let mut record = running(1);
    record.power = Power::Crashed;
    for life in ["now", "another"] {
        assert_eq!(find(&record, &Seen::Off, life), Finding::Known);
    }
    let mut never_built = running(1);
    never_built.built = false;
    assert_eq!(find(&never_built, &Seen::Off, "another"), Finding::Known);
}

#[test]
fn a_record_survives_its_file() {
    let record = running(3);
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    assert!(wish(1, Desired::Running).deadline.after(Duration::ZERO) == Timestamp(1_000_000));
}
