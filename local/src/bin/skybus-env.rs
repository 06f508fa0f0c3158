//! `skybus env`: prints what sets the `OS_*` variables in a shell, for `eval "$(skybus env)"`.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use skybus_local::{
    DataDir, Error,
    cloud::Cloud,
    credentials::{self, Person},
    data_dir,
    terminal::{complain, print},
};

/// Print the variables that clients read: eval "$(skybus env)"
#[derive(Debug, Parser)]
#[command(name = "skybus env", version)]
struct Env {
    /// For whom
    #[arg(long, value_enum, default_value_t = Person::Admin)]
    user: Person,
    /// Where everything of this cloud lies
    #[arg(long, value_name = "DIR", env = "SKYBUS_DATA_DIR", default_value = data_dir::DEFAULT)]
    data_dir: PathBuf,
}

fn main() -> ExitCode {
    match lines(&Env::parse()) {
        Ok(lines) => {
            print(lines);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain("skybus env", &error);
            ExitCode::FAILURE
        }
    }
}

fn lines(arguments: &Env) -> Result<String, Error> {
    let cloud = Cloud::load(&DataDir::at(&arguments.data_dir)?)?;
    Ok(credentials::exports(&cloud, arguments.user))
}
