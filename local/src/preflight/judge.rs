//! What is missing, and what to do about it.

use std::fmt;

use super::Facts;
use crate::{
    DataDir,
    options::{Options, VirtType},
};

/// Below this, not even one image and one guest's disk fit.
const LEAST_MIB: u64 = 1024;

/// A unix socket's address has room for 107 bytes; below the data directory, guests' sockets need the
/// rest.
const LONGEST_PATH: usize = 40;

/// One thing that is missing, with its remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  - {}\n    remedy: {}", self.what, self.remedy)
    }
}

fn missing(what: impl Into<String>, remedy: impl Into<String>) -> Missing {
    Missing {
        what: what.into(),
        remedy: remedy.into(),
    }
}

/// Everything that is missing for these options.
#[must_use]
pub fn judge(facts: &Facts, data: &DataDir, options: &Options) -> Vec<Missing> {
    let mut found = Vec::new();
    if !facts.lost_programs.is_empty() {
        let names = facts.lost_programs.join(", ");
        found.push(missing(
            format!("these programs are not beside this one: {names}"),
            "build or install all of skybus into one directory: cargo build --release --workspace",
        ));
    }
    if options.virt_type != VirtType::Fake {
        found.extend(for_guests(facts, options));
    }
    if options.broker.is_none() && !facts.broker_programs.is_empty() {
        found.push(missing(
            "RabbitMQ is not installed",
            "apt-get install --no-install-recommends rabbitmq-server, or name a broker with --broker",
        ));
    }
    found.extend(outside(facts));
    if !facts.port_free {
        let port = facts.other_port.unwrap_or(0);
        let other = std::net::SocketAddr::new(options.listen.ip(), port);
        found.push(missing(
            format!("{} is taken by another program", options.listen),
            format!("choose another one: --listen {other}"),
        ));
    }
    found.extend(for_data(facts, data, options));
    found
}

fn for_guests(facts: &Facts, options: &Options) -> Vec<Missing> {
    let mut found = Vec::new();
    if !facts.root {
        found.push(missing(
            "real guests need root, for their networks",
            "run it as root, or try it with guests that only exist in memory: \
             skybus up --virt-type fake --data-dir ~/.local/share/skybus",
        ));
    }
    if !facts.guest_programs.is_empty() {
        let packages: Vec<_> = facts
            .guest_programs
            .iter()
            .map(|name| package_of(name))
            .collect();
        found.push(missing(
            format!(
                "these programs are not installed: {}",
                facts.guest_programs.join(", ")
            ),
            format!(
                "apt-get install --no-install-recommends {}",
                packages.join(" ")
            ),
        ));
    }
    if !facts.tun {
        found.push(missing(
            "/dev/net/tun is not there, through which guests get their network",
            "modprobe tun; in a container, pass the device on to it",
        ));
    }
    if options.virt_type == VirtType::Kvm && !facts.kvm {
        found.push(missing(
            "/dev/kvm is not there",
            "switch virtualisation on in the firmware and modprobe kvm_intel or kvm_amd, or use \
             --virt-type auto, which falls back to emulation",
        ));
    }
    found
}

fn outside(facts: &Facts) -> Vec<Missing> {
    let broker = facts.broker.as_ref().map(|why| {
        missing(
            format!("the broker of --broker cannot be used: {why}"),
            "start it with the plugin rabbitmq_management, and give an administrator's account; \
             leave the option out for a broker of our own",
        )
    });
    let database = facts.database.as_ref().map(|why| {
        missing(
            format!("the database of --database cannot be used: {why}"),
            "start it and check the address; leave the option out for SQLite",
        )
    });
    broker.into_iter().chain(database).collect()
}

fn for_data(facts: &Facts, data: &DataDir, options: &Options) -> Vec<Missing> {
    let mut found = Vec::new();
    if let Some(why) = &facts.unwritable {
        found.push(missing(
            format!(
                "the data directory {} cannot be used ({why})",
                data.path().display()
            ),
            "choose another one: --data-dir DIR",
        ));
    }
    if facts.free_mib < LEAST_MIB {
        found.push(missing(
            format!(
                "only {} MiB are free for {}; {LEAST_MIB} MiB are the least",
                facts.free_mib,
                data.path().display()
            ),
            "free some space, or choose a larger disk: --data-dir DIR",
        ));
    }
    let length = data.path().as_os_str().len();
    if options.virt_type != VirtType::Fake && length > LONGEST_PATH {
        found.push(missing(
            format!(
                "the name of the data directory {} has {length} bytes, {LONGEST_PATH} are the most: the \
                 sockets of guests below it would not fit into an address",
                data.path().display()
            ),
            "choose a shorter one: --data-dir DIR",
        ));
    }
    if let Some(closed) = facts
        .closed
        .as_ref()
        .filter(|_| options.virt_type != VirtType::Fake)
    {
        let closed = closed.display();
        found.push(missing(
            format!(
                "{closed} is closed to other users; guests run as one and must reach their disks"
            ),
            format!("chmod o+x {closed}, or choose another place: --data-dir DIR"),
        ));
    }
    found
}

fn package_of(program: &str) -> &'static str {
    match program {
        "qemu-system-x86_64" => "qemu-system-x86",
        "qemu-img" => "qemu-utils",
        "dnsmasq" => "dnsmasq-base",
        "nft" => "nftables",
        "conntrack" => "conntrack",
        _ => "iproute2",
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
