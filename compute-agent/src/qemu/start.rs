//! Starting a machine: wait for its taps on the host, start QEMU with them, take hold of its monitor.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{OpenOptionsExt, PermissionsExt},
            net::UnixListener,
        },
    },
    time::Duration,
};

use skybus_model::{
    Fault, FaultCode, Generation,
    server::{Nic, ServerSpec, spec},
};
use tokio::time::Instant;

use super::{
    Found, Qemu,
    command_line::{self, Machine},
    disk,
    files::Files,
    process::{self, FIRST_FD},
};
use crate::driver::{Driver, Hops, Place};

/// How long a start waits for the network worker to make the taps.
pub(super) const FOR_THE_NETWORK: Duration = Duration::from_secs(60);
/// How often it looks: nothing tells of a link that appears in another namespace without entering it.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a QEMU that was just started may take until its monitor greets, on a host that starts
/// forty at a time.
const TO_COME_UP: Duration = Duration::from_secs(60);

impl Qemu {
    pub(super) async fn start_machine(
        &self,
        place: &Place,
        spec: &ServerSpec,
        generation: Generation,
        hops: &Hops,
    ) -> Result<(), Fault> {
        let (files, user) = (self.files(place.server), self.user(place.server));
        let image = self.cache.here(&spec.image)?;
        files
            .make(user.uid, user.gid)
            .map_err(|error| disk::disk_fault(&error))?;
        let mut inherited = Vec::new();
        for nic in &spec.nics {
            inherited.push(self.tap(nic).await?);
        }
        if !inherited.is_empty() {
            hops.note("tap seen", "");
        }
        inherited.insert(0, listen(&files).map_err(|error| disk::disk_fault(&error))?);
        let descriptors: Vec<i32> = (FIRST_FD..).take(inherited.len()).collect();
        let arguments = command_line::arguments(&Machine {
            spec,
            generation,
            files: &files,
            image: &image,
            config_drive: files.config_drive().exists(),
            acceleration: self.acceleration,
            monitor: descriptors[0],
            taps: &descriptors[1..],
        });
        let log = new_log(&files).map_err(|error| disk::disk_fault(&error))?;
        let process = process::start(&arguments, generation, user, inherited, log)
            .map_err(|error| did_not_start(error.to_string()))?;
        hops.note("qemu started", self.acceleration.as_str());
        match self.hold(place.server, process, TO_COME_UP).await {
            Found::Held(_) => {
                hops.note("qemu answers", "");
                Ok(())
            }
            Found::Mute(process) => {
                super::machine::end(&process).await?;
                Err(did_not_start(format!(
                    "it did not come up within {TO_COME_UP:?}"
                )))
            }
            Found::Nothing => Err(did_not_start(self.last_words(place).await)),
        }
    }

    /// The end of the cable that the network worker laid, as soon as it is there.
    pub(super) async fn tap(&self, nic: &Nic) -> Result<OwnedFd, Fault> {
        let (namespace, tap) = (spec::namespace(nic.network), spec::tap(nic.port));
        let end = Instant::now() + self.patience;
        loop {
            let (ns, name) = (namespace.clone(), tap.clone());
            let opened =
                tokio::task::spawn_blocking(move || skybus_sys::tap::open(&ns, &name)).await;
            match opened.map_err(io::Error::other).and_then(|result| result) {
                Ok(descriptor) => return Ok(descriptor),
                Err(error) if Instant::now() >= end => {
                    let message = "The host's network did not become ready; try again";
                    return Err(
                        Fault::new(FaultCode::NetworkNotReady, message).with_details(format!(
                            "{error} (waited {:?} for port {})",
                            self.patience, nic.port
                        )),
                    );
                }
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }
}

/// The monitor's socket, which can be connected to from now on.
fn listen(files: &Files) -> io::Result<OwnedFd> {
    let path = files.monitor();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener.into())
}

/// An empty file for what QEMU says in this life; it stays root's own.
fn new_log(files: &Files) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(files.qemu_log())
}

fn did_not_start(details: String) -> Fault {
    Fault::new(
        FaultCode::MachineDidNotStart,
        "The server's machine did not start on its host",
    )
    .with_details(details)
}
