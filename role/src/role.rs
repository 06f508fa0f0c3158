//! A running process: its tasks, its health page, its end.

use std::{future::Future, net::SocketAddr, sync::Arc};

use anyhow::{Context, anyhow};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::health::{self, Health};

/// A role's process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Role {
    name: &'static str,
    token: CancellationToken,
    tasks: TaskTracker,
    health: Health,
    failures: mpsc::UnboundedSender<anyhow::Error>,
    first_failure: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<anyhow::Error>>>,
}

impl Role {
    /// Starts the health page and listens for SIGTERM and SIGINT.
    ///
    /// # Errors
    /// When `health` cannot be bound; the text names it.
    pub async fn start(name: &'static str, health: SocketAddr) -> anyhow::Result<Self> {
        let (failures, first_failure) = mpsc::unbounded_channel();
        let role = Self {
            name,
            token: CancellationToken::new(),
            tasks: TaskTracker::new(),
            health: Health::default(),
            failures,
            first_failure: Arc::new(tokio::sync::Mutex::new(first_failure)),
        };
        let listener = TcpListener::bind(health)
            .await
            .with_context(|| format!("the health page cannot listen on {health}"))?;
        let pages = health::pages(name, role.health.clone());
        let token = role.token();
        role.spawn("health page", async move {
            let end = async move { token.cancelled().await };
            Ok(axum::serve(listener, pages)
                .with_graceful_shutdown(end)
                .await?)
        });
        let token = role.token();
        let mut terminate = signal(SignalKind::terminate())?;
        role.spawn("signals", async move {
            tokio::select! {
                _ = terminate.recv() => {}
                end = tokio::signal::ctrl_c() => end?,
                () = token.cancelled() => {}
            }
            token.cancel();
            Ok(())
        });
        Ok(role)
    }

    /// Cancelled when the process should end.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// What has to be well; add checks to it.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Runs a part of the role. When it fails or panics, the whole process ends, so that it is started
    /// afresh; returning `Ok` is an orderly end of that part.
    pub fn spawn<F>(&self, part: &'static str, work: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (failures, token) = (self.failures.clone(), self.token.clone());
        let task = self.tasks.spawn(work);
        self.tasks.spawn(async move {
            let failure = match task.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.context(format!("{part} failed")),
                Err(panic) => anyhow!("{part} panicked: {panic}"),
            };
            // Nobody listens only when the process is ending anyway.
            let _ = failures.send(failure);
            token.cancel();
        });
    }

    /// Waits for the end of the process and of all its parts.
    ///
    /// # Errors
    /// The first failure of a part.
    pub async fn wait(self) -> anyhow::Result<()> {
        self.token.cancelled().await;
        self.tasks.close();
        let grace = std::time::Duration::from_secs(10);
        if tokio::time::timeout(grace, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(role = self.name, "some parts did not end within {grace:?}");
        }
        match self.first_failure.lock().await.try_recv() {
            Ok(error) => {
                tracing::error!(role = self.name, "ends: {error:#}");
                Err(error)
            }
            Err(_) => {
                tracing::info!(role = self.name, "ends as asked");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anywhere() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[tokio::test]
    async fn a_part_that_panics_ends_the_process_with_its_name() {
        let role = Role::start("test", anywhere()).await.unwrap();
        role.spawn("relay", async { panic!("bug") });
        let error = role.wait().await.unwrap_err();
        assert!(error.to_string().contains("relay panicked"), "{error:#}");
    }

    #[tokio::test]
    async fn an_orderly_end_is_no_failure() {
        let role = Role::start("test", anywhere()).await.unwrap();
        let token = role.token();
        role.spawn("worker", async move {
            token.cancelled().await;
            Ok(())
        });
        role.token().cancel();
        role.wait().await.unwrap();
    }
}
