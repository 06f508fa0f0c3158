//! The end of a bus: what no reconnecting can repair.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// The bus cannot go on; the process ends with this error and its supervisor starts it anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// Connections were rebuilt and still nothing comes through the process's own queue.
    #[error(
        "queue {queue} stays silent although the broker answers; does another process consume it?"
    )]
    Deaf {
        /// The queue.
        queue: String,
    },
    /// A part of the bus ended that never should: a defect.
    #[error("the {part} of the bus ended by itself; this is a defect in skybus")]
    Stopped {
        /// Which part.
        part: &'static str,
    },
    /// The broker's address cannot be read.
    #[error(
        "the broker's address is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST: {reason}"
    )]
    Address {
        /// What the parser says; never the address, which holds a password.
        reason: String,
    },
}

/// Whether the bus has failed for good, and why.
#[derive(Clone, Default)]
pub(crate) struct End {
    failed: CancellationToken,
    why: Arc<Mutex<Option<Failed>>>,
}

impl End {
    pub(crate) fn set(&self, why: Failed) {
        error!(%why, "the bus has failed");
        self.why
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(why);
        self.failed.cancel();
    }

    pub(crate) async fn wait(&self) -> Failed {
        self.failed.cancelled().await;
        let why = self
            .why
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        why.unwrap_or(Failed::Stopped { part: "bus" })
    }

    pub(crate) fn is_set(&self) -> bool {
        self.failed.is_cancelled()
    }

    /// Runs a part of the bus in the background; its failure is the bus's.
    pub(crate) fn keep(
        &self,
        token: &CancellationToken,
        part: &'static str,
        task: impl Future<Output = Result<(), Failed>> + Send + 'static,
    ) {
        let (end, token) = (self.clone(), token.clone());
        tokio::spawn(async move {
            match AssertUnwindSafe(task).catch_unwind().await {
                Ok(Err(why)) => end.set(why),
                Ok(Ok(())) if token.is_cancelled() => {}
                Ok(Ok(())) | Err(_) => end.set(Failed::Stopped { part }),
            }
        });
    }
}
