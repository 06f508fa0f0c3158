//! Named network namespaces, as `ip netns` keeps them: a file in `/run/netns` that the kernel's
//! namespace is mounted on.
//!
//! A thread that has entered a namespace never comes back into the pool of its program: each call
//! starts a thread of its own, enters, does the work and ends the thread. So no other work of the
//! program can find itself in the wrong namespace.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use rustix::thread::{LinkNameSpaceType, UnshareFlags};

/// Where named namespaces are kept.
pub const DIRECTORY: &str = "/run/netns";

/// What `statfs` calls the file system that namespaces live on.
const NSFS_MAGIC: i64 = 0x6e73_6673;

/// Runs `work` on a thread inside the namespace `name`, and gives back what it returned. Processes
/// that it starts and sockets that it opens are in the namespace too, and stay there.
///
/// # Errors
/// When there is no such namespace, when it cannot be entered (that needs root), or what `work` failed
/// with.
pub fn inside<T, F>(name: &str, work: F) -> io::Result<T>
where
    T: Send,
    F: FnOnce() -> io::Result<T> + Send,
{
    let namespace = open(name)?;
    on_a_thread(|| {
        rustix::thread::move_into_link_name_space(
            namespace.as_fd(),
            Some(LinkNameSpaceType::Network),
        )
        .map_err(|error| explain(error.into(), &format!("entering the namespace {name}")))?;
        work()
    })
}

/// Runs `work` on a thread inside a fresh, empty, nameless namespace, which goes when the last process
/// and socket in it has gone.
///
/// # Errors
/// When a namespace cannot be made (that needs root), or what `work` failed with.
pub fn scratch<T, F>(work: F) -> io::Result<T>
where
    T: Send,
    F: FnOnce() -> io::Result<T> + Send,
{
    on_a_thread(|| {
        // SAFETY: only NEWNET is unshared, which concerns this one short-lived thread and neither its
        // descriptor table nor its memory.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
            .map_err(|error| explain(error.into(), "making a scratch network namespace"))?;
        work()
    })
}

/// Whether there is a namespace of this name. A left-over file that is not a namespace does not count.
#[must_use]
pub fn exists(name: &str) -> bool {
    path(name).is_ok_and(|path| is_namespace(&path))
}

/// The names of all namespaces, sorted.
///
/// # Errors
/// When the directory cannot be read. It is no error that there is none yet.
pub fn list() -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(DIRECTORY) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(explain(error, "listing the network namespaces")),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && is_namespace(&entry.path())
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Makes the namespace `name` if there is none. A left-over file in its place is cleared away.
///
/// # Errors
/// When `ip netns add` fails; its own words are part of the error.
pub fn make(name: &str) -> io::Result<()> {
    let path = path(name)?;
    if is_namespace(&path) {
        return Ok(());
    }
    if path.exists() {
        fs::remove_file(&path)?;
    }
    match ip_netns("add", name) {
        // Another process may have made it in the meantime, which is as good.
        Err(_) if is_namespace(&path) => Ok(()),
        other => other,
    }
}

/// Takes the name `name` away. The namespace itself goes when the last process and descriptor in it
/// has gone. It is no error that there is none.
///
/// # Errors
/// When `ip netns delete` fails.
pub fn delete(name: &str) -> io::Result<()> {
    if !path(name)?.exists() {
        return Ok(());
    }
    ip_netns("delete", name)
}

/// The processes whose main thread is in the namespace `name`.
///
/// # Errors
/// When there is no such namespace or `/proc` cannot be read.
pub fn processes(name: &str) -> io::Result<Vec<i32>> {
    let namespace = open(name)?.metadata()?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|text| text.parse().ok())
        else {
            continue;
        };
        // A process that ends while we look is not there any more.
        let Ok(its) = fs::metadata(entry.path().join("ns/net")) else {
            continue;
        };
        if its.ino() == namespace.ino() && its.dev() == namespace.dev() {
            found.push(pid);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Held by one process of the host's network namespace at a time, whichever cloud it belongs to: for
/// choosing something that must be chosen once. It leaves no file behind.
#[derive(Debug)]
pub struct Turn(#[allow(dead_code, reason = "closing it is what ends the turn")] File);

/// Waits for the turn.
///
/// # Errors
/// When the lock cannot be had at all.
pub fn turn() -> io::Result<Turn> {
    let file = File::open("/proc/self/ns/net")?;
    file.lock()
        .map_err(|error| explain(error, "waiting for other users of this host's network"))?;
    Ok(Turn(file))
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let handle = thread::Builder::new()
            .name("namespace".to_owned())
            .spawn_scoped(scope, work)?;
        handle
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the work in the namespace panicked")))
    })
}

/// A name must stay inside the directory, whoever it came from.
fn path(name: &str) -> io::Result<PathBuf> {
    let fits = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if fits {
        Ok(Path::new(DIRECTORY).join(name))
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name:?} cannot be a network namespace's name"),
        ))
    }
}

fn open(name: &str) -> io::Result<File> {
    let path = path(name)?;
    let file = File::open(&path)
        .map_err(|error| explain(error, &format!("opening the network namespace {name}")))?;
    if rustix::fs::fstatfs(&file)?.f_type == NSFS_MAGIC {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "{} is a plain file and not a network namespace",
                path.display()
            ),
        ))
    }
}

fn is_namespace(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|found| found.f_type == NSFS_MAGIC)
}

fn ip_netns(verb: &str, name: &str) -> io::Result<()> {
    let output = Command::new("ip")
        .args(["netns", verb, name])
        .output()
        .map_err(|error| explain(error, "starting `ip` (Debian package iproute2)"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "ip netns {verb} {name}: {}",
        said.trim()
    )))
}

/// The same error, with what was being done in front of it.
pub(crate) fn explain(error: io::Error, doing: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{doing}: {error}"))
}

#[cfg(test)]
pub(crate) mod tests;
