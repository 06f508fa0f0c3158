//! The machines that a cloud runs on: invitations, who has joined, and who is being removed.
//!
//! Locks are taken in one order: the host's row, the machine's, the services'. A claim changes the host's row
//! and a removal takes it away, so of the two one comes first; a beat that finds no row to change looks at
//! the machine's, which a removal has changed, before it makes one.

use std::{collections::BTreeSet, str::FromStr};

use skybus_model::{
    HostName, Timestamp,
    machine::{Role, State},
};
use sqlx::any::AnyRow;

use crate::{Engine, Error, Result, Store, Tx, row::Columns, services};

mod leave;
#[cfg(test)]
mod tests;

use leave::clear_rows;
pub(crate) use leave::hold_host;
pub use leave::{forget, leave};

/// One machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its name, which is also its host's.
    pub name: HostName,
    /// What it runs.
    pub role: Role,
    /// Where it stands.
    pub state: State,
    /// The hash of its token's secret.
    pub secret: Option<String>,
    /// Until when the token is good.
    pub expires_at: Option<Timestamp>,
    /// The hash of the key of whoever used the token first.
    pub joiner: Option<String>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Machine({} {} {})", self.name, self.role, self.state)
    }
}

impl Machine {
    /// Whether a host is this machine's: by its own name, or as one of those that the first machine plays in
    /// memory. A host that is a machine of its own, of `all` that there are, is nobody else's.
    #[must_use]
    pub fn has(&self, host: &HostName, all: &[Self]) -> bool {
        *host == self.name || self.may_play(host) && all.iter().all(|other| other.name != *host)
    }

    /// Whether a host in memory has such a name, if this machine plays some.
    fn may_play(&self, host: &HostName) -> bool {
        let number = host
            .as_str()
            .strip_prefix(self.name.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .unwrap_or_default();
        self.role == Role::All && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    }

    fn step(&self, next: State) -> Result<()> {
        if self.state.may_become(next) {
            return Ok(());
        }
        let Self { name, state, .. } = self;
        Err(Error::Conflict(format!(
            "host {name} is {state} and cannot become {next}"
        )))
    }
}

fn word<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<T> {
    row.word(column)
}

fn read(row: &AnyRow) -> Result<Machine> {
    Ok(Machine {
        name: word(row, "name")?,
        role: word(row, "role")?,
        state: word(row, "state")?,
        secret: row.maybe_text("secret")?,
        expires_at: row.maybe_time("expires_at")?,
        joiner: row.maybe_text("joiner")?,
        updated_at: row.time("updated_at")?,
    })
}

/// All of them by name, those that were removed among them.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn all(store: &Store) -> Result<Vec<Machine>> {
    sqlx::query("SELECT * FROM machines ORDER BY name")
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// One of them, as it is now.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn find(store: &Store, name: &HostName) -> Result<Option<Machine>> {
    let row = sqlx::query("SELECT * FROM machines WHERE name = $1")
        .bind(name.as_str())
        .fetch_optional(store.pool())
        .await?;
    row.as_ref().map(read).transpose()
}

/// The names of those that are away: what they still say counts for nothing.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn away(store: &Store) -> Result<BTreeSet<HostName>> {
    let rows = sqlx::query("SELECT name FROM machines WHERE state IN ('leaving', 'removed')")
        .fetch_all(store.pool())
        .await?;
    rows.iter().map(|row| row.word("name")).collect()
}

/// One of them, locked until the transaction ends.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn lock(tx: &mut Tx, name: &HostName) -> Result<Option<Machine>> {
    let text = match tx.engine() {
        Engine::Sqlite => "SELECT * FROM machines WHERE name = $1",
        Engine::Postgres => "SELECT * FROM machines WHERE name = $1 FOR UPDATE",
    };
    let row = sqlx::query(text)
        .bind(name.as_str())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Whether what a host says still counts. It stays so until the transaction ends.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn may_speak(tx: &mut Tx, host: &HostName) -> Result<bool> {
    let text = match tx.engine() {
        Engine::Sqlite => "SELECT state FROM machines WHERE name = $1",
        Engine::Postgres => "SELECT state FROM machines WHERE name = $1 FOR SHARE",
    };
    let row = sqlx::query(text)
        .bind(host.as_str())
        .fetch_optional(tx.conn())
        .await?;
    // A host that somebody set up by hand has no such row.
    let state: Option<State> = row.as_ref().map(|row| row.word("state")).transpose()?;
    Ok(state.is_none_or(|state| !state.is_away()))
}

/// Writes down the machine on which `skybus up` made the cloud.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn found(tx: &mut Tx, name: &HostName) -> Result<()> {
    insert(tx, name, Role::All, State::Joined).await.map(drop)
}

