//! Each filter refuses what it should, and says why with numbers.

use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, Instant},
};

use skybus_model::{
    host::Resources,
    segment::{Carries, Segment, SegmentKind},
};
use skybus_store::hosts::Ratios;

use super::{Ask, refusal, times};
use crate::{
    config::Placement,
    fleet::{Hearing, HostView},
    weighers,
};

static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

fn heard_now() -> Hearing {
    let mut heard = Hearing::default();
    heard.beat(*NOW);
    heard
}

fn host(name: &str) -> HostView {
    HostView {
        name: name.parse().unwrap(),
        zone: "nova".into(),
        hypervisor: "tcg".into(),
        capacity: Resources {
            vcpus: 2,
            ram_mib: 1024,
            disk_gib: 10,
        },
        used: Resources::default(),
        servers: 0,
        heard: heard_now(),
        network: heard_now(),
        carries: Some(Carries::default()),
        closed: None,
    }
}

fn ask() -> Ask {
    Ask {
        resources: Resources {
            vcpus: 1,
            ram_mib: 512,
            disk_gib: 1,
        },
        zone: None,
        host: None,
        image: BTreeMap::new(),
        segments: Vec::new(),
        tried: Vec::new(),
        ratios: Ratios {
            vcpus: 2000,
            ram: 1000,
            disk: 1000,
        },
        now: *NOW,
    }
}

fn refused_by(host: &HostView, ask: &Ask) -> (&'static str, String) {
    refusal(host, ask).expect("the host should be refused")
}

#[test]
fn a_host_that_fits_is_taken_up_to_the_last_unit_and_not_beyond() {
    let mut full = host("a");
    full.used = Resources {
        vcpus: 3,
        ram_mib: 512,
        disk_gib: 9,
    };
    assert_eq!(refusal(&full, &ask()), None);
    full.used.ram_mib = 513;
    assert_eq!(
        refused_by(&full, &ask()),
        (
            "ram",
            "512 MiB wanted; 1024 there, times 1, of which 513 used".to_owned()
        )
    );
    full.used = Resources {
        vcpus: 4,
        ..Resources::default()
    };
    assert_eq!(refused_by(&full, &ask()).0, "vcpus");
    full.used = Resources {
        disk_gib: 10,
        ..Resources::default()
    };
    assert_eq!(refused_by(&full, &ask()).0, "disk");
}

#[test]
fn silent_closed_and_tried_hosts_are_refused() {
    let later = Ask {
        now: *NOW + Duration::from_secs(31),
        ..ask()
    };
    assert!(refused_by(&host("a"), &later).1.contains("silent for 31 s"));
    let closed = HostView {
        closed: Some("an operator disabled it: disk".into()),
        ..host("a")
    };
    assert!(refused_by(&closed, &ask()).1.contains("disk"));
    let deaf = HostView {
        network: Hearing::default(),
        ..host("a")
    };
    assert!(refused_by(&deaf, &ask()).1.contains("network worker"));
    let tried = Ask {
        tried: vec!["a".parse().unwrap()],
        ..ask()
    };
    assert_eq!(refused_by(&host("a"), &tried).0, "retry");
    assert_eq!(refusal(&host("b"), &tried), None);
}

#[test]
fn zone_host_and_image_are_respected() {
    let (zone, name) = Ask::split_zone(Some("nova:b"));
    let elsewhere = Ask {
        zone,
        host: name,
        ..ask()
    };
    assert_eq!(refused_by(&host("a"), &elsewhere).0, "availability_zone");
    assert_eq!(refusal(&host("b"), &elsewhere), None);
    let arm = BTreeMap::from([("hw_architecture".to_owned(), "aarch64".to_owned())]);
    assert_eq!(
        refused_by(
            &host("a"),
            &Ask {
                image: arm,
                ..ask()
            }
        )
        .0,
        "image_properties"
    );
    let kvm = BTreeMap::from([("img_hv_type".to_owned(), "kvm".to_owned())]);
    assert_eq!(
        refused_by(
            &host("a"),
            &Ask {
                image: kvm,
                ..ask()
            }
        )
        .0,
        "image_properties"
    );
}

