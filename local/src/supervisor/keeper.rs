//! One keeper per process: adopts or starts it, starts it again when it dies, ends it when asked.

use std::{
    process::Child,
    time::{Duration, Instant},
};

use rustix::process::Pid;
use tokio::{select, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Board, backoff::Backoff};
use crate::{
    Error,
    process::{ProcessId, Spec, Watched},
    progress::Progress,
};

/// A process that runs, ours or adopted.
struct Running {
    /// When it was started or adopted.
    began: Instant,
    /// `None` when it had ended before it could be taken hold of.
    watched: Option<Watched>,
    /// Ours to ask how it ended.
    child: Option<Child>,
}

impl Running {
    async fn ended(&self) {
        if let Some(watched) = &self.watched {
            watched.ended().await;
        }
    }

    /// How it ended. Only to be asked when it has.
    fn how(&mut self) -> String {
        match self.child.as_mut().map(Child::wait) {
            Some(Ok(status)) => status.to_string(),
            _ => "it is not known how; it was started by an earlier supervisor".to_owned(),
        }
    }
}

/// Looks after one process.
#[derive(Debug, Clone)]
pub struct Keeper {
    spec: Spec,
    stop_order: u32,
    board: Board,
}

impl Keeper {
    /// A keeper; lower `stop_order` is ended first.
    #[must_use]
    pub const fn new(spec: Spec, stop_order: u32, board: Board) -> Self {
        Self {
            spec,
            stop_order,
            board,
        }
    }

    /// Keeps the process until `end`, and then ends it.
    async fn keep(self, mut running: Running, end: CancellationToken) {
        let name = &self.spec.name;
        let mut backoff = Backoff::new();
        loop {
            select! {
                () = running.ended() => {}
                () = end.cancelled() => return self.stop(running).await,
            }
            let how = running.how();
            let mut wait = backoff.after(running.began.elapsed());
            self.board.died(name, &how);
            warn!(
                name,
                how, "a process ended; it is started again in {wait:?}"
            );
            Progress::Note(format!("{name} ended ({how}); it is started again")).tell();
            running = loop {
                select! {
                    () = sleep(wait) => {}
                    () = end.cancelled() => return self.board.stopped(name),
                }
                match self.start() {
                    Ok(running) => break running,
                    Err(error) => {
                        wait = backoff.after(Duration::ZERO);
                        self.board.died(name, &error.to_string());
                        warn!(name, "a process could not be started: {error}");
                    }
                }
            };
        }
    }

    async fn stop(&self, mut running: Running) {
        if let Some(watched) = &running.watched
            && !watched.stop(self.spec.grace).await
        {
            warn!(
                name = self.spec.name,
                "it did not end within {:?} and was killed", self.spec.grace
            );
        }
        running.how();
        info!(name = self.spec.name, "ended");
        self.board.stopped(&self.spec.name);
    }

    fn start(&self) -> Result<Running, Error> {
        let (began, fingerprint) = (Instant::now(), self.spec.fingerprint());
        let child = self.spec.start()?;
        let id = ProcessId::of(Pid::from_child(&child));
        let watched = match id {
            Some(id) => {
                self.board
                    .started(&self.spec, self.stop_order, id, fingerprint);
                info!(name = self.spec.name, pid = id.pid, "started");
                Watched::hold(id)?
            }
            None => None,
        };
        Ok(Running {
            began,
            watched,
            child: Some(child),
        })
    }

    /// What an earlier supervisor left, if it is what would be started now; otherwise it is ended.
    async fn adopt(&self) -> Result<Option<Running>, Error> {
        let left = self.board.process(&self.spec.name);
        let Some(watched) = left.id.map(Watched::hold).transpose()?.flatten() else {
            return Ok(None);
        };
        if left.fingerprint == self.spec.fingerprint() {
            info!(name = self.spec.name, pid = watched.id().pid, "adopted");
            return Ok(Some(Running {
                began: Instant::now(),
                watched: Some(watched),
                child: None,
            }));
        }
        info!(
            name = self.spec.name,
            "what runs is out of date and is replaced"
        );
        watched.stop(self.spec.grace).await;
        Ok(None)
    }
}

/// All keepers, with the order in which they end.
#[derive(Debug)]
pub struct Keepers {
    board: Board,
    kept: Vec<(u32, CancellationToken, JoinHandle<()>)>,
}

impl Keepers {
    /// None yet.
    #[must_use]
    pub const fn new(board: Board) -> Self {
        Self {
            board,
            kept: Vec::new(),
        }
    }

    /// The board that they write on.
    #[must_use]
    pub const fn board(&self) -> &Board {
        &self.board
    }

    /// Adopts or starts a process and keeps it from now on. Returns whether it was adopted.
    ///
    /// # Errors
    /// When it cannot be started at all.
    pub async fn keep(&mut self, spec: Spec, stop_order: u32) -> Result<bool, Error> {
        let keeper = Keeper::new(spec, stop_order, self.board.clone());
        let adopted = keeper.adopt().await?;
        self.board.begins(&keeper.spec.name);
        let was_adopted = adopted.is_some();
        let running = match adopted {
            Some(running) => running,
            None => {
                keeper.spec.rotate_log();
                keeper.start()?
            }
        };
        let end = CancellationToken::new();
        let task = tokio::spawn(keeper.keep(running, end.clone()));
        self.kept.push((stop_order, end, task));
        Ok(was_adopted)
    }

    /// Ends all of them, those with a lower order first.
    pub async fn stop(mut self) {
        self.kept.sort_by_key(|(order, ..)| *order);
        while let Some(order) = self.kept.first().map(|(order, ..)| *order) {
            let later = self.kept.iter().position(|(other, ..)| *other > order);
            let now = self
                .kept
                .drain(..later.unwrap_or(self.kept.len()))
                .collect::<Vec<_>>();
            for (_, end, _) in &now {
                end.cancel();
            }
            for (_, _, task) in now {
                // A keeper that panicked has left its process to `down`.
                let _ = task.await;
            }
        }
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
