//! A connection that is made again for as long as the process lives.
//!
//! A link owns one connection at a time. Whoever uses it takes the current [`Wire`], opens channels on
//! it, and comes back for the next one when it breaks. lapin's own recovery is not used: it replays what
//! a connection had and gives up after some attempts, while here everything is declared anew from the
//! typed topology each time, which also repairs what was deleted meanwhile.

use std::{future::Future, sync::Arc, time::Duration};

use futures::StreamExt;
use lapin::{Connection, ConnectionProperties, Event, uri::AMQPUri};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{SendError, publisher::Flow};

/// How long a connection, a channel or a declaration may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// After two of these without a sign of life the connection is dead.
const HEARTBEAT_SECONDS: u16 = 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One connection, from its making to its end.
pub(crate) struct Wire {
    pub(crate) connection: Connection,
    /// Counts the connections of the link.
    pub(crate) number: u64,
    /// When it was made.
    pub(crate) since: Instant,
    /// Whether what is published on it arrives.
    pub(crate) flow: Flow,
    broken: CancellationToken,
}

impl Wire {
    /// Has the link throw this connection away and make a new one.
    pub(crate) fn give_up(&self, why: &str) {
        if !self.broken.is_cancelled() {
            warn!(
                number = self.number,
                why, "the broker connection is made anew"
            );
            self.broken.cancel();
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_cancelled() || !self.connection.status().connected()
    }

    /// Returns once the link has thrown this connection away.
    pub(crate) async fn ended(&self) {
        self.broken.cancelled().await;
    }

    /// A request to the broker with a deadline: one that is not answered condemns the connection, unless
    /// the broker said that it does not listen to it for now.
    pub(crate) async fn ask<T>(
        &self,
        what: &'static str,
        request: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, String> {
        tokio::select! {
            () = self.broken.cancelled() => Err(format!("{what}: the connection broke")),
            () = self.flow.until_blocked() => Err(format!("{what}: the broker is under an alarm")),
            answer = timeout(PATIENCE, request) => match answer {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(error)) => Err(format!("{what}: {error}")),
                Err(_) => {
                    self.give_up(what);
                    Err(format!("{what}: no answer within {PATIENCE:?}"))
                }
            },
        }
    }
}

/// A handle on the link. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Link {
    wire: watch::Receiver<Option<Arc<Wire>>>,
}

impl Link {
    /// A link and the task that keeps it up until the token is cancelled.
    pub(crate) fn new(
        name: String,
        address: AMQPUri,
        token: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, wire) = watch::channel(None);
        (Self { wire }, async move {
            let task = keep_up(&name, address, &sender);
            tokio::select! { () = token.cancelled() => {}, () = task => {} }
            let last = sender.send_replace(None);
            if let Some(wire) = last {
                let goodbye = wire.connection.close(200, "the process ends".into());
                let _ended = timeout(Duration::from_secs(1), goodbye).await;
            }
        })
    }

    /// The connection, if there is one now.
    pub(crate) fn current(&self) -> Option<Arc<Wire>> {
        self.wire.borrow().clone().filter(|wire| !wire.is_broken())
    }

    /// The connection, if there is one now and something may be published on it.
    pub(crate) fn ready(&self) -> Result<Arc<Wire>, SendError> {
        match self.current() {
            None => Err(SendError::NotConnected),
            Some(wire) if wire.flow.is_blocked() => Err(SendError::Blocked),
            Some(wire) => Ok(wire),
        }
    }

    /// The connection, as soon as there is one. Pends for ever when the link was shut.
    pub(crate) async fn wait(&self) -> Arc<Wire> {
        let mut wire = self.wire.clone();
        loop {
            let found = wire
                .borrow_and_update()
                .clone()
                .filter(|wire| !wire.is_broken());
            if let Some(found) = found {
                return found;
            }
            if wire.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether the broker has stopped reading from this connection (a memory or disk alarm).
    pub(crate) fn is_blocked(&self) -> bool {
        self.current().is_some_and(|wire| wire.flow.is_blocked())
    }
}

async fn keep_up(name: &str, mut address: AMQPUri, sender: &watch::Sender<Option<Arc<Wire>>>) {
    address.query.heartbeat = Some(HEARTBEAT_SECONDS);
    let mut failures = 0u32;
    for number in 1.. {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        match timeout(
            PATIENCE,
            Connection::connect_uri(address.clone(), properties),
        )
        .await
        {
            Ok(Ok(connection)) => {
                info!(name, number, "connected to the broker");
                metrics::counter!("skybus_bus_connections_total").increment(1);
                failures = 0;
                let broken = CancellationToken::new();
                let wire = Arc::new(Wire {
                    connection,
                    number,
                    since: Instant::now(),
                    flow: Flow::new(),
                    broken,
                });
                sender.send_replace(Some(wire.clone()));
                until_it_breaks(name, &wire).await;
                wire.broken.cancel();
                sender.send_replace(None);
            }
            Ok(Err(error)) => {
                failures += 1;
                warn!(name, failures, %error, "no connection to the broker");
            }
            Err(_) => {
                failures += 1;
                warn!(name, failures, "the broker does not answer");
            }
        }
        sleep(pause(failures)).await;
    }
}

async fn until_it_breaks(name: &str, wire: &Wire) {
    let mut events = Box::pin(wire.connection.events_listener());
    // The status is looked at as well, in case the event came before there was a listener.
    let mut look = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = wire.broken.cancelled() => return,
            _ = look.tick() => {
                let status = wire.connection.status();
                if !status.connected() {
                    warn!(name, "the broker connection ended");
                    return;
                }
                if status.blocked() {
                    wire.flow.block();
                }
            },
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    warn!(name, reason, "the broker accepts no messages");
                    wire.flow.block();
                }
                Some(Event::ConnectionUnblocked) => {
                    info!(name, "the broker accepts messages again");
                    wire.flow.unblock(std::time::Instant::now());
                }
                Some(Event::Error(error)) => {
                    if !wire.connection.status().connected() {
                        warn!(name, %error, "the broker connection broke");
                        return;
                    }
                    // An error of one channel, which whoever owns the channel sees too.
                    tracing::debug!(name, %error, "the broker reports an error");
                }
                Some(_) => {}
                None => return,
            },
        }
    }
}

/// Full jitter, so that a hundred agents do not come back in the same millisecond.
pub(crate) fn pause(failures: u32) -> Duration {
    let most =
        LONGEST_PAUSE.min(Duration::from_millis(100) * 2u32.saturating_pow(failures.min(10)));
    most.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        assert!((0..200).all(|_| pause(0) <= Duration::from_millis(100)));
        assert!((0..200).all(|n| pause(n) <= LONGEST_PAUSE));
    }
}
