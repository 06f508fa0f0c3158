//! What is let through, and what is not.

use super::*;
use crate::testing;

#[test]
fn a_port_is_taken_over_as_it_is_described() {
    let spec = testing::port(7);
    let port = Port::try_from(&spec).unwrap();
    assert_eq!(port.mac.to_string(), spec.mac);
    assert_eq!(port.tap().len(), 14);
    assert_eq!(transit_link(spec.network.id).len(), 15);
}

#[test]
fn what_could_reach_into_a_rule_or_a_file_is_refused_or_made_harmless() {
    let not_macs = [
        "",
        "fa:16:3e:00:00",
        "fa:16:3e:00:00:01:02",
        "fa:16:3e:00:00:0g",
        "01:00:5e:00:00:01",
        "00:00:00:00:00:00",
        "fa:16:3e:00:00:01\ndrop",
        "ff:ff:ff:ff:ff:ff",
        "+a:16:3e:00:00:01",
    ];
    for bad in not_macs {
        let spec = PortSpec {
            mac: bad.to_owned(),
            ..testing::port(7)
        };
        assert!(Port::try_from(&spec).is_err(), "{bad:?}");
    }
    for (text, name) in [
        ("web-1", "web-1"),
        ("Web_1.example.org", "web-1"),
        ("a,\nset:x", "a--set-x"),
        ("ü", ""),
    ] {
        assert_eq!(host_name(text), name);
    }
}

#[test]
fn addresses_that_are_not_a_machine_s_are_refused() {
    for bad in ["10.9.0.1", "10.9.0.0", "10.9.1.255", "10.9.2.7"] {
        let spec = PortSpec {
            address: bad.parse().unwrap(),
            ..testing::port(7)
        };
        assert!(
            matches!(Port::try_from(&spec), Err(Unfit::Address { .. })),
            "{bad}"
        );
    }
    let mut spec = testing::port(7);
    spec.network.gateway = "10.8.0.1".parse().unwrap();
    assert!(matches!(Port::try_from(&spec), Err(Unfit::Network { .. })));
}

#[test]
fn floating_ips_are_of_the_outside_and_in_order() {
    let with = |ips: &[&str]| {
        let floating = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        Port::try_from(&PortSpec {
            floating,
            ..testing::port(7)
        })
    };
    let port = with(&["203.0.113.9", "203.0.113.7", "203.0.113.9"]).unwrap();
    let sorted = ["203.0.113.7", "203.0.113.9"].map(|ip| ip.parse::<Ipv4Addr>().unwrap());
    assert_eq!(port.floating, sorted);
    // The network's own, transit's, and such as are nobody's.
    for bad in [
        "10.9.0.9",
        "100.64.3.2",
        "127.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let refused = with(&["203.0.113.7", bad]);
        assert!(matches!(refused, Err(Unfit::Floating { .. })), "{bad}");
    }
}
