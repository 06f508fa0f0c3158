//! The text of the rules. That they do what they say is tested with real packets in `tests/`.

use super::*;
use crate::testing;

#[test]
fn what_the_owner_allows_stands_in_the_port_s_own_chains() {
    let mut port = testing::port(7);
    let rule = |direction, matches, remotes: &[&str]| RuleSpec {
        direction,
        matches,
        remotes: remotes.iter().map(|net| net.parse().unwrap()).collect(),
    };
    port.rules = vec![
        rule(Direction::Egress, PacketMatch::Any, &[]),
        rule(
            Direction::Ingress,
            PacketMatch::Tcp(Some((22, 22))),
            &["0.0.0.0/0"],
        ),
        rule(
            Direction::Ingress,
            PacketMatch::Udp(Some((1000, 2000))),
            &["10.9.0.0/24", "10.9.0.5/32"],
        ),
        rule(
            Direction::Ingress,
            PacketMatch::Icmp {
                kind: Some(8),
                code: Some(0),
            },
            &[],
        ),
        rule(
            Direction::Ingress,
            PacketMatch::Protocol(132),
            &["192.0.2.1/32"],
        ),
    ];
    let text = render(&testing::network(&[port]));
    let chain = |name: &str| {
        let start = text.find(&format!("chain {name} {{")).unwrap();
        let lines = text[start..]
            .lines()
            .skip(1)
            .take_while(|line| line.trim() != "}");
        lines.map(str::trim).collect::<Vec<_>>()
    };
    assert_eq!(
        chain("in_tap070a0a0a0a0"),
        [
            "tcp dport 22 accept",
            "ip saddr { 10.9.0.0/24 } udp dport 1000-2000 accept",
            "icmp type 8 icmp code 0 accept",
            "ip saddr { 192.0.2.1/32 } meta l4proto 132 accept",
            "drop",
        ]
    );
    assert_eq!(chain("out_tap070a0a0a0a0"), ["return", "drop"]);
}

#[test]
fn each_tap_may_only_speak_for_its_port() {
    let text = render(&testing::network(&[testing::port(7), testing::port(8)]));
    assert!(text.contains("ether saddr != fa:16:3e:00:00:08 drop"));
    assert!(text.contains("\"tap080a0a0a0a0\" : jump from_tap080a0a0a0a0"));
    assert!(text.contains("10.9.0.8 : jump in_tap080a0a0a0a0"));
}

#[test]
fn nft_reads_every_kind_of_rule() {
    if !crate::testing::root("loading rules into a scratch namespace") {
        return;
    }
    let mut port = testing::port(7);
    let kinds = [
        PacketMatch::Any,
        PacketMatch::Tcp(None),
        PacketMatch::Tcp(Some((1, 65535))),
        PacketMatch::Udp(None),
        PacketMatch::Udp(Some((2000, 1000))),
        PacketMatch::Icmp {
            kind: None,
            code: None,
        },
        PacketMatch::Icmp {
            kind: Some(8),
            code: None,
        },
        PacketMatch::Icmp {
            kind: Some(3),
            code: Some(1),
        },
        PacketMatch::Protocol(47),
        PacketMatch::Protocol(6),
    ];
    for direction in [Direction::Ingress, Direction::Egress] {
        for matches in &kinds {
            for remotes in [
                vec![],
                vec![
                    "10.0.0.0/8".parse().unwrap(),
                    "10.1.0.0/16".parse().unwrap(),
                ],
            ] {
                port.rules.push(RuleSpec {
                    direction,
                    matches: matches.clone(),
                    remotes,
                });
            }
        }
    }
    let many = [port, testing::port(8), testing::port(9)];
    let text = render(&testing::network(&many));
    let one = crate::ruleset::listing_of(&text, &[("inet", TABLE), ("bridge", TABLE)]).unwrap();
    let two = crate::ruleset::listing_of(&text, &[("inet", TABLE), ("bridge", TABLE)]).unwrap();
    assert_eq!(
        one, two,
        "a listing is the same each time, or drift could not be told from it"
    );
    assert!(one.contains("from_tap090a0a0a0a0"), "{one}");
    // And with nothing in it.
    crate::ruleset::listing_of(&render(&testing::network(&[])), &[("inet", TABLE)]).unwrap();
}
