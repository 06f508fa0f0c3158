//! Lines for an empty namespace, for one that is as it should be, and for one that drifted.

use super::*;
use crate::{
    observed::{Address, Route},
    testing,
};

fn link(name: &str, address: &str) -> (String, Link) {
    let (local, prefixlen) = address.split_once('/').unwrap_or(("", "0"));
    let addr_info = vec![Address {
        family: "inet".to_owned(),
        local: local.to_owned(),
        prefixlen: prefixlen.parse().unwrap(),
    }];
    let up = Link {
        ifname: name.to_owned(),
        flags: vec!["UP".to_owned()],
        mtu: 1500,
        addr_info,
        ..Link::default()
    };
    (name.to_owned(), up)
}

fn settled(network: &Network) -> Links {
    let mut links: Links = Links::default();
    let mut lo = link("lo", "169.254.169.254/32");
    lo.1.ifalias = Some("skybus:c1".to_owned());
    let mut bridge = link(BRIDGE, "10.9.0.1/23");
    bridge.1.address = Some(GATEWAY_MAC.to_owned());
    let uplink = link(UPLINK, &format!("{}/30", network.transit.network()));
    links.links.extend([lo, bridge, uplink]);
    for port in network.ports.values() {
        let mut tap = link(&port.tap(), "");
        tap.1.addr_info.clear();
        tap.1.master = Some(BRIDGE.to_owned());
        links.links.extend([tap]);
    }
    links.routes = vec![Route {
        dst: "default".to_owned(),
        gateway: Some(network.transit.host().to_string()),
        dev: Some(UPLINK.to_owned()),
    }];
    links
}

#[test]
fn an_empty_namespace_gets_everything_and_a_settled_one_nothing() {
    let network = testing::network(&[testing::port(7)]);
    let lines = inside_lines(&network, "c1", &Links::default(), &BTreeSet::new());
    for expected in [
        "link set lo alias skybus:c1",
        "address add 169.254.169.254/32 dev lo",
        "address add 10.9.0.1/23 dev br0",
        "route replace default via 100.64.48.49 dev transit",
        "tuntap add dev tap070a0a0a0a0 mode tap",
        "link set tap070a0a0a0a0 master br0",
        "link set tap070a0a0a0a0 up",
    ] {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected} is not in {lines:#?}"
        );
    }
    let settled = settled(&network);
    assert_eq!(
        inside_lines(&network, "c1", &settled, &BTreeSet::new()),
        Vec::<String>::new()
    );
}

#[test]
fn what_drifted_is_put_right_and_nothing_else_is_touched() {
    let network = testing::network(&[testing::port(7)]);
    let mut found = settled(&network);
    found.links.get_mut(BRIDGE).unwrap().addr_info[0].local = "10.9.0.9".to_owned();
    found.links.get_mut("tap070a0a0a0a0").unwrap().master = None;
    assert_eq!(
        inside_lines(&network, "c1", &found, &BTreeSet::new()),
        [
            "address delete 10.9.0.9/23 dev br0",
            "address add 10.9.0.1/23 dev br0",
            "link set tap070a0a0a0a0 master br0"
        ]
    );
}

#[test]
fn only_doomed_taps_go_and_never_a_port_s() {
    let (with, without) = (
        testing::network(&[testing::port(7), testing::port(8)]),
        testing::network(&[testing::port(7)]),
    );
    let found = settled(&with);
    let eight = "tap080a0a0a0a0".to_owned();
    assert!(inside_lines(&without, "c1", &found, &BTreeSet::new()).is_empty());
    let doomed = BTreeSet::from([
        eight.clone(),
        "tap070a0a0a0a0".to_owned(),
        "tapgone".to_owned(),
    ]);
    assert_eq!(
        inside_lines(&without, "c1", &found, &doomed),
        [format!("link delete {eight}")]
    );
}

#[test]
fn a_transit_link_that_lost_an_end_is_made_anew() {
    let network = testing::network(&[testing::port(7)]);
    let name = transit_link(network.spec.id);
    let mut host = Links::default();
    host.links
        .extend([link(&name, &format!("{}/30", network.transit.host()))]);
    host.links.get_mut(&name).unwrap().ifalias = Some("skybus:c1".to_owned());
    let inside = settled(&network);
    assert!(host_lines(&network, "c1", &host, &inside).is_empty());
    let lines = host_lines(&network, "c1", &host, &Links::default());
    assert_eq!(lines[0], format!("link delete {name}"));
    assert!(lines[1].starts_with(&format!("link add {name} type veth")));
}

#[test]
fn only_the_tap_of_a_port_with_a_floating_ip_reflects() {
    let mut port = testing::port(7);
    port.floating = vec![[203, 0, 113, 7].into()];
    let (with, without) = (
        testing::network(&[port]),
        testing::network(&[testing::port(7)]),
    );
    let mut found = settled(&without);
    let lines = |network, found: &Links| inside_lines(network, "c1", found, &BTreeSet::new());
    let word = |word| format!("link set tap070a0a0a0a0 type bridge_slave hairpin {word}");
    assert_eq!(lines(&with, &found), [word("on")]);
    let tap = found.links.get_mut("tap070a0a0a0a0").unwrap();
    let of_bridge = crate::observed::BridgePort { hairpin: true };
    tap.linkinfo = Some(crate::observed::LinkInfo {
        info_slave_data: Some(of_bridge),
        ..crate::observed::LinkInfo::default()
    });
    assert!(lines(&with, &found).is_empty());
    assert_eq!(lines(&without, &found), [word("off")]);
}
