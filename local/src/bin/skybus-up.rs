//! `skybus up`; see `skybus_local::up`.

use std::process::ExitCode;

use clap::Parser as _;
use skybus_local::{options::Up, terminal::complain, up};

#[tokio::main]
async fn main() -> ExitCode {
    match up::run(Up::parse()).await {
        Ok(code) => code,
        Err(error) => {
            complain("skybus up", &error);
            ExitCode::FAILURE
        }
    }
}
