//! What is found on hosts as `ip` shows them, and what this host's kernel can do.

use super::*;
use crate::testing;

fn host(more: &str) -> Links {
    let text = format!(
        r#"[{{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP"],"mtu":65536}},
            {{"ifindex":2,"ifname":"eth0","flags":["UP"],"mtu":1500,"addr_info":[
                {{"family":"inet","local":"192.0.2.1","prefixlen":24}},
                {{"family":"inet6","local":"fe80::1","prefixlen":64}}]}},
            {{"ifindex":3,"ifname":"eth1","flags":["UP"],"mtu":1500,"addr_info":[
                {{"family":"inet6","local":"fe80::2","prefixlen":64}}]}}
            {more}]"#
    );
    let links: Vec<Link> = serde_json::from_str(&text).unwrap();
    let named = links.into_iter().map(|link| (link.ifname.clone(), link));
    Links {
        links: named.collect(),
        routes: Vec::new(),
    }
}

fn carrier(physical: &[(&str, &str)], tunnel: Option<[u8; 4]>) -> Carrier {
    let physical = physical
        .iter()
        .map(|(name, link)| (name.parse().unwrap(), (*link).to_owned()));
    Carrier::new(Wiring {
        physical: physical.collect(),
        tunnel: tunnel.map(Into::into),
    })
}

fn able(_: SegmentKind) -> Result<(), String> {
    Ok(())
}

#[test]
fn an_interface_with_addresses_carries_vlans_and_not_the_whole() {
    let carrier = carrier(&[("a", "eth0"), ("b", "eth1")], Some([192, 0, 2, 1]));
    let found = carrier.judged(&host(""), able);
    let names = |all: &BTreeSet<PhysicalNetwork>| {
        let names: Vec<&str> = all.iter().map(PhysicalNetwork::as_str).collect();
        names.join(" ")
    };
    assert_eq!(
        (names(&found.flat), names(&found.vlan)),
        ("b".into(), "a b".into())
    );
    assert_eq!(found.tunnel, Some([192, 0, 2, 1].into()));
    let why = &found.lacks[&SegmentKind::Flat];
    assert!(
        why.contains("eth0") && why.contains("192.0.2.1") && !why.contains("fe80"),
        "{why}"
    );
    assert_eq!(found.lacks.len(), 1);
}

#[test]
fn what_is_missing_is_named_with_a_reason_and_a_next_step() {
    let more = r#",{"ifindex":4,"ifname":"eth2","flags":[],"mtu":1500},
        {"ifindex":5,"ifname":"eth3","flags":["UP"],"mtu":1500,"master":"bond0"}"#;
    let all = [("a", "lo"), ("b", "eth2"), ("c", "eth3"), ("d", "eth9")];
    let found = carrier(&all, Some([192, 0, 2, 9])).judged(&host(more), able);
    assert!(found.flat.is_empty());
    let why = &found.lacks[&SegmentKind::Flat];
    for word in [
        "lo, is the loopback",
        "ip link set eth2 up",
        "a part of bond0",
        "eth9, is not there",
    ] {
        assert!(why.contains(word), "{word} is not in {why}");
    }
    // A part of another link can be tagged nevertheless.
    assert_eq!(found.vlan.len(), 1);
    assert_eq!(found.tunnel, None);
    assert!(found.lacks[&SegmentKind::Vxlan].contains("192.0.2.9 is none of this host's"));
}

#[test]
fn a_kernel_that_cannot_lacks_the_kind_whatever_is_plugged_in() {
    let no_vlans = |kind| match kind {
        SegmentKind::Vlan => Err("the kernel has no 802.1Q".to_owned()),
        _ => Ok(()),
    };
    let found = carrier(&[("b", "eth1")], None).judged(&host(""), no_vlans);
    assert_eq!((found.flat.len(), found.vlan.len()), (1, 0));
    assert_eq!(found.lacks[&SegmentKind::Vlan], "the kernel has no 802.1Q");
    assert_eq!(found.lacks.len(), 1, "nobody asked for VXLANs: {found:?}");
}

#[test]
fn what_a_network_needs_of_a_host() {
    let carrier = carrier(&[("b", "eth1")], Some([192, 0, 2, 1]));
    let mut network = testing::network_spec();
    let wire = |network: &NetworkSpec| carrier.wire(network, &host(""));
    assert_eq!(wire(&network).unwrap(), None);
    let physical: PhysicalNetwork = "b".parse().unwrap();
    network.segment = Segment::Vlan {
        physical: physical.clone(),
        id: 100.try_into().unwrap(),
    };
    let lower = Lower {
        name: "eth1".to_owned(),
        index: 3,
    };
    let vlan = Wire::Vlan(lower.clone(), 100.try_into().unwrap());
    assert_eq!(wire(&network).unwrap(), Some(vlan));
    network.segment = Segment::Flat { physical };
    assert_eq!(wire(&network).unwrap(), Some(Wire::Flat(lower)));
    network.mtu = 9000;
    let why = wire(&network).unwrap_err().to_string();
    assert!(
        why.contains("flat on b") && why.contains("9000") && why.contains("eth1, which takes 1500"),
        "{why}"
    );
    network.segment = Segment::Flat {
        physical: "z".parse().unwrap(),
    };
    let why = wire(&network).unwrap_err().to_string();
    assert!(
        why.ends_with("none of its interfaces is named as being on z"),
        "{why}"
    );
}

#[test]
fn this_kernel_is_tried_and_says_what_it_lacks() {
    if !testing::root("making links in a scratch namespace") {
        return;
    }
    for (kind, line) in [
        (
            SegmentKind::Flat,
            "link here name x type macvlan mode passthru",
        ),
        (SegmentKind::Vlan, "link here name x type vlan id 7"),
        (SegmentKind::Vxlan, "name x type vxlan id 7 dstport 4789"),
    ] {
        let script = format!("link add here type veth peer name there\nlink add {line}\n");
        let mut made = Ok(());
        namespace::scratch(|| {
            made = program::ip(Place::Host, &script);
            Ok(())
        })
        .unwrap();
        match (tried(kind), made) {
            (Ok(()), Ok(())) => {}
            (Err(why), Err(_)) => {
                eprintln!("{kind} is only tested as a lack: {why}");
                assert!(
                    why.contains("modprobe") && !why.contains("RTNETLINK"),
                    "{why}"
                );
            }
            (tried, made) => panic!("{kind}: {tried:?}, but {made:?}"),
        }
    }
}
