//! KVM or emulation, decided by proof.
//!
//! That `/dev/kvm` opens proves nothing: there are hosts on which guests then spin for ever, or QEMU
//! aborts. So a few hundred bytes are really run ([`payload.S`](../../src/qemu/acceleration/payload.S)),
//! and only the right result, in time, counts as KVM. The answer holds for the worker's life.

use std::{io, path::Path, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use crate::config::VirtType;

/// The program that runs guests.
pub const QEMU: &str = "qemu-system-x86_64";
/// What the payload is given. It takes 0.1 s by emulation on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(2);
const PAYLOAD: &[u8] = include_bytes!("acceleration/payload.bin");
/// QEMU's exit code when the payload computed what it should.
const RIGHT: i32 = 231;

/// How guests are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceleration {
    /// By the processor.
    Kvm,
    /// By translation.
    Tcg,
}

impl Acceleration {
    /// What the operator asked for, or what the host can do.
    pub async fn choose(virt_type: VirtType, scratch: &Path) -> Self {
        match virt_type {
            VirtType::Kvm => Self::Kvm,
            VirtType::Tcg | VirtType::Fake => Self::Tcg,
            VirtType::Auto => match prove(Self::Kvm, scratch).await {
                Ok(()) => {
                    tracing::info!("KVM ran a test guest: guests run with KVM");
                    Self::Kvm
                }
                Err(why) => {
                    tracing::warn!(%why, "KVM does not run guests here: guests are emulated (TCG), many times slower");
                    Self::Tcg
                }
            },
        }
    }

    /// Its word in heartbeats.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// Its part of QEMU's command line. A bounded translation cache keeps an emulated guest from
    /// growing to a gigabyte.
    #[must_use]
    pub const fn arguments(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Kvm => &[("-accel", "kvm"), ("-cpu", "host")],
            Self::Tcg => &[("-accel", "tcg,thread=multi,tb-size=64"), ("-cpu", "max")],
        }
    }
}

/// Why an acceleration is not to be used.
#[derive(Debug, thiserror::Error)]
pub enum Unproved {
    /// The test guest could not be tried.
    #[error("the test guest could not be tried: {0}")]
    Untried(#[from] io::Error),
    /// The test guest spins.
    #[error("the test guest was not done after {PATIENCE:?}")]
    Spins,
    /// QEMU ended otherwise than with the right result.
    #[error("QEMU ended with {0}: {1}")]
    Wrong(std::process::ExitStatus, String),
}

/// Runs the payload with `acceleration`.
///
/// # Errors
/// [`Unproved`] when it does not come to the right result in time.
pub async fn prove(acceleration: Acceleration, scratch: &Path) -> Result<(), Unproved> {
    let payload = scratch.join("acceleration-payload.bin");
    tokio::fs::write(&payload, PAYLOAD).await?;
    let mut command = Command::new(QEMU);
    for (option, value) in acceleration.arguments() {
        command.args([option, value]);
    }
    command
        .args([
            "-nodefaults",
            "-no-user-config",
            "-machine",
            "pc",
            "-m",
            "16M",
        ])
        .args(["-display", "none", "-no-reboot"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel"])
        .arg(&payload)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(PATIENCE, command.output())
        .await
        .map_err(|_| Unproved::Spins)??;
    if output.status.code() == Some(RIGHT) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("it said nothing").to_owned();
    Err(Unproved::Wrong(output.status, first))
}

#[cfg(test)]
mod tests;
