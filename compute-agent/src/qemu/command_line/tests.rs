//! What must, and must not, be on a guest's command line.

use skybus_model::{
    host::Resources,
    id::{ImageId, NetworkId, PortId, ProjectId, ServerId, UserId},
    server::{ImageSource, Nic},
};

use super::*;

fn spec() -> ServerSpec {
    ServerSpec {
        id: ServerId::random(),
        project: ProjectId::random(),
        user: UserId::random(),
        name: "web,readonly=off -device evil".to_owned(),
        flavor: "tiny".to_owned(),
        resources: Resources {
            vcpus: 2,
            ram_mib: 96,
            disk_gib: 1,
        },
        image: ImageSource {
            id: ImageId::random(),
            format: DiskFormat::Qcow2,
            size: 1,
            sha512: String::new(),
            path: "/internal/images/x?signature=secret".to_owned(),
        },
        nics: vec![Nic {
            port: PortId::random(),
            network: NetworkId::random(),
            mac: "fa:16:3e:00:00:01".to_owned(),
            address: [10, 1, 0, 2].into(),
            place: Some(0),
        }],
        config_drive: Some("/internal/config-drive/x?signature=secret".to_owned()),
    }
}

fn render(spec: &ServerSpec, acceleration: Acceleration) -> (Vec<String>, Files) {
    let files = Files::of(Path::new("/var/lib/sky,bus"), spec.id);
    let machine = Machine {
        spec,
        generation: Generation(7),
        files: &files,
        image: Path::new("/var/lib/sky,bus/images/abc.qcow2"),
        config_drive: true,
        acceleration,
        monitor: 10,
        taps: &[11],
    };
    (arguments(&machine), files)
}

fn has(line: &[String], option: &str, value: &str) -> bool {
    line.windows(2)
        .any(|pair| pair[0] == option && pair[1] == value)
}

#[test]
fn a_guest_is_confined_and_gets_only_what_is_named() {
    let spec = spec();
    let (line, _) = render(&spec, Acceleration::Tcg);
    assert!(
        line.contains(&"-nodefaults".to_owned()) && line.contains(&"-no-user-config".to_owned())
    );
    assert!(has(
        &line,
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
    ));
    let port = spec.nics[0].port;
    assert!(has(&line, "-netdev", &format!("tap,id=net-{port},fd=11")));
    let device = format!(
        "virtio-net-pci,id=nic-{port},netdev=net-{port},mac=fa:16:3e:00:00:01,romfile=,addr=0x10"
    );
    assert!(has(&line, "-device", &device));
    assert!(has(&line, "-accel", "tcg,thread=multi,tb-size=64") && has(&line, "-cpu", "max"));
    assert!(has(&line, "-m", "96M") && has(&line, "-smp", "2"));
    assert!(has(&line, "-action", "shutdown=pause,reboot=reset"));
}

#[test]
fn nothing_that_a_user_named_and_no_secret_is_on_it() {
    let (line, _) = render(&spec(), Acceleration::Kvm);
    let all = line.join(" ");
    assert!(!all.contains("evil") && !all.contains("signature"), "{all}");
    assert!(has(&line, "-accel", "kvm") && has(&line, "-cpu", "host"));
}

#[test]
fn cloud_init_recognises_the_cloud() {
    let spec = spec();
    let (line, _) = render(&spec, Acceleration::Tcg);
    let smbios = &line[line.iter().position(|word| word == "-smbios").unwrap() + 1];
    assert!(smbios.contains("manufacturer=OpenStack Foundation,product=OpenStack Nova"));
    assert!(smbios.contains(&format!("uuid={}", spec.id)));
}

#[test]
fn the_chain_of_the_disk_ends_at_the_image_whatever_the_image_says() {
    let (line, files) = render(&spec(), Acceleration::Tcg);
    let at = line.iter().position(|word| word == "-blockdev").unwrap();
    let root: serde_json::Value = serde_json::from_str(&line[at + 1]).unwrap();
    assert_eq!(root["file"]["filename"], files.disk().to_str().unwrap());
    assert_eq!(
        root["backing"]["file"]["filename"],
        "/var/lib/sky,bus/images/abc.qcow2"
    );
    assert_eq!(root["backing"]["read-only"], true);
    assert!(root["backing"]["backing"].is_null() && root["backing"].get("backing").is_some());
}

#[test]
fn a_running_guest_is_known_by_its_arguments_and_only_by_all_of_them() {
    let spec = spec();
    let (line, files) = render(&spec, Acceleration::Tcg);
    let id = spec.id.to_string();
    assert_eq!(recognise(&line, &id, &files), Some(Generation(7)));
    let other = ServerId::random().to_string();
    assert_eq!(recognise(&line, &other, &files), None);
    // The same server in another cloud's directory on the same host.
    let elsewhere = Files::of(Path::new("/srv/other"), spec.id);
    assert_eq!(recognise(&line, &id, &elsewhere), None);
}
