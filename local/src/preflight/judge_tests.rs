//! Each lack is named once, with a remedy that can be typed.

use std::path::Path;

use super::*;

fn fit() -> Facts {
    Facts {
        root: true,
        lost_programs: Vec::new(),
        guest_programs: Vec::new(),
        broker_programs: Vec::new(),
        kvm: false,
        tun: true,
        port_free: true,
        other_port: Some(8775),
        unwritable: None,
        free_mib: 50_000,
        closed: None,
        broker: None,
        database: None,
    }
}

fn judged(facts: &Facts, options: &Options) -> Vec<String> {
    let data = DataDir::at(Path::new("/srv/cloud")).unwrap();
    judge(facts, &data, options)
        .iter()
        .map(Missing::to_string)
        .collect()
}

#[test]
fn a_fit_host_lacks_nothing() {
    assert!(judged(&fit(), &Options::default()).is_empty());
}

#[test]
fn each_lack_is_named_with_its_remedy() {
    let cases: [(Facts, &str, &str); 9] = [
        (
            Facts {
                root: false,
                ..fit()
            },
            "root",
            "--virt-type fake",
        ),
        (
            Facts {
                guest_programs: vec!["qemu-system-x86_64", "nft"],
                ..fit()
            },
            "qemu-system-x86_64, nft",
            "qemu-system-x86 nftables",
        ),
        (
            Facts {
                broker_programs: vec!["epmd"],
                ..fit()
            },
            "RabbitMQ",
            "rabbitmq-server",
        ),
        (
            Facts {
                port_free: false,
                ..fit()
            },
            "127.0.0.1:8774 is taken",
            "--listen 127.0.0.1:8775",
        ),
        (
            Facts {
                free_mib: 12,
                ..fit()
            },
            "only 12 MiB",
            "--data-dir",
        ),
        (
            Facts {
                closed: Some("/root".into()),
                ..fit()
            },
            "/root is closed",
            "chmod o+x /root",
        ),
        (
            Facts {
                unwritable: Some("read-only".into()),
                ..fit()
            },
            "/srv/cloud",
            "--data-dir",
        ),
        (
            Facts {
                tun: false,
                ..fit()
            },
            "/dev/net/tun",
            "modprobe tun",
        ),
        (
            Facts {
                lost_programs: vec!["skybus-api".into()],
                ..fit()
            },
            "skybus-api",
            "cargo build",
        ),
    ];
    for (facts, what, remedy) in cases {
        let lines = judged(&facts, &Options::default());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains(what) && lines[0].contains(remedy),
            "{}",
            lines[0]
        );
    }
}

#[test]
fn without_root_the_fake_driver_needs_none_of_what_guests_need() {
    let facts = Facts {
        root: false,
        tun: false,
        guest_programs: vec!["ip"],
        closed: Some("/home/me".into()),
        ..fit()
    };
    let options = Options {
        virt_type: VirtType::Fake,
        ..Options::default()
    };
    assert!(judged(&facts, &options).is_empty());
}

#[test]
fn kvm_is_asked_for_only_by_name_and_a_broker_of_ones_own_needs_no_package() {
    let kvm = Options {
        virt_type: VirtType::Kvm,
        ..Options::default()
    };
    assert!(judged(&fit(), &kvm)[0].contains("--virt-type auto"));
    let facts = Facts {
        broker_programs: vec!["rabbitmq-server"],
        ..fit()
    };
    let options = Options {
        broker: Some("amqp://a:b@r".to_owned()),
        ..Options::default()
    };
    assert!(judged(&facts, &options).is_empty());
}

#[test]
fn everything_is_named_at_once() {
    let facts = Facts {
        root: false,
        port_free: false,
        free_mib: 0,
        ..fit()
    };
    assert_eq!(judged(&facts, &Options::default()).len(), 3);
}
