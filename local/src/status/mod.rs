//! `skybus status`: what runs, what the hosts and queues do, and what is wrong, if anything.
//!
//! Nothing of the cloud needs to run for it: what does not answer is itself part of the answer.

pub(crate) mod api;
pub(crate) mod gather;
mod render;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};
use serde::Serialize;
use skybus_bus::accounts::QueueState;

use crate::{DataDir, Error, data_dir, joined, state::Phase, terminal::print};

/// Show each role, host and queue of the cloud, and what is wrong, if anything.
///
/// Exits with 0 when all is well, with 3 when something is wrong or nothing runs.
#[derive(Debug, Clone, Parser)]
#[command(name = "skybus status", version)]
pub struct Status {
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Where everything of this cloud lies
    #[arg(long, value_name = "DIR", env = "SKYBUS_DATA_DIR", default_value = data_dir::DEFAULT)]
    pub data_dir: PathBuf,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// The whole answer.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where the cloud lives.
    pub data_dir: PathBuf,
    /// Where its APIs are.
    pub url: String,
    /// Where it stands.
    pub phase: Phase,
    /// The supervisor's process, if it runs.
    pub supervisor: Option<i32>,
    /// Broker and roles.
    pub roles: Vec<Role>,
    /// Workers on hosts, as the API knows them; `None` when it does not say.
    pub hosts: Option<Vec<Host>>,
    /// The broker's queues; `None` when it does not say.
    pub queues: Option<Vec<QueueState>>,
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
}

/// One process.
#[derive(Debug, Clone, Serialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its number, if it runs.
    pub pid: Option<i32>,
    /// How long it has been running.
    pub uptime_seconds: Option<u64>,
    /// How often it was started again since the cloud was started.
    pub restarts: u32,
    /// `ok`, or what is wrong.
    pub health: String,
}

/// A worker on a host.
#[derive(Debug, Clone, Serialize)]
pub struct Host {
    /// The host.
    pub host: String,
    /// The program.
    pub binary: String,
    /// `enabled` or `disabled`.
    pub status: String,
    /// `up` or `down`.
    pub state: String,
}

/// The command.
///
/// # Errors
/// When there is no cloud in the data directory.
pub async fn run(arguments: Status) -> Result<ExitCode, Error> {
    let data = DataDir::at(&arguments.data_dir)?;
    let report = if data.has_host() && !data.has_cloud() {
        joined::status::report(&data).await?
    } else {
        gather::report(&data).await?
    };
    let text = match arguments.format {
        Format::Table => render::table(&report),
        Format::Json => render::json(&report),
    };
    print(text);
    Ok(if report.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(3)
    })
}
