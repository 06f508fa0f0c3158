//! Plugging a port that exists into a server, and letting ports go.

use skybus_model::{Timestamp, id::ServerId};

use super::{DOWN, Port, get};
use crate::{
    Error, Result, Tx,
    networks::{Scope, floating, membership, peers, subnets},
};

/// Plugs a port that its owner made into a server, as that server's `position`th. It outlives the server.
///
/// # Errors
/// [`Error::Conflict`] when something uses it already.
pub async fn attach(
    tx: &mut Tx,
    port: &Port,
    server: ServerId,
    hostname: &str,
    position: i64,
) -> Result<()> {
    let done = sqlx::query(
        "UPDATE ports SET server = $2, device = $2, device_owner = 'compute:nova', hostname = $3, \
         position = $4, owned = 0, updated_at = $5 WHERE id = $1 AND server IS NULL",
    )
    .bind(port.id.to_string())
    .bind(server.to_string())
    .bind(hostname.to_owned())
    .bind(position)
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::Conflict(format!(
            "port {} is in use by another server",
            port.id
        )))
    }
}

/// Frees a port whose server is gone: one that was made for the server is deleted with its address, one
/// that its owner made is unplugged.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn release(tx: &mut Tx, port: &Port) -> Result<()> {
    if port.owned {
        return delete(tx, port).await;
    }
    if peers::is_tunnelled(port) {
        subnets::lock(tx, port.subnet).await?;
    }
    sqlx::query(
        "UPDATE ports SET server = NULL, device = '', device_owner = '', hostname = '', host = NULL, \
         status = $2, stale = 0, leaving = 0, plug = 0, generation = generation + 1, updated_at = $3 \
         WHERE id = $1",
    )
    .bind(port.id.to_string())
    .bind(DOWN)
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    peers::left(tx, port).await
}

/// Deletes a port that no server uses.
///
/// # Errors
/// [`Error::Conflict`] when a server was given it meanwhile; [`Error::NotFound`] when it is gone already.
pub async fn delete_unused(tx: &mut Tx, port: &Port) -> Result<()> {
    subnets::lock(tx, port.subnet).await?;
    // What was read before the lock may be old, and members are counted.
    let port = get(tx.conn(), port.id, Scope::Everything).await?;
    if port.server.is_some() {
        let text = format!("port {} was just given to a server", port.id);
        return Err(Error::Conflict(text));
    }
    remove(tx, &port).await
}

/// Deletes a port, if it is still there. Its neighbours' rules that speak of its groups are refreshed.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn delete(tx: &mut Tx, port: &Port) -> Result<()> {
    subnets::lock(tx, port.subnet).await?;
    match get(tx.conn(), port.id, Scope::Everything).await {
        Ok(port) => remove(tx, &port).await,
        Err(Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn remove(tx: &mut Tx, port: &Port) -> Result<()> {
    sqlx::query("DELETE FROM ports WHERE id = $1")
        .bind(port.id.to_string())
        .execute(tx.conn())
        .await?;
    floating::port_removed(tx, port.id).await?;
    membership::left(tx, port).await?;
    peers::left(tx, port).await
}
