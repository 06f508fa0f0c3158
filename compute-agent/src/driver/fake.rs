//! Hosts that exist in memory alone: for tests, and to play a cloud of thousands of hosts.
//!
//! They do what real ones do as far as anyone outside can see, the failures included. A server's name
//! chooses what befalls it: `fake-fail…` does not start, `fake-crash…` starts and crashes, `fake-off…`
//! starts and powers itself off, `fake-slow…` takes two seconds to build, `fake-never…` is never built to the end.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use skybus_model::{
    Fault, FaultCode, Generation, HostName, Timestamp,
    host::Resources,
    id::{PortId, ServerId},
    message::call::ConsoleAnswer,
    server::{Nic, ServerSpec},
};
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use super::{Device, Driver, Hops, Place, Plugs, Seen};

/// What every fake host has.
const HAS: Resources = Resources {
    vcpus: 64,
    ram_mib: 256 * 1024,
    disk_gib: 4096,
};

/// A machine that nothing runs.
#[derive(Debug, Clone)]
struct Machine {
    seen: Seen,
    uses: Resources,
    /// Its interfaces, by their ports.
    nics: Vec<PortId>,
    console: String,
}

/// Any number of hosts in memory.
#[derive(Debug)]
pub struct Fake {
    machines: Mutex<HashMap<Place, Machine>>,
    changes: UnboundedSender<Place>,
    life: String,
    /// How long each build takes.
    delay: Duration,
    /// Whether guests let go of no interface.
    clings: AtomicBool,
}

fn device(port: &PortId) -> Device {
    Device {
        path: port.to_string(),
        cable: String::new(),
        mac: String::new(),
    }
}

impl Fake {
    /// Hosts without servers. `changes` hears of what machines do by themselves.
    #[must_use]
    pub fn new(changes: UnboundedSender<Place>, delay: Duration) -> Self {
        let life = Uuid::new_v4().to_string();
        Self {
            machines: Mutex::default(),
            changes,
            life,
            delay,
            clings: AtomicBool::new(false),
        }
    }

    /// Has guests let go of no interface any more, or let go again.
    pub fn cling(&self, clings: bool) {
        self.clings.store(clings, Ordering::Relaxed);
    }

    /// The ports that a machine is plugged into, in the order in which that was done.
    #[must_use]
    pub fn interfaces(&self, place: &Place) -> Vec<PortId> {
        self.machines()
            .get(place)
            .map_or_else(Vec::new, |machine| machine.nics.clone())
    }

    /// Makes a machine be as `seen` without anyone having asked, as accidents do.
    pub fn befall(&self, place: &Place, seen: Seen) {
        self.with(place, |machine| machine.seen = seen);
        // Nobody listens when the worker is going down; the next one looks for itself.
        let _ = self.changes.send(place.clone());
    }

    fn machines(&self) -> MutexGuard<'_, HashMap<Place, Machine>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, place: &Place, change: impl FnOnce(&mut Machine)) {
        if let Some(machine) = self.machines().get_mut(place) {
            change(machine);
        }
    }
}

