//! The processes of the cloud itself: one per role, each with a configuration file of its own.

pub mod config;

use std::time::Duration;

use crate::{
    DataDir, Error,
    cloud::{Cloud, ROLES},
    process::{Spec, spawn},
};

/// The one region of an all-in-one.
pub const REGION: &str = "RegionOne";

/// How long a role has to end by itself.
const GRACE: Duration = Duration::from_secs(12);

/// What glibc is told about memory. By itself it keeps what was needed once: the 19 MiB of every password's
/// hash, the heaps that the many threads of a busy moment had.
///
/// The workers need much for moments only, and give it back at once. An API server, whose answers are larger
/// than what glibc gives back at once, would pay for that with a third of its speed: it keeps a few MiB.
const fn memory(role: &str) -> [(&'static str, &'static str); 2] {
    match role.as_bytes() {
        b"api" => [
            ("MALLOC_MMAP_THRESHOLD_", "4194304"),
            ("MALLOC_TRIM_THRESHOLD_", "4194304"),
        ],
        _ => [
            ("MALLOC_ARENA_MAX", "2"),
            ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ],
    }
}

/// The program of a role.
#[must_use]
pub fn program_name(role: &str) -> String {
    format!("skybus-{role}")
}

/// Writes every role's configuration and says how each is started.
///
/// # Errors
/// When a file cannot be written or a program is missing.
pub fn prepare(data: &DataDir, cloud: &Cloud) -> Result<Vec<Spec>, Error> {
    ROLES
        .into_iter()
        .map(|role| {
            config::write(data, cloud, role)?;
            spec(data, role)
        })
        .collect()
}

/// How a role is started, from the configuration that was written for it.
///
/// # Errors
/// When its program is missing.
pub(crate) fn spec(data: &DataDir, role: &str) -> Result<Spec, Error> {
    let name = program_name(role);
    let program = spawn::program(&name).ok_or_else(|| Error::Start {
        program: name.into(),
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    let config = data.role_config(role);
    Ok(Spec {
        name: role.to_owned(),
        program,
        arguments: vec!["--config".to_owned(), config.display().to_string()],
        environment: memory(role)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        directory: data.path().to_owned(),
        log: data.log(role),
        depends_on: vec![config],
        grace: GRACE,
    })
}
