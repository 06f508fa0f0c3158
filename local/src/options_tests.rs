//! What is taken from the command line, what is remembered, and what is refused.

use super::*;

fn up(words: &[&str]) -> Up {
    Up::try_parse_from(std::iter::once(&"skybus up").chain(words)).unwrap()
}

fn refusal(words: &[&str]) -> String {
    Up::try_parse_from(std::iter::once(&"skybus up").chain(words))
        .unwrap_err()
        .to_string()
}

#[test]
fn what_is_named_wins_over_what_is_remembered_and_the_rest_stays() {
    let first = Options::chosen(
        &up(&["--listen", "127.0.0.1:9000", "--virt-type", "tcg"]),
        None,
    )
    .unwrap();
    let second = Options::chosen(&up(&["--virt-type", "kvm"]), Some(&first)).unwrap();
    assert_eq!(second.listen.port(), 9000);
    assert_eq!(second.virt_type, VirtType::Kvm);
}

#[test]
fn the_first_network_cannot_be_changed_later() {
    let first = Options::chosen(&up(&[]), None).unwrap();
    let text = Options::chosen(&up(&["--fixed-range", "10.9.0.0/16"]), Some(&first))
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("--fixed-range") && text.contains("--data-dir"),
        "{text}"
    );
    assert!(Options::chosen(&up(&["--fixed-range", "10.1.0.0/16"]), Some(&first)).is_ok());
}

#[test]
fn fake_hosts_without_the_fake_driver_are_refused() {
    let text = Options::chosen(&up(&["--fake-hosts", "3"]), None)
        .unwrap_err()
        .to_string();
    assert!(text.contains("--virt-type fake"), "{text}");
}

#[test]
fn the_public_interface_is_remembered_and_may_change() {
    let first = Options::chosen(&up(&["--public-interface", "eth0"]), None).unwrap();
    let second = Options::chosen(&up(&[]), Some(&first)).unwrap();
    assert_eq!(second.public_interface.as_deref(), Some("eth0"));
    let third = Options::chosen(&up(&["--public-interface", "eth1.7"]), Some(&second)).unwrap();
    assert_eq!(third.public_interface.as_deref(), Some("eth1.7"));
    assert!(refusal(&["--public-interface", "eth0; x"]).contains("ip link"));
}

#[test]
fn cables_are_remembered_and_named_anew_all_together() {
    let words = [
        "--physical",
        "trunk=eth1",
        "--physical",
        "lab=eth2",
        "--tunnel-address",
        "192.0.2.7",
    ];
    let first = Options::chosen(&up(&words), None).unwrap();
    let links = |options: &Options| {
        options
            .physical
            .values()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(links(&first), "eth2 eth1");
    let text = toml::to_string(&first).unwrap();
    let read: Options = toml::from_str(&text).unwrap();
    let second = Options::chosen(&up(&[]), Some(&read)).unwrap();
    assert_eq!(second, first);
    assert_eq!(second.tunnel_address, Some([192, 0, 2, 7].into()));
    let third = Options::chosen(&up(&["--physical", "trunk=eth3"]), Some(&second)).unwrap();
    assert_eq!(links(&third), "eth3");
    assert_eq!(third.tunnel_address, second.tunnel_address);
}

#[test]
fn cables_that_cannot_be_are_refused_with_the_right_form() {
    assert!(refusal(&["--physical", "eth1"]).contains("NAME=INTERFACE"));
    assert!(refusal(&["--physical", "a b=eth1"]).contains("letters"));
    assert!(refusal(&["--physical", "trunk=eth0; x"]).contains("ip link"));
    assert!(refusal(&["--tunnel-address", "127.0.0.1"]).contains("other hosts"));
    for words in [["a=eth1", "b=eth1"], ["a=eth1", "a=eth2"]] {
        let up = up(&["--physical", words[0], "--physical", words[1]]);
        let text = Options::chosen(&up, None).unwrap_err().to_string();
        assert!(text.contains("one interface"), "{text}");
    }
}

#[test]
fn ranges_and_sizes_that_cannot_be_are_refused_with_the_right_form() {
    assert!(refusal(&["--fixed-range", "10.1.2.3/16"]).contains("10.1.0.0/16"));
    assert!(refusal(&["--fixed-range", "10.1.0.0"]).contains("ADDRESS/LENGTH"));
    assert!(refusal(&["--network-size", "500"]).contains("power of two"));
    assert!(refusal(&["--floating-range", "172.17.1.0/31"]).contains("8 to 30"));
}

#[test]
fn floating_ips_are_not_addresses_of_the_first_network() {
    let text =
        |words: &[&str]| Options::chosen(&up(words), None).map_err(|error| error.to_string());
    let clash = text(&["--floating-range", "10.1.0.0/24"]).unwrap_err();
    assert!(clash.contains("--fixed-range"), "{clash}");
    assert!(text(&["--floating-range", "10.0.0.0/8"]).is_err());
    assert!(text(&["--floating-range", "10.1.2.0/24"]).is_ok());
    assert!(text(&["--floating-range", "10.0.255.0/24"]).is_ok());
    // A cloud that is so already is not refused.
    let former = Options {
        floating_range: "10.1.0.0/24".to_owned(),
        ..Options::default()
    };
    assert!(Options::chosen(&up(&[]), Some(&former)).is_ok());
}

#[test]
fn the_apis_listen_where_other_machines_are_told_to_look_for_them() {
    let public = up(&["--public-address", "192.0.2.1"]);
    let chosen = Options::chosen(&public, None).unwrap();
    assert_eq!(chosen.listen.to_string(), "192.0.2.1:8774");
    // Remembered at the next start.
    let later = Options::chosen(&up(&[]), Some(&chosen)).unwrap();
    assert_eq!(later, chosen);

    let first = Options::chosen(&up(&["--listen", "127.0.0.1:9000"]), None).unwrap();
    let chosen = Options::chosen(&public, Some(&first)).unwrap();
    assert_eq!(chosen.listen.to_string(), "192.0.2.1:9000");
    let everywhere = up(&["--public-address", "192.0.2.1", "--listen", "0.0.0.0:1"]);
    assert_eq!(
        Options::chosen(&everywhere, None)
            .unwrap()
            .listen
            .to_string(),
        "0.0.0.0:1"
    );
    let elsewhere = up(&["--public-address", "192.0.2.1", "--listen", "127.0.0.1:1"]);
    let text = Options::chosen(&elsewhere, None).unwrap_err().to_string();
    assert!(text.contains("--listen 0.0.0.0:1"), "{text}");
}

#[test]
fn what_carries_the_first_network_is_chosen_once() {
    for bad in ["vlan", "flat", "flat:a b", "vxlan:0", "vxlan:x", "local:1"] {
        let said = refusal(&["--flat-segment", bad]);
        assert!(
            said.contains("use 1 to") || said.contains("give local"),
            "{said}"
        );
    }
    let first = Options::chosen(&up(&["--flat-segment", "vxlan:7"]), None).unwrap();
    assert_eq!(first.flat_segment, "vxlan:7");
    assert_eq!(Options::chosen(&up(&[]), Some(&first)).unwrap(), first);
    let other = up(&["--flat-segment", "flat:trunk"]);
    assert!(Options::chosen(&other, Some(&first)).is_err());
    assert_eq!(Options::default().flat_segment, "local");
}
