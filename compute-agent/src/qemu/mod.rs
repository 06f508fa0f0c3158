//! Real machines: QEMU, one process per guest, that outlives the worker.
//!
//! What is *not* here: what a server should be and what is told of it ([`crate::agent`]), where images
//! come from ([`crate::image`]) and where taps come from (the network worker makes them).

pub mod acceleration;
pub mod command_line;
pub mod config_drive;
pub mod disk;
pub mod files;
mod host;
pub mod interface;
pub mod machine;
pub mod process;
pub mod qmp;
mod start;
pub mod user;

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use skybus_model::{
    Fault, FaultCode, Generation, HostName,
    host::Resources,
    id::ServerId,
    message::call::ConsoleAnswer,
    server::{Nic, ServerSpec},
};
use tokio::sync::mpsc::UnboundedSender;

use acceleration::Acceleration;
use files::Files;
use machine::Machine;
use process::Process;
use user::GuestUser;

use crate::{
    console,
    driver::{Device, Driver, Hops, Place, Plugs, Seen},
    image::{Cache, cache::room_for},
};

/// How long the monitor of a running QEMU may take to greet a worker that comes back.
const TO_GREET: Duration = Duration::from_secs(10);
/// How much of QEMU's own log goes into a fault.
const LAST_LINES: usize = 5;

/// This host's machines.
#[derive(Debug)]
pub struct Qemu {
    data_dir: PathBuf,
    host: HostName,
    cache: Cache,
    acceleration: Acceleration,
    life: String,
    machines: Mutex<HashMap<ServerId, Arc<Machine>>>,
    /// Taking hold of a QEMU takes a moment; only one task does it at a time.
    holding: tokio::sync::Mutex<()>,
    changes: UnboundedSender<Place>,
    /// How long a start waits for the network worker.
    patience: Duration,
    /// How long a guest may take to let go of an interface.
    consent: Duration,
}

/// The worker's directory cannot serve guests.
#[derive(Debug, thiserror::Error)]
pub enum Unsuitable {
    /// Guests' users must be able to pass.
    #[error(
        "guests run as users of their own and cannot pass {0}; make it passable (chmod o+x {0}) or choose another data_dir"
    )]
    Closed(PathBuf),
    /// It cannot be made or read.
    #[error("the data directory cannot be used")]
    Directory(#[from] io::Error),
}

impl Qemu {
    /// The machines below `data_dir`. `changes` hears of what they do by themselves.
    ///
    /// # Errors
    /// When the directory is of no use.
    pub fn open(
        data_dir: &Path,
        host: HostName,
        api_url: &str,
        acceleration: Acceleration,
        changes: UnboundedSender<Place>,
    ) -> Result<Self, Unsuitable> {
        fs::create_dir_all(files::servers(data_dir))?;
        if rustix::process::geteuid().is_root()
            && let Some(closed) = files::closed_on_the_way(data_dir)
        {
            return Err(Unsuitable::Closed(closed));
        }
        // Passable, but not to be listed: names in it are nobody's business.
        for directory in [data_dir.to_owned(), files::servers(data_dir)] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o711))?;
        }
        let cache = Cache::open(data_dir.join("images"), api_url)?;
        Ok(Self {
            data_dir: data_dir.to_owned(),
            host,
            cache,
            acceleration,
            life: host::boot_id()?,
            machines: Mutex::default(),
            holding: tokio::sync::Mutex::default(),
            changes,
            patience: start::FOR_THE_NETWORK,
            consent: interface::TO_LET_GO,
        })
    }

    fn files(&self, server: ServerId) -> Files {
        Files::of(&self.data_dir, server)
    }

    fn user(&self, server: ServerId) -> GuestUser {
        GuestUser::of(server, self.acceleration == Acceleration::Kvm)
    }

    fn held(&self, server: ServerId) -> Option<Arc<Machine>> {
        self.machines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&server)
            .cloned()
    }

    fn forget(&self, server: ServerId) {
        self.machines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&server);
    }

    /// The machine of `server`, if it runs, taken hold of if it was not.
    async fn machine(&self, server: ServerId) -> Found {
        let _one_at_a_time = self.holding.lock().await;
        if let Some(machine) = self.held(server) {
            return Found::Held(machine);
        }
        match Process::find(server, &self.files(server)) {
            Ok(Some(process)) => self.hold(server, process, TO_GREET).await,
            Ok(None) => Found::Nothing,
            Err(error) => {
                tracing::error!(%server, %error, "a guest's process cannot be watched");
                Found::Nothing
            }
        }
    }

    /// Takes hold of a process that runs.
    async fn hold(&self, server: ServerId, process: Process, patience: Duration) -> Found {
        let files = self.files(server);
        let (changes, place) = (
            self.changes.clone(),
            Place {
                host: self.host.clone(),
                server,
            },
        );
        let on_change = move || {
            // Nobody listens when the worker is going down; the next one looks for itself.
            let _ = changes.send(place.clone());
        };
        match Machine::hold(process, &files.monitor(), patience, on_change).await {
            Ok(machine) => {
                let mut machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
                machines.insert(server, machine.clone());
                Found::Held(machine)
            }
            Err(qmp::Error::Gone) => Found::Nothing,
            Err(error) => {
                tracing::error!(%server, %error, "a guest runs, but its monitor does not answer");
                Process::find(server, &files)
                    .ok()
                    .flatten()
                    .map_or(Found::Nothing, Found::Mute)
            }
        }
    }

    fn off_or_absent(&self, server: ServerId) -> Seen {
        if self.files(server).disk().exists() {
            Seen::Off
        } else {
            Seen::Absent
        }
    }
}

