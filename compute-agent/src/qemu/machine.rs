//! A machine that runs: its process, its monitor, and what it does by itself.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use skybus_model::{Fault, FaultCode, Generation};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout, timeout_at},
};

use super::{
    process::Process,
    qmp::{self, Event, Monitor},
};
use crate::driver::{Hops, Seen};

/// How long QEMU may take to end once it was told to.
const TO_QUIT: Duration = Duration::from_secs(5);
/// How often the power button is pressed: a guest that still boots does not feel the first time.
const PRESS_EVERY: Duration = Duration::from_secs(5);

/// A machine that runs.
#[derive(Debug)]
pub struct Machine {
    process: Process,
    monitor: Monitor,
    /// Whether the last time that it was stopped was for want of space on the host's disk.
    disk_full: AtomicBool,
    /// Counts what it did by itself.
    doings: watch::Sender<u64>,
}

impl Machine {
    /// Takes hold of a QEMU that runs. `on_change` is called whenever it did something by itself, and
    /// once when it has ended.
    ///
    /// # Errors
    /// When its monitor does not answer within `patience`.
    pub async fn hold(
        process: Process,
        monitor: &Path,
        patience: Duration,
        on_change: impl Fn() + Send + 'static,
    ) -> Result<Arc<Self>, qmp::Error> {
        let connected = tokio::select! {
            connected = Monitor::connect(monitor, patience) => connected?,
            () = process.ended() => return Err(qmp::Error::Gone),
        };
        let (monitor, events) = connected;
        let (doings, _) = watch::channel(0);
        let machine = Arc::new(Self {
            process,
            monitor,
            disk_full: AtomicBool::new(false),
            doings,
        });
        tokio::spawn(machine.clone().attend(events, on_change));
        Ok(machine)
    }

    /// Listens to it until it has ended.
    async fn attend(
        self: Arc<Self>,
        mut events: mpsc::UnboundedReceiver<Event>,
        on_change: impl Fn(),
    ) {
        while let Some(event) = events.recv().await {
            match event.name.as_str() {
                "BLOCK_IO_ERROR" => {
                    let full = event.data.get("nospace").and_then(Value::as_bool) == Some(true);
                    self.disk_full.store(full, Ordering::Relaxed);
                }
                "SHUTDOWN" | "STOP" | "RESUME" | "GUEST_PANICKED" => {
                    self.doings.send_modify(|count| *count += 1);
                    on_change();
                }
                // Nobody but who waits for it wants to know.
                "DEVICE_DELETED" => self.doings.send_modify(|count| *count += 1),
                _ => {}
            }
        }
        self.process.ended().await;
        self.doings.send_modify(|count| *count += 1);
        on_change();
    }

    /// Its monitor.
    #[must_use]
    pub const fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Counts what it did by itself from now on.
    #[must_use]
    pub fn doings(&self) -> watch::Receiver<u64> {
        self.doings.subscribe()
    }

    /// The generation that it was started for.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.process.generation()
    }

    /// Waits until its process has ended.
    pub async fn ended(&self) {
        self.process.ended().await;
    }

    /// What it is.
    ///
    /// # Errors
    /// When QEMU has gone or does not answer.
    pub async fn look(&self) -> Result<Seen, qmp::Error> {
        let answer = self.monitor.execute("query-status", json!({})).await?;
        let status = answer
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Ok(self.meaning(status))
    }

    /// What QEMU's word for a machine's condition means to us.
    fn meaning(&self, status: &str) -> Seen {
        match status {
            "running" => Seen::Running(self.generation()),
            "shutdown" => Seen::PoweredOff,
            "io-error" if self.disk_full.load(Ordering::Relaxed) => Seen::Paused(Some(disk_full())),
            "io-error" => Seen::Paused(Some(
                // After a restart of the worker nobody remembers which error it was; with these
                // settings QEMU stops a guest for no other one.
                disk_full().with_details("QEMU stopped the guest with status io-error"),
            )),
            "internal-error" | "guest-panicked" => Seen::Broken(Fault::new(
                FaultCode::MachineCrashed,
                format!("The guest cannot go on ({status}); reboot it hard"),
            )),
            _ => Seen::Paused(None),
        }
    }

    /// Lets it go on after it was paused.
    ///
    /// # Errors
    /// When QEMU refuses or is gone.
    pub async fn resume(&self) -> Result<(), qmp::Error> {
        self.monitor.execute("cont", json!({})).await.map(drop)
    }

    /// Ends it. If there is a `grace`, the guest is asked first, as by its power button.
    ///
    /// # Errors
    /// When the process does not end even when it is killed.
    pub async fn stop(&self, grace: Duration, hops: &Hops) -> Result<(), Fault> {
        if !grace.is_zero() && matches!(self.look().await, Ok(Seen::Running(_))) {
            let how = if self.power_down(grace).await {
                "guest powered off"
            } else {
                "guest ignored the power button"
            };
            hops.note(how, "");
        }
        // Whatever goes wrong with the monitor, the process can still be killed.
        let asked = self.monitor.execute("quit", json!({})).await;
        if asked.is_err() || timeout(TO_QUIT, self.process.ended()).await.is_err() {
            self.process.kill();
        }
        timeout(TO_QUIT, self.process.ended())
            .await
            .map_err(|_| stuck())?;
        hops.note("machine ended", "");
        Ok(())
    }

    /// Presses the power button until the guest is down. Says whether it is.
    async fn power_down(&self, grace: Duration) -> bool {
        let mut doings = self.doings.subscribe();
        let end = Instant::now() + grace;
        loop {
            if self
                .monitor
                .execute("system_powerdown", json!({}))
                .await
                .is_err()
            {
                return false;
            }
            let press_again = end.min(Instant::now() + PRESS_EVERY);
            while timeout_at(press_again, doings.changed()).await.is_ok() {
                if !matches!(self.look().await, Ok(Seen::Running(_))) {
                    return true;
                }
            }
            if Instant::now() >= end {
                return false;
            }
        }
    }
}

/// Ends a process whose monitor cannot be spoken to.
///
/// # Errors
/// When it does not end.
pub async fn end(process: &Process) -> Result<(), Fault> {
    process.kill();
    timeout(TO_QUIT, process.ended()).await.map_err(|_| stuck())
}

fn stuck() -> Fault {
    Fault::new(
        FaultCode::Internal,
        "The server's machine does not end; an operator has to look at its host",
    )
    .with_details("QEMU was killed and is still there; it probably hangs in a disk of the host")
}

fn disk_full() -> Fault {
    Fault::new(
        FaultCode::DiskFull,
        "The host's disk is full, so the guest is held; it goes on when there is space again",
    )
}
