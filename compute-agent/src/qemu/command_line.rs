//! The command line of a guest's QEMU, as a pure function of what the guest is.
//!
//! Everything is explicit (`-nodefaults -no-user-config`, every node of the disk's chain by name with
//! its format), so that neither QEMU's defaults nor the content of an image decides what is opened.

use std::path::{Path, PathBuf};

use serde_json::json;
use skybus_model::{Generation, image::DiskFormat, server::ServerSpec};

use super::{acceleration::Acceleration, files::Files, interface};

/// What a guest's machine is made of.
#[derive(Debug)]
pub struct Machine<'a> {
    /// The server.
    pub spec: &'a ServerSpec,
    /// The generation that it is started for; found again in the process's arguments.
    pub generation: Generation,
    /// Its files.
    pub files: &'a Files,
    /// The image below its root disk.
    pub image: &'a Path,
    /// Whether it has a config drive.
    pub config_drive: bool,
    /// How it is run.
    pub acceleration: Acceleration,
    /// The descriptor of the monitor's listening socket. The worker makes that socket itself: it can be
    /// connected to before QEMU is ready, and no guest's user can put another in its place.
    pub monitor: i32,
    /// The descriptors of its taps, in the order of its interfaces.
    pub taps: &'a [i32],
}

/// A guest's label in its process's arguments: who it is and which generation started it.
#[must_use]
pub fn label(server: &str, generation: Generation) -> String {
    format!("skybus:{server}:{}", generation.0)
}

/// The generation in the arguments of a QEMU of `server` that was started from `files`, if that is what
/// these arguments are.
#[must_use]
pub fn recognise(arguments: &[String], server: &str, files: &Files) -> Option<Generation> {
    let console = console(files);
    if !arguments.contains(&console) {
        return None;
    }
    let prefix = format!("skybus:{server}:");
    let number = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix(&prefix))?;
    Some(Generation(number.parse().ok()?))
}

/// The arguments, without the program's name.
#[must_use]
pub fn arguments(machine: &Machine<'_>) -> Vec<String> {
    let id = machine.spec.id.to_string();
    let resources = machine.spec.resources;
    let mut line = Line::default();
    line.add("-name", label(&id, machine.generation));
    line.flag("-nodefaults").flag("-no-user-config");
    line.add("-machine", "pc,usb=off,vmport=off,dump-guest-core=off");
    for (option, value) in machine.acceleration.arguments() {
        line.add(option, *value);
    }
    line.add("-smp", format!("{}", resources.vcpus.max(1)));
    line.add("-m", format!("{}M", resources.ram_mib.max(1)));
    line.add("-uuid", &id);
    line.add("-smbios", smbios(&id));
    line.add("-rtc", "base=utc");
    line.add("-boot", "strict=on");
    // A guest that powers itself off is held, so that it can be asked also by a worker that was away.
    line.add("-action", "shutdown=pause,reboot=reset");
    line.add("-msg", "timestamp=on");
    monitor_and_consoles(&mut line, machine);
    disks(&mut line, machine);
    for (nic, tap) in machine.spec.nics.iter().zip(machine.taps) {
        let (device, cable) = (interface::device(nic.port), interface::cable(nic.port));
        line.add("-netdev", format!("tap,id={cable},fd={tap}"));
        // No boot ROM: guests boot from their disk.
        let mut options = format!("id={device},netdev={cable},mac={},romfile=", nic.mac);
        if let Some(slot) = interface::slot(nic) {
            options = format!("{options},addr={slot}");
        }
        line.add("-device", format!("virtio-net-pci,{options}"));
    }
    line.add("-object", "rng-builtin,id=rng0")
        .add("-device", "virtio-rng-pci,rng=rng0");
    line.add(
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    );
    line.0
}

fn monitor_and_consoles(line: &mut Line, machine: &Machine<'_>) {
    line.add(
        "-chardev",
        format!("socket,id=qmp,fd={},server=on,wait=off", machine.monitor),
    );
    line.add("-mon", "chardev=qmp,mode=control");
    line.add("-chardev", console(machine.files));
    line.add("-device", "isa-serial,chardev=serial0");
    line.add("-device", "VGA");
    line.add("-vnc", format!("unix:{}", escaped(&machine.files.vnc())));
}

/// The serial port: a socket to talk to, and a file that keeps everything the guest said.
fn console(files: &Files) -> String {
    format!(
        "socket,id=serial0,path={},server=on,wait=off,logfile={},logappend=on",
        escaped(&files.serial()),
        escaped(&files.console_log())
    )
}

fn disks(line: &mut Line, machine: &Machine<'_>) {
    let base = match machine.spec.image.format {
        DiskFormat::Raw => json!({
            "driver": "raw", "read-only": true, "file": file(machine.image, true)
        }),
        DiskFormat::Qcow2 => json!({
            "driver": "qcow2", "read-only": true, "file": file(machine.image, true), "backing": null
        }),
    };
    let root = json!({
        "driver": "qcow2", "node-name": "root", "discard": "unmap",
        "file": file(&machine.files.disk(), false), "backing": base
    });
    line.add("-blockdev", root.to_string());
    // A full host disk stops the guest instead of telling it of a broken disk.
    line.add(
        "-device",
        "virtio-blk-pci,drive=root,bootindex=1,werror=enospc,rerror=report",
    );
    if machine.config_drive {
        let drive = json!({
            "driver": "raw", "node-name": "config", "read-only": true,
            "file": file(&machine.files.config_drive(), true)
        });
        line.add("-blockdev", drive.to_string());
        line.add("-device", "virtio-blk-pci,drive=config,serial=config-2");
    }
}

fn file(path: &Path, read_only: bool) -> serde_json::Value {
    json!({
        "driver": "file", "filename": path, "read-only": read_only,
        "discard": if read_only { "ignore" } else { "unmap" }
    })
}

/// What cloud-init looks at to learn that it is in an OpenStack cloud.
fn smbios(id: &str) -> String {
    format!(
        "type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,version={},serial={id},\
         uuid={id},family=Virtual Machine",
        env!("CARGO_PKG_VERSION")
    )
}

/// QEMU's option syntax: a comma in a value is written twice.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    fn flag(&mut self, option: &str) -> &mut Self {
        self.0.push(option.to_owned());
        self
    }

    fn add(&mut self, option: &str, value: impl Into<String>) -> &mut Self {
        self.flag(option).0.push(value.into());
        self
    }
}

/// The arguments of `qemu-img` that make a root disk of `bytes` over an image.
#[must_use]
pub fn make_disk(image: &Path, format: DiskFormat, disk: &Path, bytes: u64) -> Vec<PathBuf> {
    let mut line: Vec<PathBuf> = ["create", "-q", "-f", "qcow2", "-F", format.as_str(), "-b"]
        .map(PathBuf::from)
        .into();
    line.extend([
        image.to_owned(),
        disk.to_owned(),
        PathBuf::from(bytes.to_string()),
    ]);
    line
}

#[cfg(test)]
mod tests;
