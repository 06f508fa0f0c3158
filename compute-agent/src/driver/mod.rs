//! What runs machines, behind one trait: `qemu` for real ones, `fake` for whole hosts in memory.
//!
//! A driver does single steps, each of which may be repeated or dropped half-way without harm; what is
//! wanted, in which order, and what is reported is decided by [`crate::agent`]. A driver keeps nothing
//! that must outlive the process: it finds again what runs on the host.

pub mod fake;
pub mod hops;

use std::{fmt, future::Future, time::Duration};

use serde::{Deserialize, Serialize};
use skybus_model::{
    Fault, Generation, HostName,
    host::Resources,
    id::ServerId,
    message::call::ConsoleAnswer,
    server::{Nic, ServerSpec},
};

pub use hops::Hops;

/// A server on a host. One process may stand for several hosts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The host.
    pub host: HostName,
    /// The server.
    pub server: ServerId,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.server)
    }
}

/// What is there when one looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Neither a machine nor its disk.
    Absent,
    /// The disk, and no machine. Why there is none only the records can tell.
    Off,
    /// Its CPUs run, and it was started for this generation.
    Running(Generation),
    /// The hypervisor holds it, perhaps for a reason.
    Paused(Option<Fault>),
    /// The guest has powered itself off; the machine is kept so that this can be seen.
    PoweredOff,
    /// The hypervisor gave it up, for this reason, but it is still there.
    Broken(Fault),
    /// There is a machine, but it does not say what it does. It can still be ended.
    Mute,
}

impl Seen {
    /// Whether there is a machine, in whatever condition.
    #[must_use]
    pub const fn is_machine(&self) -> bool {
        !matches!(self, Self::Absent | Self::Off)
    }
}

/// What is to be done until a machine that runs has the interfaces that it should have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plugs {
    /// What it should have and has not.
    pub missing: Vec<Nic>,
    /// What it has and should not.
    pub spare: Vec<Device>,
}

/// An interface that a machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// How the hypervisor finds it.
    pub path: String,
    /// What it is connected by.
    pub cable: String,
    /// The hardware address that it was made with.
    pub mac: String,
}

/// What runs machines on one or more hosts.
pub trait Driver: Send + Sync + 'static {
    /// How guests are run: `kvm`, `tcg` or `fake`.
    fn hypervisor(&self) -> &'static str;

    /// A word that changes when every machine has ended because the host itself did.
    fn life(&self) -> &str;

    /// What the host has.
    fn capacity(&self, host: &HostName) -> Resources;

    /// What the host really has left.
    fn free(&self, host: &HostName) -> Resources;

    /// Every server of which something is there, known to the records or not.
    fn list(&self, host: &HostName) -> impl Future<Output = Vec<ServerId>> + Send;

    /// What is there.
    fn look(&self, place: &Place) -> impl Future<Output = Seen> + Send;

    /// Why a machine that is gone went, as far as it left a word.
    fn last_words(&self, place: &Place) -> impl Future<Output = String> + Send;

    /// Makes everything that the machine needs before it can start. What is there already stays.
    fn build(
        &self,
        place: &Place,
        spec: &ServerSpec,
        hops: &Hops,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Starts the machine of a server that is built and off.
    fn start(
        &self,
        place: &Place,
        spec: &ServerSpec,
        generation: Generation,
        hops: &Hops,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Lets a paused machine go on.
    fn resume(&self, place: &Place) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Which of a machine's interfaces are not as its spec wishes. None when it cannot be asked, or is off.
    fn plugs(
        &self,
        place: &Place,
        spec: &ServerSpec,
    ) -> impl Future<Output = Result<Plugs, Fault>> + Send;

    /// Gives a machine that runs an interface, unless it has it.
    fn plug(
        &self,
        place: &Place,
        nic: &Nic,
        hops: &Hops,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Takes an interface away from a machine that runs, with the guest's consent. It being away is fine.
    fn unplug(
        &self,
        place: &Place,
        device: &Device,
        hops: &Hops,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Ends the machine. The guest is asked first and given `grace` to obey, if that is not zero.
    fn stop(
        &self,
        place: &Place,
        grace: Duration,
        hops: &Hops,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Ends the machine and removes everything that was made for it.
    fn remove(&self, place: &Place, hops: &Hops) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The end of the console log.
    fn console(
        &self,
        place: &Place,
        lines: Option<usize>,
    ) -> impl Future<Output = ConsoleAnswer> + Send;
}