/// What is found when a guest's machine is looked for.
enum Found {
    /// It can be spoken to.
    Held(Arc<Machine>),
    /// It runs, but cannot be spoken to.
    Mute(Process),
    /// It does not run.
    Nothing,
}

impl Driver for Qemu {
    fn hypervisor(&self) -> &'static str {
        self.acceleration.as_str()
    }

    fn life(&self) -> &str {
        &self.life
    }

    fn capacity(&self, _host: &HostName) -> Resources {
        host::capacity(&self.data_dir)
    }

    fn free(&self, _host: &HostName) -> Resources {
        host::free(&self.data_dir)
    }

    async fn list(&self, _host: &HostName) -> Vec<ServerId> {
        let mut servers = process::servers(&self.data_dir);
        if let Ok(entries) = fs::read_dir(files::servers(&self.data_dir)) {
            let of = |name: &std::ffi::OsStr| name.to_str()?.parse::<ServerId>().ok();
            servers.extend(entries.flatten().filter_map(|entry| of(&entry.file_name())));
        }
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    async fn look(&self, place: &Place) -> Seen {
        match self.machine(place.server).await {
            Found::Nothing => self.off_or_absent(place.server),
            Found::Mute(_) => Seen::Mute,
            Found::Held(machine) => match machine.look().await {
                Ok(seen) => seen,
                Err(qmp::Error::Gone) => {
                    machine.ended().await;
                    self.forget(place.server);
                    self.off_or_absent(place.server)
                }
                Err(error) => {
                    tracing::error!(%place, %error, "a guest's monitor does not answer");
                    Seen::Mute
                }
            },
        }
    }

    async fn last_words(&self, place: &Place) -> String {
        let log = self.files(place.server).qemu_log();
        console::tail(&log, Some(LAST_LINES))
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    async fn build(&self, place: &Place, spec: &ServerSpec, hops: &Hops) -> Result<(), Fault> {
        let (image, was_here) = self.cache.get(&spec.image).await?;
        hops.note(
            "image ready",
            if was_here {
                "it was here already"
            } else {
                "fetched"
            },
        );
        let (files, user) = (self.files(place.server), self.user(place.server));
        room_for(&self.data_dir, 0)?;
        files
            .make(user.uid, user.gid)
            .map_err(|error| disk::disk_fault(&error))?;
        disk::root(&files, user, &image, spec).await?;
        hops.note("disk ready", "");
        if let Some(path) = &spec.config_drive
            && !files.config_drive().exists()
        {
            let url = format!("{}{path}", self.cache.api_url());
            let tree = config_drive::fetch(self.cache.client(), &url).await?;
            disk::config(&files, user, &tree)?;
            hops.note("config drive ready", "");
        }
        Ok(())
    }

    async fn start(
        &self,
        place: &Place,
        spec: &ServerSpec,
        generation: Generation,
        hops: &Hops,
    ) -> Result<(), Fault> {
        self.start_machine(place, spec, generation, hops).await
    }

    async fn resume(&self, place: &Place) -> Result<(), Fault> {
        let Found::Held(machine) = self.machine(place.server).await else {
            return Ok(());
        };
        machine.resume().await.map_err(|error| {
            Fault::new(
                FaultCode::Internal,
                "The guest cannot be let go on; reboot it hard",
            )
            .with_details(error.to_string())
        })
    }

    async fn plugs(&self, place: &Place, spec: &ServerSpec) -> Result<Plugs, Fault> {
        match self.machine(place.server).await {
            Found::Held(machine) => interface::compare(&machine, &spec.nics).await,
            Found::Mute(_) | Found::Nothing => Ok(Plugs::default()),
        }
    }

    async fn plug(&self, place: &Place, nic: &Nic, hops: &Hops) -> Result<(), Fault> {
        let Found::Held(machine) = self.machine(place.server).await else {
            return Err(interface::no_answer());
        };
        interface::prepare(&machine, nic).await?;
        // Only now is the end of the cable free, if an earlier attempt had taken it.
        let tap = self.tap(nic).await?;
        hops.note("tap seen", "");
        interface::plug(&machine, nic, tap).await?;
        hops.note("interface plugged", nic.port.to_string());
        Ok(())
    }

    async fn unplug(&self, place: &Place, device: &Device, hops: &Hops) -> Result<(), Fault> {
        let Found::Held(machine) = self.machine(place.server).await else {
            return Err(interface::no_answer());
        };
        interface::unplug(&machine, device, self.consent).await?;
        hops.note("interface unplugged", device.mac.clone());
        Ok(())
    }

    async fn stop(&self, place: &Place, grace: Duration, hops: &Hops) -> Result<(), Fault> {
        match self.machine(place.server).await {
            Found::Nothing => return Ok(()),
            Found::Held(machine) => machine.stop(grace, hops).await?,
            Found::Mute(process) => machine::end(&process).await?,
        }
        self.forget(place.server);
        Ok(())
    }

    async fn remove(&self, place: &Place, hops: &Hops) -> Result<(), Fault> {
        self.stop(place, Duration::ZERO, hops).await?;
        self.files(place.server)
            .remove()
            .map_err(|error| disk::disk_fault(&error))?;
        hops.note("files removed", "");
        Ok(())
    }

    async fn console(&self, place: &Place, lines: Option<usize>) -> ConsoleAnswer {
        let log = self.files(place.server).console_log();
        console::tail(&log, lines).map_or(ConsoleAnswer::NoSuchServer, ConsoleAnswer::Text)
    }
}

#[cfg(test)]
mod tests;
