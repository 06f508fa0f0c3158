//! What the host has.

use std::{
    fs::DirEntry,
    net::TcpStream,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    DataDir, broker,
    cloud::{Cloud, ROLES},
    options::Options,
    ports,
    process::spawn::{program, system_program},
    roles::program_name,
};

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whether this process is root's.
    pub root: bool,
    /// Programs of skybus that are not beside this one.
    pub lost_programs: Vec<String>,
    /// Programs of the system that real guests need and that are not there.
    pub guest_programs: Vec<&'static str>,
    /// Programs that a broker of our own needs and that are not there.
    pub broker_programs: Vec<&'static str>,
    /// Whether `/dev/kvm` is there.
    pub kvm: bool,
    /// Whether `/dev/net/tun` is there.
    pub tun: bool,
    /// Whether one can listen where the APIs shall.
    pub port_free: bool,
    /// A port next to it on which one could listen.
    pub other_port: Option<u16>,
    /// Why the data directory cannot be written, if so.
    pub unwritable: Option<String>,
    /// Free space where the data directory is or will be, MiB.
    pub free_mib: u64,
    /// A directory on the way to the data directory that other users may not pass through.
    pub closed: Option<PathBuf>,
    /// Why the operator's broker cannot be used, if so.
    pub broker: Option<String>,
    /// Why the operator's database cannot be reached, if so.
    pub database: Option<String>,
}

const GUEST_PROGRAMS: [&str; 6] = [
    "qemu-system-x86_64",
    "qemu-img",
    "dnsmasq",
    "nft",
    "conntrack",
    "ip",
];

impl Facts {
    /// Looks at the host. `left_running`: processes of this cloud still run, so its ports are its own.
    pub async fn gather(data: &DataDir, options: &Options, left_running: bool) -> Self {
        let listen = options.listen;
        let there = existing(data.path());
        let free =
            rustix::fs::statvfs(&there).map_or(0, |fs| fs.f_bavail * fs.f_frsize / 1_048_576);
        Self {
            root: rustix::process::geteuid().is_root(),
            lost_programs: ROLES
                .map(program_name)
                .into_iter()
                .chain(["skybus-supervisor".to_owned()])
                .filter(|name| program(name).is_none())
                .collect(),
            guest_programs: GUEST_PROGRAMS
                .into_iter()
                .filter(|name| system_program(name).is_none())
                .collect(),
            broker_programs: broker::requirements(),
            kvm: Path::new("/dev/kvm").exists(),
            tun: Path::new("/dev/net/tun").exists(),
            port_free: left_running || ports::is_free(listen),
            other_port: (1..100)
                .filter_map(|step| listen.port().checked_add(step))
                .find(|port| ports::is_free((listen.ip(), *port).into())),
            unwritable: unwritable(&there, data.path()),
            free_mib: free,
            closed: closed(&there),
            broker: broker_problem(options).await,
            database: options.database.as_deref().and_then(database_problem),
        }
    }
}

/// The nearest directory on the way that exists already.
fn existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|path| path.exists())
        .unwrap_or_else(|| Path::new("/"))
        .to_owned()
}

fn unwritable(there: &Path, wanted: &Path) -> Option<String> {
    if !there.is_dir() {
        return Some(format!("{} is no directory", there.display()));
    }
    let marked = ["cloud.toml", "host.toml"]
        .iter()
        .any(|mark| wanted.join(mark).exists());
    if there == wanted && !marked {
        let mut entries = std::fs::read_dir(wanted).into_iter().flatten().flatten();
        if entries.any(|entry| !is_left_by_a_death(&entry)) {
            return Some(format!(
                "{} holds other files, and no cloud",
                wanted.display()
            ));
        }
    }
    let access = rustix::fs::access(there, rustix::fs::Access::WRITE_OK);
    access
        .err()
        .map(|error| format!("{}: {error}", there.display()))
}

/// What a start may have made before it left its mark: directories without anything in them but locks, and a mark
/// that was not finished. Whoever has the same names for things of their own keeps them.
fn is_left_by_a_death(entry: &DirEntry) -> bool {
    let (name, path) = (entry.file_name(), entry.path());
    match name.to_str() {
        Some("run") => holds_only(&path, &["lock", "join.lock"]),
        Some("etc" | "log" | "broker" | "database") => holds_only(&path, &[]),
        Some("cloud.new" | "host.new") => entry.file_type().is_ok_and(|kind| kind.is_file()),
        _ => false,
    }
}

fn holds_only(directory: &Path, names: &[&str]) -> bool {
    let is_own = |entry: std::io::Result<DirEntry>| {
        entry.is_ok_and(|entry| names.iter().any(|own| entry.file_name() == *own))
    };
    !directory.is_symlink()
        && directory
            .read_dir()
            .is_ok_and(|mut found| found.all(is_own))
}

/// Guests run as a user of their own and must reach their disks.
fn closed(there: &Path) -> Option<PathBuf> {
    let real = there.canonicalize().unwrap_or_else(|_| there.to_owned());
    real.ancestors()
        .find(|path| path.metadata().is_ok_and(|found| found.mode() & 0o001 == 0))
        .map(Path::to_owned)
}

async fn broker_problem(options: &Options) -> Option<String> {
    let url = options.broker.as_deref()?;
    if !broker::is_address(url) {
        return Some("its address is not of the form amqp://ADMIN:PASSWORD@HOST:PORT".to_owned());
    }
    let cloud = Cloud::new(options.clone()).ok()?;
    broker::setup::reachable(&cloud).await.err()
}

fn database_problem(url: &str) -> Option<String> {
    if url.starts_with("sqlite:") {
        return None;
    }
    let Some(rest) = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
    else {
        return Some(
            "its address is not of the form postgres://USER:PASSWORD@HOST/NAME".to_owned(),
        );
    };
    let place = rest.split(['/', '?']).next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    if place.is_empty() {
        // A socket, named further on in the address.
        return None;
    }
    let place = if place.contains(':') {
        place.to_owned()
    } else {
        format!("{place}:5432")
    };
    let addresses = std::net::ToSocketAddrs::to_socket_addrs(&place);
    let Some(address) = addresses.ok().and_then(|mut found| found.next()) else {
        return Some(format!("{place} has no address"));
    };
    match TcpStream::connect_timeout(&address, Duration::from_secs(3)) {
        Ok(_) => None,
        Err(error) => Some(format!("nothing answers at {place}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_a_death_left_is_taken_over_and_what_others_have_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        data.create().unwrap();
        drop((data.lock().unwrap(), data.turn().unwrap()));
        fs::write(directory.path().join("host.new"), "for").unwrap();
        assert_eq!(unwritable(data.path(), data.path()), None);
        for foreign in ["log/access.log", "run/other.pid", "thesis.txt"] {
            let path = directory.path().join(foreign);
            fs::write(&path, "another program's").unwrap();
            let why = unwritable(data.path(), data.path()).unwrap();
            assert!(why.contains("holds other files"), "{why}");
            fs::remove_file(path).unwrap();
        }
        assert_eq!(unwritable(data.path(), data.path()), None);
    }
}
