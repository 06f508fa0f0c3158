//! Operations: the memory of every accepted change until it has ended.

use std::time::Duration;

use skybus_model::{
    Fault, Generation, HostName, Timestamp,
    id::{OperationId, ProjectId, ServerId, UserId},
    message::Context,
    operation::{OperationKind, Step},
    server::Restart,
};
use sqlx::any::AnyRow;

use crate::{
    Engine, Error, Result, Store, Tx,
    row::{Columns, to_json},
};

/// Nobody puts a look at an operation off for longer than this. A `wake_at` that is further ahead was written
/// by a clock that was wrong, and nothing waits for that.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// An accepted change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// The server that it changes.
    pub server: ServerId,
    /// What was asked for.
    pub kind: OperationKind,
    /// Where it is.
    pub step: Step,
    /// The server's generation that it made.
    pub generation: Generation,
    /// The server's project.
    pub project: ProjectId,
    /// Who asked.
    pub actor: UserId,
    /// The request and trace that it belongs to.
    pub context: Context,
    /// How often work was handed out for it.
    pub attempts: i64,
    /// The host that works on it.
    pub host: Option<HostName>,
    /// Hosts that failed it.
    pub tried: Vec<HostName>,
    /// Hosts that would do as well, best first.
    pub alternates: Vec<HostName>,
    /// How to reboot, for a reboot.
    pub restart: Option<Restart>,
    /// Why it failed, or failed last.
    pub fault: Option<Fault>,
    /// When an API server should look after it if nothing has happened; moving it is the lease.
    pub wake_at: Timestamp,
    /// When it must have ended.
    pub deadline: Timestamp,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Operation {
    /// A new operation that begins now at `step`.
    #[must_use]
    pub fn begin(
        kind: OperationKind,
        step: Step,
        (server, project, actor): (ServerId, ProjectId, UserId),
        generation: Generation,
        context: Context,
    ) -> Self {
        let now = Timestamp::now();
        Self {
            id: OperationId::in_order(),
            server,
            kind,
            step,
            generation,
            project,
            actor,
            context,
            attempts: 1,
            host: None,
            tried: Vec::new(),
            alternates: Vec::new(),
            restart: None,
            fault: None,
            wake_at: now.after(kind.patience()),
            deadline: now.after(kind.deadline()),
            started_at: now,
            ended_at: None,
        }
    }

    /// Whether somebody should look after it: nothing has happened for too long.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let open = self.ended_at.is_none();
        open && (self.wake_at <= now || self.wake_at > now.after(LONGEST_WAIT))
    }

    /// Ends the operation at `step`.
    pub fn end(&mut self, step: Step, fault: Option<Fault>) {
        debug_assert!(step.ended() && self.step.may_become(step));
        self.step = step;
        self.fault = fault.or_else(|| self.fault.take().filter(|_| step == Step::Failed));
        self.ended_at = Some(Timestamp::now());
    }
}

fn read(row: &AnyRow) -> Result<Operation> {
    Ok(Operation {
        id: row.word("id")?,
        server: row.word("server")?,
        kind: row.word("kind")?,
        step: row.word("step")?,
        generation: Generation(row.number("generation")?),
        project: row.word("project")?,
        actor: row.word("actor")?,
        context: Context {
            request_id: row.text("request_id")?,
            traceparent: row.text("traceparent")?,
        },
        attempts: row.number("attempts")?,
        host: row.maybe_word("host")?,
        tried: row.json("tried")?,
        alternates: row.json("alternates")?,
        restart: row.maybe_json("restart")?,
        fault: row.maybe_json("fault")?,
        wake_at: row.time("wake_at")?,
        deadline: row.time("deadline")?,
        started_at: row.time("started_at")?,
        ended_at: row.maybe_time("ended_at")?,
    })
}

