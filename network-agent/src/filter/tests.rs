//! The text of the rules. That they do what they say is tested with real packets in `tests/`.

use skybus_model::network::{Direction, PacketMatch, PortSpec, RuleSpec};

use super::*;
use crate::{
    program::{self, Place},
    ruleset, testing,
};

const TABLES: [ruleset::Table<'static>; 2] = [("inet", TABLE), ("bridge", TABLE)];

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

/// The port 10.9.A.B with as many rules, and floating IPs 203.0.113.N.
fn numbered(n: u16, rules: u16, floating: &[u8]) -> PortSpec {
    let [a, b] = n.to_be_bytes();
    let mut port = testing::port(7);
    port.id = format!("{n:04x}0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a")
        .parse()
        .unwrap();
    port.mac = format!("fa:16:3e:00:{a:02x}:{b:02x}");
    port.address = [10, 9, 0, 0].into();
    port.address = (u32::from(port.address) + u32::from(n)).into();
    port.floating = floating.iter().map(|n| [203, 0, 113, *n].into()).collect();
    port.rules = (0..rules)
        .map(|rule| RuleSpec {
            direction: Direction::Ingress,
            matches: PacketMatch::Tcp(Some((rule + 1, rule + 1))),
            remotes: Vec::new(),
        })
        .collect();
    port.network.cidr = "10.8.0.0/14".parse().unwrap();
    port.network.gateway = [10, 8, 0, 1].into();
    port
}

#[test]
fn one_port_s_change_among_a_thousand_names_that_port_alone() {
    let ports: Vec<PortSpec> = (1000..2000).map(|n| numbered(n, 20, &[])).collect();
    let before = testing::network(&ports);
    assert_eq!(change(&before, &before), "");
    let changed = numbered(1500, 21, &[9]);
    let mut after = before.clone();
    let port = Port::try_from(&changed).unwrap();
    let tap = port.tap();
    after.ports.insert(port.id, port);
    let script = change(&before, &after);
    assert!(script.contains("tcp dport 21 accept"), "{script}");
    assert!(
        script.contains("floating { 203.0.113.9 : 10.9.5.220 }"),
        "{script}"
    );
    // The chain, its rules, and three elements; its other chains are as they were.
    assert!(script.lines().count() < 40, "{script}");
    assert!(!script.contains(&format!("out_{tap}")), "{script}");
    let foreign = |word: &&str| word.contains("_tap") && !word.ends_with(&tap);
    let foreign = script.split_whitespace().find(foreign);
    assert_eq!(foreign, None, "{script}");
    assert!(!script.contains("delete table"), "{script}");
    // What concerns all is loaded anew as a whole.
    after.spec.gateway = [10, 8, 0, 2].into();
    assert_eq!(change(&before, &after), render(&after));
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u16) -> u16 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        u16::try_from((self.0 >> 33) % u64::from(n)).unwrap()
    }
}

#[test]
fn deltas_one_after_another_come_to_the_same_as_the_whole() {
    if !testing::root("loading rules into a scratch namespace") {
        return;
    }
    for seed in 0..6 {
        let mut chance = Chance(seed);
        skybus_sys::namespace::scratch(|| {
            let empty = testing::network(&[]);
            let mut now = Network {
                spec: numbered(1, 0, &[]).network,
                ..empty
            };
            program::nft(Place::Host, &render(&now)).unwrap();
            for _ in 0..15 {
                let mut next = now.clone();
                for _ in 0..=chance.below(3) {
                    step(&mut next, &mut chance);
                }
                program::nft(Place::Host, &change(&now, &next))
                    .unwrap_or_else(|e| panic!("{seed}: {e}\n{}", change(&now, &next)));
                let there = ruleset::listing(Place::Host, &TABLES).unwrap().unwrap();
                let wanted = ruleset::listing_of(&render(&next), &TABLES).unwrap();
                assert_eq!(there, wanted, "seed {seed}");
                now = next;
            }
            Ok(())
        })
        .unwrap();
    }
}

/// A port comes, goes or changes; addresses and floating IPs move from one to another.
fn step(network: &mut Network, chance: &mut Chance) {
    let spec = numbered(chance.below(6) + 10, chance.below(4), &[]);
    let mut port = Port::try_from(&spec).unwrap();
    match chance.below(4) {
        0 => drop(network.ports.remove(&port.id)),
        1 => {
            // Another's address, as after its port has made room.
            port.address = numbered(chance.below(6) + 10, 0, &[]).address;
            network
                .ports
                .retain(|_, other| other.address != port.address);
            network.ports.insert(port.id, port);
        }
        _ => {
            let floating = numbered(0, 0, &[u8::try_from(chance.below(3)).unwrap() + 1]).floating;
            for other in network.ports.values_mut() {
                other.floating.retain(|ip| !floating.contains(ip));
            }
            network
                .ports
                .retain(|_, other| other.address != port.address);
            port.floating = floating;
            network.ports.insert(port.id, port);
        }
    }
}
