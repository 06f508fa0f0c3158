//! Two ends of a cable in a namespace of their own. It needs root.

use std::{fs, process::Command};

use super::*;
use crate::namespace;

fn ip(line: &str) -> io::Result<()> {
    let status = Command::new("ip").args(line.split(' ')).status()?;
    assert!(status.success(), "ip {line}");
    Ok(())
}

const HERE: Mac = [2, 0, 0, 0, 0, 1];
const THERE: Mac = [2, 0, 0, 0, 0, 2];

#[test]
fn another_machine_that_answers_is_found_and_an_announcement_is_taken() {
    if !namespace::tests::root() {
        return;
    }
    let there = namespace::tests::Temporary::new("arp");
    let other = &there.0;
    let outcome = namespace::scratch(|| {
        // The far end is a machine of its own, in a namespace of its own.
        ip(&format!(
            "link add here address 02:00:00:00:00:01 type veth peer name there netns {other}"
        ))?;
        ip("link set here up")?;
        for line in [
            "link set there address 02:00:00:00:00:02",
            "address add 198.18.0.2/24 dev there",
            "link set there up",
            // What it holds for true, until it is told better.
            "neigh add 198.18.0.9 lladdr 02:00:00:00:00:07 dev there nud stale",
        ] {
            ip(&format!("-n {other} {line}"))?;
        }
        let wire = Wire::open("here", HERE)?;
        let asked = ["198.18.0.2", "198.18.0.3"].map(|ip| ip.parse().unwrap());
        // The cable may need a moment until it carries.
        let mut found = BTreeMap::new();
        for _ in 0..60 {
            found = wire.others(None, &asked, Duration::from_secs(1))?;
            if !found.is_empty() {
                break;
            }
        }
        assert_eq!(found, BTreeMap::from([(asked[0], THERE)]));
        for _ in 0..600 {
            wire.announce("198.18.0.9".parse().unwrap())?;
            let known =
                namespace::inside(other, || fs::read_to_string("/proc/thread-self/net/arp"))?;
            if known.contains("02:00:00:00:00:01") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the announcement was not heard");
    });
    outcome.unwrap();
}

#[test]
fn frames_that_are_no_arp_say_nothing() {
    for frame in [&[][..], &[0; 41], &[0; 60]] {
        assert_eq!(speaker(frame), None);
    }
}

#[test]
fn an_interface_that_is_not_there_is_an_error_that_names_it() {
    let error = Wire::open("nothere0", HERE).unwrap_err();
    assert!(error.to_string().contains("nothere0"), "{error}");
}
