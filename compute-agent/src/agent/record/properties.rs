//! What holds of every record, every wish and everything that can be seen.

use proptest::prelude::*;

use super::{examples, *};

fn power() -> impl Strategy<Value = Power> {
    proptest::sample::select(Power::ALL)
}

fn desired() -> impl Strategy<Value = Desired> {
    prop_oneof![Just(Desired::Running), Just(Desired::Stopped)]
}

fn seen() -> impl Strategy<Value = Seen> {
    let fault = || Fault::new(FaultCode::DiskFull, "full");
    prop_oneof![
        Just(Seen::Mute),
        (0i64..3).prop_map(|generation| Seen::Running(Generation(generation))),
        Just(Seen::Paused(None)),
        Just(Seen::Paused(Some(fault()))),
        Just(Seen::PoweredOff),
        Just(Seen::Broken(fault())),
        Just(Seen::Off),
        Just(Seen::Absent),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let gone = (0i64..5).prop_map(|generation| Record::gone(Generation(generation)));
    let kept = (0i64..5, any::<[bool; 2]>(), desired(), power(), "now|then").prop_map(
        |(generation, [ended, built], desired, power, life)| {
            let record = examples::running(generation);
            Record {
                ended: record.ended.clone().filter(|_| ended),
                built,
                desired,
                power,
                life,
                ..record
            }
        },
    );
    prop_oneof![4 => kept, 1 => gone]
}

proptest! {
    #[test]
    fn what_was_told_is_not_told_again(record in record(), seen in seen(), again in seen()) {
        let mut record = record;
        if let Finding::Became(power, fault) = find(&record, &seen, "now") {
            prop_assert_ne!(power, record.power);
            let bad = power == Power::Crashed;
            prop_assert!(fault.is_some() || !bad, "a crash says why");
            record.power = power;
            prop_assert_eq!(find(&record, &seen, "now"), Finding::Known);
        }
        // Silence says nothing, whatever came before.
        prop_assert_eq!(find(&record, &Seen::Mute, "now"), Finding::Known);
        if let Finding::Became(power, _) = find(&record, &again, "now") {
            prop_assert_ne!(power, record.power);
        }
    }

    #[test]
    fn only_what_should_run_is_started_again(record in record(), seen in seen(), life in "now|then") {
        if find(&record, &seen, &life) == Finding::EndedWithHost {
            prop_assert_eq!(record.desired, Desired::Running);
            prop_assert!(record.built && record.life != life && !record.is_gone());
            prop_assert!(!matches!(record.power, Power::Shutdown | Power::Crashed));
            prop_assert!(matches!(seen, Seen::Off | Seen::Absent));
        }
    }

    #[test]
    fn an_older_wish_is_never_begun(record in record(), generation in 0i64..6, now in 0i64..3) {
        let wish = examples::wish(generation, Desired::Running);
        let now = Timestamp(now * 1_000_000);
        let older = record.generation > wish.generation;
        let same = record.generation == wish.generation;
        let expected = match (older, same && record.ended.is_some(), now > wish.deadline) {
            (true, ..) => Standing::Overtaken,
            (_, true, _) => Standing::Answered,
            (.., true) => Standing::Late,
            _ => Standing::Begin,
        };
        prop_assert_eq!(standing(Some(&record), &wish, now), expected);
    }

    #[test]
    fn a_wish_that_was_begun_is_resumed_and_once_ended_answered(
        record in record(), newer in 0i64..3, desired in desired()
    ) {
        let wish = examples::wish(record.generation.0 + newer, desired);
        let (before, old) = (Timestamp(0), record.generation);
        let mut begun = record.clone().begin(&wish);
        prop_assert_eq!(begun.desired, desired);
        prop_assert_eq!(begun.spec.as_ref(), Some(&wish.spec));
        prop_assert_eq!(begun.built, record.built);
        prop_assert!(begun.applied <= begun.generation && begun.removed.is_none());
        if record.removed.is_some() {
            prop_assert!(record.is_gone());
            prop_assert_eq!(&begun, &Record::of(&wish), "it begins as if it had never been");
        } else {
            prop_assert!(!record.is_gone());
            let kept = |record: &Record| (record.applied, record.power, record.life.clone());
            prop_assert_eq!(kept(&begun), kept(&record));
        }
        prop_assert_eq!(standing(Some(&begun), &wish, before), Standing::Begin);
        begun.ended = Some(Ended { operation: None, fault: None, hops: Vec::new() });
        prop_assert_eq!(standing(Some(&begun), &wish, Timestamp(i64::MAX)), Standing::Answered);
        if newer > 0 {
            let late = examples::wish(old.0, Desired::Running);
            prop_assert_eq!(standing(Some(&begun), &late, before), Standing::Overtaken);
        }
    }
}