/// Invites a machine, or invites it anew: then only the newest token is good. The former row is returned.
///
/// # Errors
/// [`Error::Conflict`] when it is there already, or a host of that name is.
pub async fn invite(
    tx: &mut Tx,
    name: &HostName,
    role: Role,
    (secret, expires_at): (&str, Timestamp),
) -> Result<Option<Machine>> {
    hold_host(tx, name).await?;
    let is_new = insert(tx, name, role, State::Invited).await?;
    if is_new {
        if is_taken(tx, name).await? {
            return Err(Error::Conflict(format!(
                "a worker of another machine speaks for a host {name} already; choose another name"
            )));
        }
        clear_rows(tx, name).await?;
    }
    refuse_played(tx, name).await?;
    let machine = lock(tx, name)
        .await?
        .ok_or_else(|| Error::NotFound(format!("host {name}")))?;
    match machine.state {
        State::Invited | State::Removed => machine.step(State::Invited)?,
        State::Joined if machine.role == Role::All => {
            return Err(Error::Conflict(format!(
                "{name} is the machine on which `skybus up` made this cloud; choose another name"
            )));
        }
        State::Joined => {
            return Err(Error::Conflict(format!(
                "host {name} has joined already; to make it another one, `skybus host remove {name}` first"
            )));
        }
        State::Leaving => {
            return Err(Error::Conflict(format!(
                "host {name} is just being removed; try again when `skybus host list` does not show it any more"
            )));
        }
    }
    sqlx::query(
        "UPDATE machines SET role = $2, state = $3, secret = $4, expires_at = $5, joiner = NULL, \
         updated_at = $6 WHERE name = $1",
    )
    .bind(name.as_str())
    .bind(role.as_str())
    .bind(State::Invited.as_str())
    .bind(secret.to_owned())
    .bind(expires_at.micros())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok((!is_new).then_some(machine))
}

/// Whether it was not there before.
async fn insert(tx: &mut Tx, name: &HostName, role: Role, state: State) -> Result<bool> {
    let now = Timestamp::now().micros();
    let done = sqlx::query(
        "INSERT INTO machines (name, role, state, created_at, updated_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(name.as_str())
    .bind(role.as_str())
    .bind(state.as_str())
    .bind(now)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether somebody's workers speak for a host of that name, or did and left servers. What was switched off
/// without any is nobody's.
async fn is_taken(tx: &mut Tx, name: &HostName) -> Result<bool> {
    for service in Role::Compute.services() {
        let service = service.as_str();
        let is_known = services::find(tx, name, service).await?.is_some();
        if is_known && !services::is_down(tx, name, service).await? {
            return Ok(true);
        }
    }
    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM servers WHERE host = $1 AND deleted_at IS NULL) \
         + (SELECT COUNT(*) FROM ports WHERE host = $1)",
    )
    .bind(name.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok(left > 0)
}

/// The first machine may be told to play more hosts in memory than it does now: where it plays any, the names
/// of all are its.
async fn refuse_played(tx: &mut Tx, name: &HostName) -> Result<()> {
    let rows = sqlx::query("SELECT * FROM machines")
        .fetch_all(tx.conn())
        .await?;
    let machines: Vec<Machine> = rows.iter().map(read).collect::<Result<_>>()?;
    let Some(first) = machines
        .iter()
        .find(|m| m.role == Role::All && m.may_play(name))
    else {
        return Ok(());
    };
    let rows = sqlx::query("SELECT name FROM hosts")
        .fetch_all(tx.conn())
        .await?;
    let hosts: Vec<HostName> = rows
        .iter()
        .map(|row| row.word("name"))
        .collect::<Result<_>>()?;
    let plays = |host: &HostName| *host != first.name && first.has(host, &machines);
    if hosts.iter().any(plays) {
        return Err(Error::Conflict(format!(
            "{name} is a name of the hosts that {} plays in memory; choose another name",
            first.name
        )));
    }
    Ok(())
}

/// The token now belongs to whoever has this key.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn bind(tx: &mut Tx, name: &HostName, joiner: &str) -> Result<()> {
    sqlx::query("UPDATE machines SET joiner = $2, updated_at = $3 WHERE name = $1")
        .bind(name.as_str())
        .bind(joiner.to_owned())
        .bind(Timestamp::now().micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Goes on to the next state.
///
/// # Errors
/// [`Error::Conflict`] when that one cannot follow.
pub async fn advance(tx: &mut Tx, machine: &Machine, next: State) -> Result<()> {
    machine.step(next)?;
    sqlx::query("UPDATE machines SET state = $2, updated_at = $3 WHERE name = $1")
        .bind(machine.name.as_str())
        .bind(next.as_str())
        .bind(Timestamp::now().micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}
