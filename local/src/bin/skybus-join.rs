//! `skybus join`; see `skybus_local::joined`.

use std::process::ExitCode;

use clap::Parser as _;
use skybus_local::{
    joined::{self, Join},
    terminal::complain,
};

#[tokio::main]
async fn main() -> ExitCode {
    match joined::run(Join::parse()).await {
        Ok(code) => code,
        Err(error) => {
            complain("skybus join", &error);
            ExitCode::FAILURE
        }
    }
}
