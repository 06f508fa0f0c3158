//! Lines for a host that has nothing, for one that is as it should be, and for one with another's left-overs.

use super::*;
use crate::{observed::Address, testing};

const MARK: &str = "skybus:c1";

fn network() -> Network {
    let mut port = testing::port(7);
    port.floating = vec![[203, 0, 113, 7].into()];
    testing::network(&[port])
}

fn link(name: &str, address: Ipv4Addr, alias: &str) -> (String, Link) {
    let local = address.to_string();
    let up = Link {
        ifname: name.to_owned(),
        flags: vec!["UP".to_owned()],
        ifalias: Some(alias.to_owned()),
        addr_info: vec![Address {
            family: "inet".to_owned(),
            local,
            prefixlen: 30,
        }],
        ..Link::default()
    };
    (name.to_owned(), up)
}

/// A host with the network's link and the public interface.
fn host(network: &Network) -> (Links, String) {
    let name = transit_link(network.spec.id);
    let mut host = Links::default();
    host.links
        .extend([link(&name, network.transit.host(), MARK)]);
    host.links.extend([link("eth0", [192, 0, 2, 9].into(), "")]);
    (host, name)
}

fn led_to(host: &mut Links, name: &str, ip: &str, via: Ipv4Addr) {
    host.routes.push(Route {
        dst: ip.to_owned(),
        gateway: Some(via.to_string()),
        dev: Some(name.to_owned()),
    });
}

fn at(name: &str, ip: &str) -> At {
    (name.to_owned(), ip.parse().unwrap())
}

#[test]
fn a_floating_ip_is_led_into_its_network_and_answered_for() {
    let network = network();
    let (mut host, name) = host(&network);
    let part = Part::of(std::slice::from_ref(&network), Some("eth0"));
    let via = network.transit.network();
    let nobody = BTreeSet::new();
    assert_eq!(
        part.routes(&host, MARK, false),
        [format!("route replace 203.0.113.7/32 via {via} dev {name}")]
    );
    assert_eq!(
        part.answers(&host, &nobody, false),
        ["neigh replace proxy 203.0.113.7 dev eth0"]
    );
    led_to(&mut host, &name, "203.0.113.7", via);
    let answers = BTreeSet::from([at("eth0", "203.0.113.7")]);
    assert!(part.routes(&host, MARK, false).is_empty());
    assert!(part.answers(&host, &answers, false).is_empty());
    let text = crate::uplink::render("c1", "1", &part);
    assert!(part.removals(&host, MARK, &answers, Some(&text)).is_empty());
    // One that somebody led elsewhere is led back.
    host.routes.clear();
    led_to(&mut host, &name, "203.0.113.7", [100, 64, 0, 9].into());
    assert_eq!(part.routes(&host, MARK, false).len(), 1);

    // Without its port both go, and what others made stays.
    let none = Part::of(&[testing::network(&[testing::port(7)])], Some("eth0"));
    host.routes.clear();
    led_to(&mut host, &name, "203.0.113.7", via);
    led_to(&mut host, "eth0", "203.0.113.200", [192, 0, 2, 1].into());
    let answers = BTreeSet::from([at("eth0", "203.0.113.7"), at("eth0", "203.0.113.200")]);
    assert_eq!(
        none.removals(&host, MARK, &answers, Some(&text)),
        [
            "neigh delete proxy 203.0.113.7 dev eth0".to_owned(),
            format!("route delete 203.0.113.7/32 dev {name}"),
        ]
    );
}

#[test]
fn a_missing_interface_and_an_address_of_the_host_are_troubles_and_the_rest_goes_on() {
    let network = network();
    let (mut host, _) = host(&network);
    let mut part = Part::of(&[network], Some("eth7"));
    assert_eq!(part.routes(&host, MARK, false).len(), 1);
    assert!(part.answers(&host, &BTreeSet::new(), false).is_empty());
    // A rehearsal tells what would be done if all came.
    assert_eq!(part.answers(&host, &BTreeSet::new(), true).len(), 1);
    let [trouble] = &part.troubles(&host)[..] else {
        panic!("one trouble was expected")
    };
    assert!(trouble.contains("eth7"), "{trouble}");
    host.links
        .extend([link("eth7", [203, 0, 113, 7].into(), "")]);
    part.leave_out(&host, MARK);
    let troubles = part.troubles(&host);
    assert!(troubles[0].contains("203.0.113.7") && troubles.len() == 1);
}

#[test]
fn networks_that_no_record_tells_of_keep_what_they_have() {
    let network = network();
    let (host, name) = host(&network);
    let part = Part::of(&[network], Some("eth0"));
    let text = crate::uplink::render("c1", "1", &part);
    let mut after = Part::of(&[], Some("eth0"));
    after.keep(&host, MARK, Some(&text), &BTreeSet::new());
    assert_eq!(after, part);
    // Nothing of another cloud's, and not what is elsewhere now.
    let mut other = Part::default();
    other.keep(&host, "skybus:c2", Some(&text), &BTreeSet::new());
    assert_eq!(other, Part::default());
    let mut moved = Part::default();
    moved.floating.insert(at("sbtother", "203.0.113.7"));
    moved.keep(&host, MARK, Some(&text), &BTreeSet::new());
    assert_eq!(moved.floating, [at("sbtother", "203.0.113.7")].into());
    assert!(moved.links.contains_key(&name));
    // And not what is known to be nobody's any more.
    let mut lost = Part::of(&[], Some("eth0"));
    let nobodys = BTreeSet::from([[203, 0, 113, 7].into()]);
    lost.keep(&host, MARK, Some(&text), &nobodys);
    assert!(lost.floating.is_empty() && lost.answered.is_empty());
}

#[test]
fn a_set_without_elements_does_not_take_the_next_one_s() {
    let listing = "\tset floating {\n\t\ttype ifname . ipv4_addr\n\t}\n\n\tset answered {\n\
                   \t\telements = { \"eth0\" . 192.0.2.7,\n\t\t\t     \"eth0\" . 192.0.2.8 }\n\t}\n";
    assert_eq!(elements(listing, "floating").count(), 0);
    assert_eq!(
        elements(listing, "answered").collect::<Vec<_>>(),
        [at("eth0", "192.0.2.7"), at("eth0", "192.0.2.8")]
    );
}
