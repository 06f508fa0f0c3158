//! A host on Debian's kernel: a small emulated machine with the programs of this build, on a wire that it shares
//! with another one. For what the kernel that runs the tests may lack, as 802.1Q.
//!
//! The machine is a kernel and a RAM disk (`guest/build-host.sh`). It reaches what listens on this machine's
//! loopback at [`HERE`]; nothing is made on this machine for it, and it needs no root rights.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    programs,
    ran::{self, Ran},
};

mod commands;
mod member;
mod wire;

use commands::Commands;
pub use member::Member;
pub use wire::{Frame, Wire};

/// This machine's loopback, as a host sees it.
pub const HERE: &str = "10.0.2.2";
/// The programs of this build that a host has.
const PROGRAMS: [&str; 2] = ["skybus-network", "endpoint"];
/// Boots take seconds; many times that on a machine that is busy otherwise.
const BOOT: Duration = Duration::from_secs(240);
const COMMAND: Duration = Duration::from_secs(240);
const BUILD: Duration = Duration::from_secs(600);

/// What hosts start from.
#[derive(Debug)]
pub struct Image {
    kernel: PathBuf,
    disk: PathBuf,
}

impl Image {
    /// Made anew each time, because the programs may be new ones.
    ///
    /// # Errors
    /// When it cannot be built; the message says what was missing.
    pub fn build() -> Result<Self> {
        let directory = programs::root().join("target/guest");
        let mut build = Command::new(programs::root().join("guest/build-host.sh"));
        build.arg(&directory);
        for name in PROGRAMS {
            build.arg(programs::program(name)?);
        }
        ran::run(&mut build, BUILD)?.ok()?;
        Ok(Self {
            kernel: directory.join("skybus-host.vmlinuz"),
            disk: directory.join("skybus-host.initrd"),
        })
    }
}

/// An emulated machine, which is gone when this is dropped.
#[derive(Debug)]
pub struct DebianHost {
    name: String,
    console: PathBuf,
    machine: Child,
    commands: Commands,
}

impl DebianHost {
    /// Starts it, on one of the two ends of the wire. It boots while other things are done.
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub fn start(image: &Image, name: &str, wire: &Wire, end: usize) -> Result<Self> {
        let directory = wire.directory();
        let console = directory.join(format!("{name}.console"));
        let errors = fs::File::create(directory.join(format!("{name}.qemu")))?;
        let commands = Commands::at(&directory.join(format!("{name}.commands")))?;
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512"])
            .args(["-machine", "pc", "-nodefaults", "-no-user-config"])
            .args([
                "-display",
                "none",
                "-no-reboot",
                "-device",
                "virtio-rng-pci",
            ]);
        qemu.arg("-kernel").arg(&image.kernel);
        qemu.arg("-initrd").arg(&image.disk);
        qemu.args(["-append", &command_line(name)]);
        qemu.args(["-serial", &format!("file:{}", console.display())]);
        qemu.args(commands.arguments());
        qemu.args(["-netdev", "user,id=outside", "-device", &card("outside", 1)]);
        qemu.args(wire.arguments(end));
        qemu.args(["-device", &card("wire", 16 + end)]);
        let machine = qemu
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .context("starting qemu-system-x86_64 (Debian package qemu-system-x86)")?;
        Ok(Self {
            name: name.to_owned(),
            console,
            machine,
            commands,
        })
    }

    /// Waits until it has booted.
    ///
    /// # Errors
    /// When it does not; with what it wrote to its console.
    pub fn await_boot(&mut self) -> Result<()> {
        let booted = self.commands.await_the_first(BOOT);
        booted.with_context(|| format!("{} does not boot\n{}", self.name, self.console()))
    }

    /// Runs a shell command there, as root.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn run(&mut self, command: &str) -> Result<Ran> {
        let ran = self.commands.run(command, COMMAND);
        ran.with_context(|| format!("{}: {command}\n{}", self.name, self.console()))
    }

    /// Runs one that must succeed; what it said.
    ///
    /// # Errors
    /// When it fails, with all that it said.
    pub fn must(&mut self, command: &str) -> Result<String> {
        let ran = self.run(command)?;
        let said = ran.ok().map(str::to_owned);
        said.with_context(|| format!("on {}", self.name))
    }

    /// Writes a file there, and the directories that it is in.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, path: &str, text: &str) -> Result<()> {
        ensure!(!text.contains("'"), "quotes would end the text");
        let directory = Path::new(path).parent().context("a file in a directory")?;
        let directory = directory.display();
        self.must(&format!("mkdir -p {directory}; printf %s '{text}' >{path}"))?;
        Ok(())
    }

    /// What it wrote to its console, and QEMU to its standard error.
    #[must_use]
    pub fn console(&self) -> String {
        let read =
            |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        let (console, qemu) = (
            read(&self.console),
            read(&self.console.with_extension("qemu")),
        );
        format!("==> console of {} <==\n{console}\n{qemu}", self.name)
    }
}

impl Drop for DebianHost {
    fn drop(&mut self) {
        // There is nothing in it to be kept.
        let _ = self.machine.kill();
        let _ = self.machine.wait();
    }
}

fn command_line(name: &str) -> String {
    format!(
        "console=ttyS0,115200 net.ifnames=0 mitigations=off random.trust_cpu=on no_timer_check \
         cryptomgr.notests panic=-1 quiet HOST={name}"
    )
}

/// A network card, with an address that no other has on its wire.
fn card(network: &str, number: usize) -> String {
    format!("virtio-net-pci,netdev={network},romfile=,mac=52:54:00:73:6b:{number:02x}")
}
