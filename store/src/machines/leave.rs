//! A machine is taken away: first everything that could still bring work to it, in one transaction; when the
//! broker knows nothing of it any more, what was still to be sent to it.

use skybus_model::{
    HostName,
    machine::{Role, State},
};
use sqlx::Row;

use super::{Machine, advance, lock};
use crate::{Engine, Error, Result, Tx};

/// So many servers are named when they are in the way.
const NAMED: i64 = 5;

/// Takes the machine's rows away, unless it has servers; then nothing places a server there any more. Doing
/// it again changes nothing.
///
/// # Errors
/// [`Error::NotFound`] when there is no such machine, [`Error::Conflict`] when it cannot leave.
pub async fn leave(tx: &mut Tx, name: &HostName) -> Result<Machine> {
    hold_host(tx, name).await?;
    let missing = || Error::NotFound(format!("host {name}"));
    let machine = lock(tx, name).await?.ok_or_else(missing)?;
    if machine.role == Role::All {
        return Err(Error::Conflict(format!(
            "{name} is the machine on which `skybus up` made this cloud: it cannot be removed from it; \
             `skybus down` on it ends the cloud"
        )));
    }
    match machine.state {
        State::Removed => return Err(missing()),
        State::Leaving => return Ok(machine),
        State::Invited | State::Joined => {}
    }
    refuse_with_servers(tx, name).await?;
    refuse_with_ports(tx, name).await?;
    advance(tx, &machine, State::Leaving).await?;
    clear_rows(tx, name).await?;
    Ok(Machine {
        state: State::Leaving,
        ..machine
    })
}

/// Takes away what is written of a host without servers. Those that are deleted keep their history; only the row
/// that it points to goes.
pub(super) async fn clear_rows(tx: &mut Tx, name: &HostName) -> Result<()> {
    for text in [
        "UPDATE servers SET host = NULL WHERE host = $1 AND deleted_at IS NOT NULL",
        "DELETE FROM strays WHERE host = $1",
        "DELETE FROM services WHERE host = $1",
        "DELETE FROM hosts WHERE name = $1",
    ] {
        sqlx::query(text)
            .bind(name.as_str())
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// A claim changes this row: whoever comes second sees what the other did.
pub(crate) async fn hold_host(tx: &mut Tx, name: &HostName) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT name FROM hosts WHERE name = $1 FOR UPDATE")
            .bind(name.as_str())
            .fetch_optional(tx.conn())
            .await?;
    }
    Ok(())
}

async fn refuse_with_servers(tx: &mut Tx, name: &HostName) -> Result<()> {
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM servers WHERE host = $1 AND deleted_at IS NULL")
            .bind(name.as_str())
            .fetch_one(tx.conn())
            .await?;
    if count == 0 {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT id FROM servers WHERE host = $1 AND deleted_at IS NULL ORDER BY created_at, id LIMIT $2",
    )
    .bind(name.as_str())
    .bind(NAMED)
    .fetch_all(tx.conn())
    .await?;
    let ids: std::result::Result<Vec<String>, _> =
        rows.iter().map(|row| row.try_get("id")).collect();
    let (s, more) = (
        if count == 1 { "" } else { "s" },
        if count > NAMED { ", …" } else { "" },
    );
    Err(Error::Conflict(format!(
        "host {name} has {count} server{s}: {}{more}. `skybus host drain {name}` keeps new ones away; nothing \
         moves those that are there, so delete them and try again",
        ids?.join(", ")
    )))
}

/// A server is deleted before its host has taken the last of its ports away.
async fn refuse_with_ports(tx: &mut Tx, name: &HostName) -> Result<()> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM ports WHERE host = $1")
        .bind(name.as_str())
        .fetch_one(tx.conn())
        .await?;
    if count == 0 {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "host {name} is still taking ports of deleted servers away ({count} are left); try again in a moment"
    )))
}

/// The last step: the broker knows nothing of the machine any more, so what was still to be sent to it never
/// can be.
///
/// # Errors
/// [`Error::Conflict`] when it is not leaving.
pub async fn forget(tx: &mut Tx, name: &HostName) -> Result<()> {
    let Some(machine) = lock(tx, name).await? else {
        return Ok(());
    };
    if machine.state == State::Removed {
        return Ok(());
    }
    advance(tx, &machine, State::Removed).await?;
    // An inventory that was under way when the machine left may have written some.
    sqlx::query("DELETE FROM strays WHERE host = $1")
        .bind(name.as_str())
        .execute(tx.conn())
        .await?;
    for service in machine.role.services() {
        // A host's name has neither of the two letters that mean something here.
        sqlx::query("DELETE FROM outbox WHERE routing_key LIKE $1")
            .bind(format!("{service}.{name}.%"))
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}