impl Driver for Fake {
    fn hypervisor(&self) -> &'static str {
        "fake"
    }

    fn life(&self) -> &str {
        &self.life
    }

    fn capacity(&self, _host: &HostName) -> Resources {
        HAS
    }

    fn free(&self, host: &HostName) -> Resources {
        self.machines()
            .iter()
            .filter(|(place, _)| place.host == *host)
            .fold(HAS, |left, (_, m)| Resources {
                vcpus: left.vcpus - m.uses.vcpus,
                ram_mib: left.ram_mib - m.uses.ram_mib,
                disk_gib: left.disk_gib - m.uses.disk_gib,
            })
    }

    async fn list(&self, host: &HostName) -> Vec<ServerId> {
        self.machines()
            .keys()
            .filter(|place| place.host == *host)
            .map(|p| p.server)
            .collect()
    }

    async fn look(&self, place: &Place) -> Seen {
        self.machines()
            .get(place)
            .map_or(Seen::Absent, |machine| machine.seen.clone())
    }

    async fn last_words(&self, _place: &Place) -> String {
        "it was told to crash by its name".to_owned()
    }

    async fn build(&self, place: &Place, spec: &ServerSpec, hops: &Hops) -> Result<(), Fault> {
        if spec.name.starts_with("fake-never") {
            std::future::pending::<()>().await;
        }
        let slow = spec.name.starts_with("fake-slow");
        let delay = if slow {
            Duration::from_secs(2)
        } else {
            self.delay
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        hops.note("image ready", "");
        self.machines()
            .entry(place.clone())
            .or_insert_with(|| Machine {
                seen: Seen::Off,
                uses: spec.resources,
                nics: Vec::new(),
                console: String::new(),
            });
        hops.note("disk ready", "");
        Ok(())
    }

    async fn start(
        &self,
        place: &Place,
        spec: &ServerSpec,
        generation: Generation,
        hops: &Hops,
    ) -> Result<(), Fault> {
        if spec.name.starts_with("fake-fail") {
            return Err(Fault::new(
                FaultCode::MachineDidNotStart,
                format!(
                    "The server {} did not start, as its name demands",
                    spec.name
                ),
            ));
        }
        let line = format!("[{}] {} is up\n", Timestamp::now().iso_micros(), spec.name);
        self.with(place, |machine| {
            machine.seen = Seen::Running(generation);
            machine.nics = spec.nics.iter().map(|nic| nic.port).collect();
            machine.console.push_str(&line);
        });
        hops.note("qemu started", "not really");
        if spec.name.starts_with("fake-crash") {
            self.befall(place, Seen::Off);
        } else if spec.name.starts_with("fake-off") {
            self.befall(place, Seen::PoweredOff);
        }
        Ok(())
    }

    async fn resume(&self, place: &Place) -> Result<(), Fault> {
        self.with(place, |machine| {
            machine.seen = Seen::Running(Generation::default());
        });
        Ok(())
    }

    async fn plugs(&self, place: &Place, spec: &ServerSpec) -> Result<Plugs, Fault> {
        let has = self
            .machines()
            .get(place)
            .map_or_else(Vec::new, |machine| machine.nics.clone());
        let wanted = |port: &PortId| spec.nics.iter().any(|nic| nic.port == *port);
        let missing = spec.nics.iter().filter(|nic| !has.contains(&nic.port));
        let spare = has.iter().filter(|port| !wanted(port));
        Ok(Plugs {
            missing: missing.cloned().collect(),
            spare: spare.map(device).collect(),
        })
    }

    async fn plug(&self, place: &Place, nic: &Nic, hops: &Hops) -> Result<(), Fault> {
        self.with(place, |machine| {
            if !machine.nics.contains(&nic.port) {
                machine.nics.push(nic.port);
            }
        });
        hops.note("interface plugged", "not really");
        Ok(())
    }

    async fn unplug(&self, place: &Place, spare: &Device, hops: &Hops) -> Result<(), Fault> {
        let stubborn = self.clings.load(Ordering::Relaxed);
        if stubborn {
            let message = "The guest did not let go of the interface, as it was told";
            return Err(Fault::new(FaultCode::Internal, message));
        }
        self.with(place, |machine| {
            machine.nics.retain(|port| device(port) != *spare);
        });
        hops.note("interface unplugged", "not really");
        Ok(())
    }

    async fn stop(&self, place: &Place, _grace: Duration, hops: &Hops) -> Result<(), Fault> {
        self.with(place, |machine| machine.seen = Seen::Off);
        hops.note("machine ended", "");
        Ok(())
    }

    async fn remove(&self, place: &Place, hops: &Hops) -> Result<(), Fault> {
        self.machines().remove(place);
        hops.note("files removed", "");
        Ok(())
    }

    async fn console(&self, place: &Place, lines: Option<usize>) -> ConsoleAnswer {
        match self.machines().get(place) {
            None => ConsoleAnswer::NoSuchServer,
            Some(machine) => ConsoleAnswer::Text(crate::console::last(&machine.console, lines)),
        }
    }
}
