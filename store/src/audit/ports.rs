//! Ports, and with them their addresses, whose server is gone or elsewhere.

use skybus_model::{
    HostName,
    id::{PortId, ServerId},
    message::Context,
};

use super::{
    Look, Outcome,
    finding::{Finding, Kind, Resource},
};
use crate::{
    Error, Result, Store, Tx,
    lifecycle::mend,
    networks::{
        Scope, binding,
        ports::{self, Port},
    },
    operations,
    row::Columns,
    servers::{self, Server},
    signed_path::PathKey,
};

/// While a delete is open, its ports wait for their host's word: that is in order.
const LEFT: &str = "SELECT p.id, p.server, p.host, s.id AS known FROM ports p \
     LEFT JOIN servers s ON s.id = p.server WHERE p.server IS NOT NULL \
     AND (s.id IS NULL OR s.deleted_at IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM operations o \
     WHERE o.server = p.server AND o.ended_at IS NULL) ORDER BY p.id";

pub(super) async fn without_server(store: &Store, _: &Look) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for row in sqlx::query(LEFT).fetch_all(store.pool()).await? {
        let server: ServerId = row.word("server")?;
        let gone = match row.maybe_text("known")? {
            Some(_) => "is deleted",
            None => "has no row",
        };
        let repair = match row.maybe_text("host")? {
            Some(host) => format!("have host {host} let go of it, then free its address"),
            None => "free its address".to_owned(),
        };
        findings.push(Finding {
            kind: Kind::PortWithoutServer,
            resource: Resource::Port(row.word("id")?),
            found: format!("it belongs to server {server}, which {gone}"),
            expected: "no port once its server is gone".to_owned(),
            repair,
        });
    }
    Ok(findings)
}

pub(super) async fn repair_without_server(
    tx: &mut Tx,
    id: PortId,
    key: &PathKey,
) -> Result<Outcome> {
    let Some((port, server)) = locked(tx, id).await? else {
        return Ok(Outcome::Gone);
    };
    let Some(mut server) = server else {
        // No row, no operation: what its host still has of it is removed with the next inventory.
        ports::release(tx, &port).await?;
        return Ok(Outcome::Repaired("its address is free".to_owned()));
    };
    if server.deleted_at.is_none() || !operations::open_of(tx, server.id).await?.is_empty() {
        return Ok(Outcome::Gone);
    }
    mend::let_go(tx, &mut server, key).await?;
    let done = match ports::get(tx.conn(), id, Scope::Everything).await {
        Ok(_) => "its host is told; the address is free when the host has let go of it",
        Err(_) => "its address is free",
    };
    Ok(Outcome::Repaired(done.to_owned()))
}

/// The port and, locked, its server; the inner `None` when that has no row.
async fn locked(tx: &mut Tx, id: PortId) -> Result<Option<(Port, Option<Server>)>> {
    let port = match ports::get(tx.conn(), id, Scope::Everything).await {
        Ok(port) => port,
        Err(Error::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(server) = port.server else {
        return Ok(None);
    };
    match servers::load(tx, server).await {
        // Whoever held the lock may have changed the port.
        Ok(server) => {
            let port = ports::get(tx.conn(), id, Scope::Everything).await.ok();
            Ok(port
                .filter(|port| port.server == Some(server.id))
                .map(|port| (port, Some(server))))
        }
        Err(Error::NotFound(_)) => Ok(Some((port, None))),
        Err(error) => Err(error),
    }
}

const ELSEWHERE: &str = "SELECT p.id, p.host AS served, s.host AS wanted, s.id AS server FROM ports p \
     JOIN servers s ON s.id = p.server WHERE s.deleted_at IS NULL \
     AND COALESCE(p.host, '') <> COALESCE(s.host, '') ORDER BY p.id";

fn place(host: Option<&HostName>) -> String {
    host.map_or_else(|| "no host".to_owned(), |host| format!("host {host}"))
}

pub(super) async fn elsewhere(store: &Store, _: &Look) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for row in sqlx::query(ELSEWHERE).fetch_all(store.pool()).await? {
        let (served, wanted): (Option<HostName>, Option<HostName>) =
            (row.maybe_word("served")?, row.maybe_word("wanted")?);
        let server: ServerId = row.word("server")?;
        findings.push(Finding {
            kind: Kind::PortElsewhere,
            resource: Resource::Port(row.word("id")?),
            found: format!("it is served by {}", place(served.as_ref())),
            expected: format!("{}, as its server {server}", place(wanted.as_ref())),
            repair: "give all ports of the server to the server's host, and tell it".to_owned(),
        });
    }
    Ok(findings)
}

pub(super) async fn repair_elsewhere(tx: &mut Tx, id: PortId) -> Result<Outcome> {
    let Some((port, Some(server))) = locked(tx, id).await? else {
        return Ok(Outcome::Gone);
    };
    if server.deleted_at.is_some() || port.host == server.host {
        return Ok(Outcome::Gone);
    }
    let context = Context::begin();
    match &server.host {
        Some(host) => drop(binding::bind(tx, server.id, host, None, &context).await?),
        None => binding::unbind(tx, server.id, None, &context).await?,
    }
    // The host that had it shows it in its next inventory, and is told to remove it.
    Ok(Outcome::Repaired(format!(
        "it is served by {}",
        place(server.host.as_ref())
    )))
}
