//! Opening the database and bringing its tables up to date.

use std::{sync::Arc, time::Duration};

use sqlx::{AnyPool, Executor, any::AnyPoolOptions, migrate::Migrator};
use tokio::sync::{Semaphore, watch};

use crate::{Error, Result, Tx};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Which engine is behind the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Embedded; one writer at a time.
    Sqlite,
    /// A server; rows are locked one by one.
    Postgres,
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: AnyPool,
    pub(crate) engine: Engine,
    /// SQLite has one writer. Writers of this process queue here, in order, rather than in SQLite's
    /// busy handler, which sleeps.
    pub(crate) writer: Arc<Semaphore>,
    /// The number of the newest event that this process committed.
    pub(crate) committed: watch::Sender<i64>,
}

impl Store {
    /// Opens `sqlite:///path/to/file.db` (made when missing) or `postgres://…`.
    ///
    /// # Errors
    /// [`Error::Broken`] when the database cannot be reached or the address is of another kind.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let engine = match url.split_once(':') {
            Some(("sqlite", _)) => Engine::Sqlite,
            Some(("postgres" | "postgresql", _)) => Engine::Postgres,
            _ => {
                let text = "the database's address must begin with sqlite:// or postgres://";
                return Err(Error::Broken(sqlx::Error::Configuration(text.into())));
            }
        };
        let url = match engine {
            Engine::Sqlite if !url.contains('?') => format!("{url}?mode=rwc"),
            _ => url.to_owned(),
        };
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if engine == Engine::Sqlite {
                        // WAL: readers never wait for the writer. FULL: a commit is on disk when it
                        // returns; what was answered 202 must survive a power cut.
                        connection
                            .execute(
                                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                                 PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;",
                            )
                            .await?;
                    }
                    Ok(())
                })
            })
            .connect(&url)
            .await?;
        let writers = if engine == Engine::Sqlite { 1 } else { 8 };
        Ok(Self {
            pool,
            engine,
            writer: Arc::new(Semaphore::new(writers)),
            committed: watch::Sender::new(0),
        })
    }

    /// Brings the tables up to date. One process does this: the API server, when it starts.
    ///
    /// # Errors
    /// [`Error::Migration`] when a step fails; the steps before it stay.
    pub async fn migrate(&self) -> Result<()> {
        Ok(MIGRATIONS.run(&self.pool).await?)
    }

    /// Whether the tables are as this version wants them; what does not migrate waits for it.
    pub async fn is_migrated(&self) -> bool {
        let newest = MIGRATIONS
            .iter()
            .map(|step| step.version)
            .max()
            .unwrap_or(0);
        let found: std::result::Result<Option<i64>, _> =
            sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(&self.pool)
                .await;
        matches!(found, Ok(Some(version)) if version >= newest)
    }

    /// Begins a change. On SQLite it is the one writer from here on.
    ///
    /// # Errors
    /// [`Error::Broken`] when no connection can be had.
    pub async fn begin(&self) -> Result<Tx> {
        Tx::begin(self).await
    }

    /// Changes with each commit of this process that has events: the newest one's number. What other
    /// processes commit is only in the table.
    #[must_use]
    pub fn committed_events(&self) -> watch::Receiver<i64> {
        self.committed.subscribe()
    }

    /// Which engine this is.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// The pool, for reads.
    #[must_use]
    pub const fn pool(&self) -> &AnyPool {
        &self.pool
    }
}
