//! The connections of a network's metadata listener, bounded in number and in time, so that a guest that
//! opens many or says nothing takes neither the worker's descriptors nor its neighbours' metadata.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{Id, JoinSet},
    time::{sleep, timeout},
};

/// The largest head of a request.
const HEAD: usize = 16 << 10;
/// How long to wait when the system refuses a connection, as when descriptors have run out.
const PAUSE: Duration = Duration::from_secs(1);

/// What the connections of one network may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many there may be; further ones wait.
    pub(super) at_once: usize,
    /// How many may be one guest's; further ones are closed.
    pub(super) of_a_guest: usize,
    /// How long a guest may take to say what it wants.
    pub(super) to_ask: Duration,
    /// How long question and answer may take together. Each question has a connection of its own.
    pub(super) in_all: Duration,
}

/// Serves each guest the pages that are made for its address. Ends only by being dropped, and what it
/// serves ends with it.
pub(super) async fn serve(
    listener: TcpListener,
    limits: Limits,
    pages: impl Fn(SocketAddr) -> Router,
) {
    let mut open = JoinSet::new();
    let mut guests: HashMap<Id, IpAddr> = HashMap::new();
    loop {
        tokio::select! {
            Some(ended) = open.join_next_with_id() => {
                let id = match ended {
                    Ok((id, ())) => id,
                    Err(error) => error.id(),
                };
                guests.remove(&id);
            }
            accepted = listener.accept(), if open.len() < limits.at_once => match accepted {
                Ok((_, guest)) if of(&guests, guest.ip()) >= limits.of_a_guest => {
                    metrics::counter!("skybus_metadata_refused_total").increment(1);
                }
                Ok((stream, guest)) => {
                    let task = open.spawn(connection(stream, pages(guest), limits));
                    guests.insert(task.id(), guest.ip());
                }
                Err(error) => {
                    tracing::warn!(%error, "a metadata connection could not be accepted");
                    sleep(PAUSE).await;
                }
            },
        }
    }
}

fn of(guests: &HashMap<Id, IpAddr>, guest: IpAddr) -> usize {
    guests.values().filter(|other| **other == guest).count()
}

async fn connection(stream: TcpStream, pages: Router, limits: Limits) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.to_ask)
        .max_buf_size(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    match timeout(limits.in_all, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a metadata connection broke"),
        Err(_) => tracing::debug!("a metadata connection took too long"),
    }
}

#[cfg(test)]
mod tests;
