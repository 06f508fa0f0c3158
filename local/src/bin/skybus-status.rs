//! `skybus status`; see `skybus_local::status`.

use std::process::ExitCode;

use clap::Parser as _;
use skybus_local::{status, status::Status, terminal::complain};

#[tokio::main]
async fn main() -> ExitCode {
    match status::run(Status::parse()).await {
        Ok(code) => code,
        Err(error) => {
            complain("skybus status", &error);
            ExitCode::FAILURE
        }
    }
}
