//! `skybus`: the command line of a skybus cloud, and of any cloud with the same HTTP APIs.
//!
//! It speaks HTTP and nothing else. A word that it does not know is looked up as a program
//! `skybus-WORD`, so that `skybus up` works where that program is installed and this one still builds
//! where it is not. Where to read on: [`arguments`] for the words, [`commands`] for what they do (one
//! file per family), [`session`] for how a command speaks to the cloud, [`failure`] for how it ends
//! when it cannot.

mod arguments;
mod auth;
mod commands;
mod failure;
mod follow;
mod http;
mod output;
mod resolve;
mod session;
mod wait;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match arguments.run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