#[test]
fn an_image_is_only_for_the_machines_that_it_names() {
    let image = |key: &str, value: &str| Ask {
        image: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..ask()
    };
    let runs = |hypervisor: &str| HostView {
        hypervisor: hypervisor.into(),
        ..host("a")
    };
    for (hypervisor, key, value, taken) in [
        ("kvm", "img_hv_type", "kvm", true),
        ("kvm", "hypervisor_type", "qemu", true),
        ("kvm", "img_hv_type", "xen", false),
        ("tcg", "img_hv_type", "qemu", true),
        ("tcg", "hypervisor_type", "kvm", false),
        // A host of the tests plays whatever is asked for.
        ("fake", "img_hv_type", "kvm", true),
        ("fake", "img_hv_type", "xen", true),
        ("tcg", "architecture", "x86_64", true),
        ("tcg", "architecture", "aarch64", false),
    ] {
        let refused = refusal(&runs(hypervisor), &image(key, value));
        assert_eq!(
            refused.is_none(),
            taken,
            "{hypervisor}: {key}={value}: {refused:?}"
        );
    }
}

#[test]
fn a_host_is_only_for_networks_that_it_can_carry() {
    let vlan = |id: u32| Segment::Vlan {
        physical: "trunk".parse().unwrap(),
        id: id.try_into().unwrap(),
    };
    let vxlan = Segment::Vxlan {
        vni: 7.try_into().unwrap(),
    };
    let on = |segments: &[Segment]| Ask {
        segments: segments.to_vec(),
        ..ask()
    };
    let says = |carries: Option<Carries>| HostView {
        carries,
        ..host("a")
    };
    let able = Carries {
        vlan: ["trunk".parse().unwrap()].into(),
        tunnel: Some([192, 0, 2, 1].into()),
        ..Carries::default()
    };
    let both = on(&[vlan(100), vxlan.clone()]);
    assert_eq!(refusal(&says(Some(able.clone())), &both), None);
    let lacks = Carries {
        tunnel: None,
        lacks: [(SegmentKind::Vxlan, "no module vxlan".to_owned())].into(),
        ..able
    };
    let why = "it cannot carry VXLAN 7: no module vxlan".to_owned();
    assert_eq!(
        refused_by(&says(Some(lacks)), &both),
        ("network_segments", why)
    );
    // Who has said nothing has local networks alone.
    assert_eq!(refusal(&says(None), &on(&[])), None);
    assert_eq!(refusal(&says(None), &on(&[Segment::Local])), None);
    assert_eq!(refused_by(&says(None), &on(&[vxlan])).0, "network_segments");
    let told = super::for_owner("network_segments", &both).unwrap();
    assert!(told.contains("(vlan, vxlan)"), "{told}");
    assert!(!told.contains("trunk") && !told.contains("100"), "{told}");
    assert_eq!(super::for_owner("ram", &both), None);
}

#[test]
fn every_refusal_names_the_filter_that_operators_know() {
    let names: Vec<_> = super::ALL.iter().map(|filter| filter.name()).collect();
    let known = [
        "service",
        "retry",
        "availability_zone",
        "image_properties",
        "network_segments",
        "vcpus",
        "ram",
        "disk",
    ];
    assert_eq!(names, known);
}

#[test]
fn spreading_and_packing_are_opposites() {
    let mut busy = host("busy");
    busy.used.ram_mib = 256;
    let hosts = vec![busy.clone(), host("idle")];
    let first = |placement| {
        weighers::in_order(hosts.clone(), &ask(), placement)[0]
            .name
            .to_string()
    };
    assert_eq!(first(Placement::Spread), "idle");
    assert_eq!(first(Placement::Pack), "busy");
}

#[test]
fn ratios_read_as_people_write_them() {
    assert_eq!(
        (times(16_000), times(1500), times(1)),
        ("16".into(), "1.5".into(), "0.001".into())
    );
}
