//! What a cloud's databases say, read beside its processes: whether everything that was accepted has
//! ended, whether everything that is held is held by something, and whether the agents have what the
//! database thinks they have.

mod agents;
mod control;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use sqlx::{AnyPool, Row, any::AnyPoolOptions};
use tokio::runtime::{Builder, Runtime};

use crate::{cloud::Cloud, wait};

/// What kind of wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wrong {
    /// Something that was accepted is not there, or ended without a reason.
    Lost,
    /// Something is there twice.
    Doubled,
    /// Something is held for nobody.
    Leaked,
    /// Something that should have ended has not.
    Stuck,
}

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What kind.
    pub wrong: Wrong,
    /// What exactly.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.wrong, self.text)
    }
}

fn finding(wrong: Wrong, text: String) -> Finding {
    Finding { wrong, text }
}

/// A server's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub state: String,
    /// What is being done with it; empty for nothing.
    pub task: String,
    /// How many wishes were accepted.
    pub generation: i64,
    /// Its host; empty for none.
    pub host: String,
    /// What its host last said.
    pub power: String,
    /// Why it is in ERROR; empty for no reason.
    pub fault: String,
    /// How many of its operations have not ended.
    pub open: i64,
}

/// The databases of one cloud. Reads alone.
#[derive(Debug, Clone)]
pub struct Truth {
    runtime: Arc<Runtime>,
    database: AnyPool,
    data_dir: PathBuf,
}

impl Truth {
    /// Opens the database of a cloud: its SQLite file, or the server that it was told to use.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn of(cloud: &Cloud, database: Option<&str>) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let data_dir = cloud.data_dir();
        let file = data_dir.join("database/skybus.db");
        let url = database.map_or_else(|| read_only(&file), str::to_owned);
        let database = runtime.block_on(open(&url))?;
        Ok(Self {
            runtime: Arc::new(runtime),
            database,
            data_dir,
        })
    }

    /// Rows of text, which is all that a comparison needs.
    fn rows<const N: usize>(&self, query: &'static str) -> Result<Vec<[String; N]>> {
        self.runtime.block_on(texts(&self.database, query))
    }

    /// Rows of an agent's journal.
    fn journal<const N: usize>(&self, role: &str, query: &'static str) -> Result<Vec<[String; N]>> {
        let file = self.data_dir.join(role).join("journal.db");
        self.runtime.block_on(async {
            let pool = open(&read_only(&file)).await?;
            let rows = texts(&pool, query).await;
            pool.close().await;
            rows
        })
    }

    /// Everything that is wrong at this moment. Between two steps of an operation some of it is only not
    /// right yet.
    ///
    /// # Errors
    /// When a database cannot be read.
    pub fn findings(&self) -> Result<Vec<Finding>> {
        let mut all = self.control()?;
        all.extend(self.agents()?);
        all.sort();
        Ok(all)
    }

    /// Waits until nothing is wrong; gives what still is when the time is over.
    ///
    /// # Errors
    /// When a database cannot be read.
    pub fn settle(&self, limit: Duration) -> Result<Vec<Finding>> {
        let mut last = Vec::new();
        let quiet = wait::until("quiet", limit, || {
            last = self.findings()?;
            Ok(last.is_empty().then_some(()))
        });
        match quiet {
            Ok(()) => Ok(Vec::new()),
            Err(error) => {
                ensure!(!last.is_empty(), error);
                Ok(last)
            }
        }
    }
}

fn read_only(file: &std::path::Path) -> String {
    format!("sqlite://{}?mode=ro", file.display())
}

async fn open(url: &str) -> Result<AnyPool> {
    sqlx::any::install_default_drivers();
    let pool = AnyPoolOptions::new().max_connections(2).connect(url).await;
    pool.context("opening a database of the cloud")
}

async fn texts<const N: usize>(pool: &AnyPool, query: &'static str) -> Result<Vec<[String; N]>> {
    let rows = sqlx::query(query).fetch_all(pool).await?;
    let text = |row: &sqlx::any::AnyRow| -> Result<[String; N]> {
        let mut texts = [const { String::new() }; N];
        for (column, text) in texts.iter_mut().enumerate() {
            *text = row.try_get(column)?;
        }
        Ok(texts)
    };
    rows.iter().map(text).collect()
}
