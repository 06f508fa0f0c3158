//! Links as the kernel shows them, and lines that make them.

use super::*;

/// What `ip -json -details` shows of links that were made by the lines below.
const MACVLAN: &str = r#"{"ifindex":2,"link_index":3,"ifname":"wire","flags":["BROADCAST","MULTICAST","UP"],
    "mtu":1500,"master":"br0","ifalias":"skybus:c1","link_netnsid":0,
    "linkinfo":{"info_kind":"macvlan","info_data":{"mode":"passthru","bcqueuelen":1000}}}"#;
const VLAN: &str = r#"{"ifindex":2,"link_index":3,"ifname":"wire","link_netnsid":0,
    "linkinfo":{"info_kind":"vlan","info_data":{"protocol":"802.1Q","id":100,"flags":["REORDER_HDR"]}}}"#;
const VXLAN: &str = r#"{"ifindex":2,"link_index":2,"ifname":"wire","link_netnsid":0,
    "linkinfo":{"info_kind":"vxlan","info_data":{"id":77,"local":"192.0.2.1","port":4789,"learning":true}}}"#;

fn lower() -> Lower {
    Lower {
        name: "eth1".to_owned(),
        index: 3,
    }
}

fn vlan(id: u32) -> Wire {
    Wire::Vlan(lower(), id.try_into().unwrap())
}

fn vxlan(vni: u32, peers: &[u8]) -> Wire {
    let address = |n: &u8| Ipv4Addr::from([192, 0, 2, *n]);
    Wire::Vxlan(
        vni.try_into().unwrap(),
        address(&1),
        peers.iter().map(address).collect(),
    )
}

#[test]
fn each_kind_is_made_in_the_namespace_and_found_again() {
    for (wire, line, shown) in [
        (
            Wire::Flat(lower()),
            "link add link eth1 name wire netns n type macvlan mode passthru",
            MACVLAN,
        ),
        (
            vlan(100),
            "link add link eth1 name wire netns n type vlan id 100",
            VLAN,
        ),
        (
            vxlan(77, &[]),
            "link add name wire netns n type vxlan id 77 local 192.0.2.1 dstport 4789",
            VXLAN,
        ),
    ] {
        assert_eq!(wire.line("n"), line);
        for other in [MACVLAN, VLAN, VXLAN] {
            let link: Link = serde_json::from_str(other).unwrap();
            assert_eq!(wire.is(&link), other == shown, "{line}: {other}");
        }
    }
}

#[test]
fn another_interface_number_or_address_is_another_link() {
    let [macvlan, tagged, tunnel]: [Link; 3] =
        [MACVLAN, VLAN, VXLAN].map(|shown| serde_json::from_str(shown).unwrap());
    let elsewhere = Lower {
        index: 4,
        ..lower()
    };
    assert!(!Wire::Flat(elsewhere.clone()).is(&macvlan));
    assert!(!Wire::Vlan(elsewhere, 100.try_into().unwrap()).is(&tagged));
    assert!(!vlan(101).is(&tagged));
    assert!(!vxlan(78, &[]).is(&tunnel));
    let moved = VXLAN.replace("192.0.2.1", "192.0.2.2");
    assert!(!vxlan(77, &[]).is(&serde_json::from_str(&moved).unwrap()));
    let bridged = MACVLAN.replace("passthru", "bridge");
    assert!(!Wire::Flat(lower()).is(&serde_json::from_str(&bridged).unwrap()));
}

#[test]
fn only_what_differs_is_set() {
    let found: Link = serde_json::from_str(MACVLAN).unwrap();
    assert_eq!(inside_lines(1500, "c1", Some(&found)), Vec::<String>::new());
    assert_eq!(
        inside_lines(1400, "c2", Some(&found)),
        ["link set wire alias skybus:c2", "link set wire mtu 1400"]
    );
    assert_eq!(
        inside_lines(1500, "c1", None),
        [
            "link set wire alias skybus:c1",
            "link set wire mtu 1500",
            "link set wire master br0",
            "link set wire up"
        ]
    );
}

#[test]
fn peers_come_and_go_with_what_was_learnt_of_them_and_we_are_none_of_ours() {
    let entry = |mac: &str, dst: Option<&str>| Entry {
        mac: mac.to_owned(),
        dst: dst.map(str::to_owned),
    };
    let there = [
        entry(EVERYBODY, Some("192.0.2.2")),
        entry(EVERYBODY, Some("192.0.2.3")),
        entry("fa:16:3e:00:00:02", Some("192.0.2.2")),
        entry("fa:16:3e:00:00:03", Some("192.0.2.3")),
        // The bridge's own, of the same link.
        entry("fa:16:3e:00:00:03", None),
    ];
    assert_eq!(vxlan(77, &[1, 2, 3]).peers(&there), PeerLines::default());
    let lines = vxlan(77, &[1, 2, 4]).peers(&there);
    assert_eq!(
        lines.peers,
        [
            "fdb append 00:00:00:00:00:00 dev wire dst 192.0.2.4",
            "fdb del 00:00:00:00:00:00 dev wire dst 192.0.2.3"
        ]
    );
    assert_eq!(
        lines.learnt,
        ["fdb del fa:16:3e:00:00:03 dev wire dst 192.0.2.3"]
    );
    assert_eq!(vlan(100).peers(&there), PeerLines::default());
}
