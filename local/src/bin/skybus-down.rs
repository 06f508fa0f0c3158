//! `skybus down`; see `skybus_local::down`.

use std::process::ExitCode;

use clap::Parser as _;
use skybus_local::{down, down::Down, terminal::complain};

#[tokio::main]
async fn main() -> ExitCode {
    match down::run(Down::parse()).await {
        Ok(code) => code,
        Err(error) => {
            complain("skybus down", &error);
            ExitCode::FAILURE
        }
    }
}
