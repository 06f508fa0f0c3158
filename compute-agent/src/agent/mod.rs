//! What the worker decides: commands come in, work runs from the journal, reports go out.
//!
//! One task per server works off what is wanted of it, newest wish first; a wish that is overtaken is
//! dropped, and a removal interrupts whatever is going on ([`queue`]). What became of each wish is
//! committed together with the report of it ([`ledger`]). Nothing here speaks AMQP or QEMU, so that all
//! of it can be tested with a fake driver and a journal in a temporary file.

mod ensure;
pub mod inventory;
pub mod ledger;
mod notice;
pub mod queue;
pub mod record;
mod remove;
mod steps;

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use skybus_bus::{
    DecodeError, Delivery,
    journal::{self, Journal},
};
use skybus_fault::{self as fault, Point};
use skybus_model::{
    HostName, Timestamp,
    message::{
        Message, Outgoing,
        call::{ConsoleAnswer, ConsoleTail},
        command::{ServerEnsure, ServerRemove},
    },
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::driver::{Driver, Place};
use ledger::Ledger;
use queue::{Job, Queue, Wish, WishKind};

/// How long a guest is given to go down by itself.
pub const GRACE: Duration = Duration::from_secs(20);
/// How long it is remembered that a server was removed: longer than any command for it is under way.
const REMEMBER: Duration = Duration::from_secs(7 * 24 * 3600);

/// Passes committed events to the relay.
pub type Push = Box<dyn Fn(Vec<Outgoing>) + Send + Sync>;

/// The worker of one or more hosts. Cheap to clone.
pub struct Agent<D>(Arc<Inner<D>>);

struct Inner<D> {
    driver: Arc<D>,
    ledger: Ledger,
    queues: Mutex<HashMap<Place, Queue>>,
    permits: Semaphore,
    tasks: TaskTracker,
    failures: mpsc::UnboundedSender<journal::Error>,
    first_failure: tokio::sync::Mutex<mpsc::UnboundedReceiver<journal::Error>>,
}

/// A delivery that is no command to this worker.
#[derive(Debug, thiserror::Error)]
pub enum NotForUs {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
    /// It is of a type that this worker does not know.
    #[error("a compute worker does not know {0}")]
    Unknown(String),
    /// It names no host.
    #[error("its routing key {0} names no host")]
    NoHost(String),
}

impl<D> Clone for Agent<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D> fmt::Debug for Agent<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Agent")
    }
}

/// Reads a command for a server of one of this worker's hosts.
///
/// # Errors
/// [`NotForUs`] when it is none; it belongs among the dead letters.
pub fn read(delivery: &Delivery) -> Result<(Place, Wish), NotForUs> {
    let nowhere = || NotForUs::NoHost(delivery.routing_key.clone());
    let host: HostName = delivery
        .host()
        .and_then(|host| host.parse().ok())
        .ok_or_else(nowhere)?;
    let (server, kind) = match delivery.name() {
        ServerEnsure::NAME => {
            let ensure: ServerEnsure = delivery.decode()?;
            (ensure.spec.id, WishKind::Ensure(Box::new(ensure)))
        }
        ServerRemove::NAME => {
            let remove: ServerRemove = delivery.decode()?;
            (remove.server, WishKind::Remove(remove))
        }
        other => return Err(NotForUs::Unknown(other.to_owned())),
    };
    let wish = Wish {
        message: delivery.id,
        context: delivery.context.clone(),
        kind,
    };
    Ok((Place { host, server }, wish))
}

impl<D: Driver> Agent<D> {
    /// A worker that does at most `parallel` servers' work at a time.
    pub fn new(driver: Arc<D>, journal: Journal, push: Push, parallel: usize) -> Self {
        let (failures, first_failure) = mpsc::unbounded_channel();
        Self(Arc::new(Inner {
            driver,
            ledger: Ledger::new(journal, push),
            queues: Mutex::default(),
            permits: Semaphore::new(parallel),
            tasks: TaskTracker::new(),
            failures,
            first_failure: tokio::sync::Mutex::new(first_failure),
        }))
    }