/// Writes a new operation.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn insert(tx: &mut Tx, operation: &Operation) -> Result<()> {
    sqlx::query(
        "INSERT INTO operations (id, server, kind, step, generation, project, actor, request_id, \
         traceparent, attempts, host, restart, wake_at, deadline, started_at, ended_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(operation.id.to_string())
    .bind(operation.server.to_string())
    .bind(operation.kind.as_str())
    .bind(operation.step.as_str())
    .bind(operation.generation.0)
    .bind(operation.project.to_string())
    .bind(operation.actor.to_string())
    .bind(operation.context.request_id.clone())
    .bind(operation.context.traceparent.clone())
    .bind(operation.attempts)
    .bind(operation.host.as_ref().map(ToString::to_string))
    .bind(operation.restart.as_ref().map(to_json))
    .bind(operation.wake_at.micros())
    .bind(operation.deadline.micros())
    .bind(operation.started_at.micros())
    .bind(operation.ended_at.map(|at| at.micros()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes what may change of an operation.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn save(tx: &mut Tx, operation: &Operation) -> Result<()> {
    sqlx::query(
        "UPDATE operations SET step = $2, attempts = $3, host = $4, tried = $5, alternates = $6, \
         fault = $7, wake_at = $8, ended_at = $9, generation = $10, deadline = $11 WHERE id = $1",
    )
    .bind(operation.id.to_string())
    .bind(operation.step.as_str())
    .bind(operation.attempts)
    .bind(operation.host.as_ref().map(ToString::to_string))
    .bind(to_json(&operation.tried))
    .bind(to_json(&operation.alternates))
    .bind(operation.fault.as_ref().map(to_json))
    .bind(operation.wake_at.micros())
    .bind(operation.ended_at.map(|at| at.micros()))
    .bind(operation.generation.0)
    .bind(operation.deadline.micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An operation that is about to be changed.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn load(tx: &mut Tx, id: OperationId) -> Result<Operation> {
    let sql = match tx.engine() {
        Engine::Sqlite => "SELECT * FROM operations WHERE id = $1",
        Engine::Postgres => "SELECT * FROM operations WHERE id = $1 FOR UPDATE",
    };
    let row = sqlx::query(sql)
        .bind(id.to_string())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::NotFound(format!("operation {id}")))
}

/// The operations of a server that have not ended, locked: what is added to all of them ([`lock_open`]) comes
/// before or after the change. Load the server first, as everywhere.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn open_of(tx: &mut Tx, server: ServerId) -> Result<Vec<Operation>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "SELECT * FROM operations WHERE server = $1 AND ended_at IS NULL ORDER BY id"
        }
        Engine::Postgres => {
            "SELECT * FROM operations WHERE server = $1 AND ended_at IS NULL ORDER BY id FOR UPDATE"
        }
    };
    sqlx::query(sql)
        .bind(server.to_string())
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Locks all operations that have not ended, one after the other as [`open_of`] does: whoever changes many of
/// them with one statement would lock them in any order, and run into those who change two.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub(crate) async fn lock_open(tx: &mut Tx) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT id FROM operations WHERE ended_at IS NULL ORDER BY id FOR UPDATE")
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// All operations of a server, oldest first.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn of_server(store: &Store, server: ServerId) -> Result<Vec<Operation>> {
    sqlx::query("SELECT * FROM operations WHERE server = $1 ORDER BY started_at, id")
        .bind(server.to_string())
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Operations that somebody should look after: nothing has happened for too long.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn due(store: &Store, now: Timestamp, most: i64) -> Result<Vec<Operation>> {
    sqlx::query(
        "SELECT * FROM operations WHERE ended_at IS NULL AND (wake_at <= $1 OR wake_at > $2) \
         ORDER BY wake_at LIMIT $3",
    )
    .bind(now.micros())
    .bind(now.after(LONGEST_WAIT).micros())
    .bind(most)
    .fetch_all(store.pool())
    .await?
    .iter()
    .map(read)
    .collect()
}
