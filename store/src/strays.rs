//! Strays: machines without a row and rows without a machine, as the last inventory of each host showed.
//!
//! A row is kept while inventories in a row say the same, so that its age says for how long; it goes with the
//! first inventory that does not.

use std::{fmt, str::FromStr};

use skybus_model::{
    Generation, HostName, Timestamp,
    id::ServerId,
    message::{Service, event::ServerReport},
    server::Power,
};
use sqlx::any::AnyRow;

use crate::{
    Engine, Result, Store, Tx,
    lifecycle::{mend, room::Room},
    machines,
    row::Columns,
};

/// What is amiss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A machine without a row.
    Unknown,
    /// A row without its machine.
    Missing,
}

impl What {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for What {
    type Err = ();
    fn from_str(word: &str) -> std::result::Result<Self, ()> {
        [Self::Unknown, Self::Missing]
            .into_iter()
            .find(|what| what.as_str() == word)
            .ok_or(())
    }
}

/// One of them, in an inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The server's id.
    pub server: ServerId,
    /// What is amiss.
    pub what: What,
    /// The newest generation that is known.
    pub generation: Generation,
}

/// One of them, with its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The host.
    pub host: HostName,
    /// What was seen.
    pub seen: Seen,
    /// Since when.
    pub since: Timestamp,
    /// The last inventory that showed it.
    pub seen_at: Timestamp,
    /// When a repair told the host.
    pub told_at: Option<Timestamp>,
}

pub(crate) fn read(row: &AnyRow) -> Result<Stray> {
    Ok(Stray {
        host: row.word("host")?,
        seen: Seen {
            server: row.word("server")?,
            what: row.word("what")?,
            generation: Generation(row.number("generation")?),
        },
        since: row.time("since")?,
        seen_at: row.time("seen_at")?,
        told_at: row.maybe_time("told_at")?,
    })
}

/// Remembers what an inventory of `host` showed, all of it; nothing of a host that was removed meanwhile. Most
/// show nothing, and take one query.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn remember(store: &Store, host: &HostName, seen: &[Seen], at: Timestamp) -> Result<()> {
    let known: Vec<ServerId> = sqlx::query("SELECT server FROM strays WHERE host = $1")
        .bind(host.as_str())
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(|row| row.word("server"))
        .collect::<Result<_>>()?;
    if known.is_empty() && seen.is_empty() {
        return Ok(());
    }
    let mut tx = store.begin().await?;
    if !machines::may_speak(&mut tx, host).await? {
        return Ok(());
    }
    for gone in known
        .iter()
        .filter(|id| !seen.iter().any(|one| one.server == **id))
    {
        sqlx::query("DELETE FROM strays WHERE host = $1 AND server = $2")
            .bind(host.as_str())
            .bind(gone.to_string())
            .execute(tx.conn())
            .await?;
    }
    for one in seen {
        write(&mut tx, host, one, at).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn write(tx: &mut Tx, host: &HostName, one: &Seen, at: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO strays (host, server, what, generation, since, seen_at) \
         VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (host, server) DO UPDATE SET \
         since = CASE WHEN strays.what = excluded.what THEN strays.since ELSE excluded.since END, \
         told_at = CASE WHEN strays.what = excluded.what THEN strays.told_at ELSE NULL END, \
         what = excluded.what, generation = excluded.generation, seen_at = excluded.seen_at",
    )
    .bind(host.as_str())
    .bind(one.server.to_string())
    .bind(one.what.as_str())
    .bind(one.generation.0)
    .bind(at.micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One of them, locked.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn load(tx: &mut Tx, host: &HostName, server: ServerId) -> Result<Option<Stray>> {
    let sql = match tx.engine() {
        Engine::Sqlite => "SELECT * FROM strays WHERE host = $1 AND server = $2",
        Engine::Postgres => "SELECT * FROM strays WHERE host = $1 AND server = $2 FOR UPDATE",
    };
    let row = sqlx::query(sql)
        .bind(host.as_str())
        .bind(server.to_string())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Notes that the host was told.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn told(tx: &mut Tx, stray: &Stray, at: Timestamp) -> Result<()> {
    sqlx::query("UPDATE strays SET told_at = $3 WHERE host = $1 AND server = $2")
        .bind(stray.host.as_str())
        .bind(stray.seen.server.to_string())
        .bind(at.micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A host reports of a machine without a row. Where it was told to remove it, this may be a refusal: it has
/// begun newer wishes than the one that its inventory showed as fulfilled. Then it is told once more, at a
/// generation that outweighs these.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn answered(tx: &mut Tx, report: &ServerReport, sender: &HostName) -> Result<()> {
    if *sender != report.host || report.power == Power::Absent {
        return Ok(());
    }
    let Some(stray) = load(tx, sender, report.server).await? else {
        return Ok(());
    };
    let refused = report.generation > stray.seen.generation.next();
    let again = stray.seen.what == What::Unknown && stray.told_at.is_some() && refused;
    if again && Room::new(Service::Compute, sender).take(tx).await? {
        mend::remove_unknown(tx, sender, report.server, report.generation).await?;
    }
    Ok(())
}