    /// Takes up what an earlier life left: unfinished commands, and whatever guests did meanwhile.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn begin(&self) -> Result<(), journal::Error> {
        fault::hit(Point::ComputeStarting, "");
        let long_ago = Timestamp(Timestamp::now().micros() - REMEMBER.as_micros() as i64);
        self.0.ledger.forget_removed_before(long_ago).await?;
        for work in self.0.ledger.unfinished().await? {
            match read(&work.delivery()) {
                Ok((place, wish)) => self.give(place, Job::Wish(wish)),
                // It was read once, by this or another version; it cannot block the queue for ever.
                Err(error) => {
                    tracing::error!(message = %work.id, %error, "a command in the journal cannot be read");
                    self.0.ledger.finish(&[work.id]).await?;
                }
            }
        }
        self.look_at_all().await
    }

    /// Gives the worker a command that is in the journal.
    pub fn wish(&self, place: Place, wish: Wish) {
        self.give(place, Job::Wish(wish));
    }

    /// Has the worker look at a server that may have done something by itself.
    pub fn look(&self, place: Place) {
        self.give(place, Job::Look);
    }

    /// The end of a console log.
    pub async fn console(&self, host: HostName, tail: ConsoleTail) -> ConsoleAnswer {
        self.0
            .driver
            .console(
                &Place {
                    host,
                    server: tail.server,
                },
                tail.lines,
            )
            .await
    }

    /// Waits until the journal fails, after which nothing can be done any more.
    pub async fn failed(&self) -> Option<journal::Error> {
        self.0.first_failure.lock().await.recv().await
    }

    /// Waits until nothing is left to do.
    pub async fn idle(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.tasks.reopen();
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Place, Queue>> {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_busy(&self, place: &Place) -> bool {
        self.queues().get(place).is_some_and(Queue::has_wish)
    }

    fn give(&self, place: Place, job: Job) {
        let mut queues = self.queues();
        if let Some(queue) = queues.get_mut(&place) {
            queue.add(job);
            return;
        }
        let mut queue = Queue::default();
        queue.add(job);
        queues.insert(place.clone(), queue);
        drop(queues);
        let this = self.clone();
        self.0.tasks.spawn(async move {
            if let Err(error) = this.work_off(&place).await {
                // Nobody listens only when the process is ending anyway.
                let _ = this.0.failures.send(error);
            }
        });
    }

    /// Works until nothing is wanted of this server any more.
    async fn work_off(&self, place: &Place) -> Result<(), journal::Error> {
        let mut overtaken = Vec::new();
        loop {
            // The permit first: while waiting for it, newer wishes overtake older ones.
            let Ok(_permit) = self.0.permits.acquire().await else {
                return Ok(());
            };
            let next = {
                let mut queues = self.queues();
                let Some(next) = queues.get_mut(place).and_then(Queue::take) else {
                    queues.remove(place);
                    return Ok(());
                };
                next
            };
            overtaken.extend(next.overtaken);
            let message = next.job.message();
            let interrupted = unless(&next.interrupt, self.run(place, next.job, &overtaken)).await;
            match interrupted {
                Some(result) => {
                    result?;
                    overtaken.clear();
                }
                // What interrupted it is in the queue and finishes this one's message with its own.
                None => overtaken.extend(message),
            }
        }
    }

    async fn run(
        &self,
        place: &Place,
        job: Job,
        overtaken: &[skybus_model::id::MessageId],
    ) -> Result<(), journal::Error> {
        let (driver, ledger) = (&*self.0.driver, &self.0.ledger);
        if !overtaken.is_empty() {
            ledger.finish(overtaken).await?;
        }
        match job {
            Job::Look => notice::notice(driver, ledger, place).await,
            Job::Wish(wish) => match wish.kind {
                WishKind::Ensure(ensure) => {
                    let work = ledger::Work {
                        place,
                        message: wish.message,
                        context: wish.context,
                    };
                    ensure::ensure(driver, ledger, &work, &ensure).await
                }
                WishKind::Remove(remove) => {
                    let work = ledger::Work {
                        place,
                        message: wish.message,
                        context: wish.context,
                    };
                    remove::remove(driver, ledger, &work, &remove).await
                }
            },
        }
    }
}

async fn unless<T>(interrupt: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        result = work => Some(result),
        () = interrupt.cancelled() => None,
    }
}

#[cfg(test)]
mod tests;
