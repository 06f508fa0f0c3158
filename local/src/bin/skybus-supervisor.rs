//! The supervisor of an all-in-one, started by `skybus up`; see `skybus_local::supervisor`.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use skybus_local::{DataDir, data_dir, supervisor};

/// Keeps the processes of one cloud running; `skybus up` starts it.
#[derive(Debug, Parser)]
#[command(name = "skybus-supervisor", version)]
struct Supervise {
    /// Where everything of the cloud lies
    #[arg(long, value_name = "DIR", default_value = data_dir::DEFAULT)]
    data_dir: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    skybus_role::log::start("supervisor", "info");
    let outcome = match DataDir::at(&Supervise::parse().data_dir) {
        Ok(data) => supervisor::run(&data).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
