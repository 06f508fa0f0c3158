//! The two processes of a broker of our own, and what they need on the host.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::files;
use crate::{
    DataDir, Error,
    cloud::Cloud,
    process::{Spec, spawn::system_program},
};

/// The name of the broker's process.
pub const NODE: &str = "broker";

/// Debian's place of the start script that leaves user and directories to its caller. The one on `PATH`
/// insists on the package's own.
const SCRIPT: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// The programs that are missing for it on this host.
#[must_use]
pub fn requirements() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !Path::new(SCRIPT).exists() {
        missing.push("rabbitmq-server");
    }
    if system_program("epmd").is_none() {
        missing.push("epmd");
    }
    missing
}

/// The name service for the node. In the foreground and as a process of ours, it can be ended again.
///
/// # Errors
/// When the program is missing.
pub fn epmd(data: &DataDir, cloud: &Cloud) -> Result<Spec, Error> {
    let program = system_program("epmd").ok_or_else(|| Error::Start {
        program: PathBuf::from("epmd"),
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    let port = cloud.ports.epmd.to_string();
    Ok(Spec {
        name: "epmd".to_owned(),
        program,
        arguments: ["-address", "127.0.0.1", "-port", &port]
            .map(str::to_owned)
            .into(),
        environment: Vec::new(),
        directory: data.broker(),
        log: data.log("epmd"),
        depends_on: Vec::new(),
        grace: Duration::from_secs(2),
    })
}

/// The broker itself, with its files written.
///
/// # Errors
/// When a file cannot be written.
pub fn node(data: &DataDir, cloud: &Cloud) -> Result<Spec, Error> {
    let configuration = files::write(data, cloud)?;
    let place = |name: &str| data.broker().join(name).display().to_string();
    let variables = [
        // The cookie lies in the home directory.
        ("HOME", place("")),
        // Always the same: the node's data belong to its name. Two such nodes do not meet, because each
        // has a name service of its own.
        ("RABBITMQ_NODENAME", "skybus@localhost".to_owned()),
        ("RABBITMQ_MNESIA_DIR", place("data")),
        ("RABBITMQ_LOG_BASE", place("log")),
        ("RABBITMQ_CONFIG_FILE", configuration.display().to_string()),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", place("plugins")),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("ERL_EPMD_PORT", cloud.ports.epmd.to_string()),
        ("RABBITMQ_DIST_PORT", cloud.ports.node.to_string()),
        // Without these flags Erlang's schedulers spin when they are idle, on every core.
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
                .to_owned(),
        ),
        // Makes the script become the node instead of standing beside it, so that the process which is
        // watched and ended is the broker itself.
        ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
    ];
    Ok(Spec {
        name: NODE.to_owned(),
        program: PathBuf::from(SCRIPT),
        arguments: Vec::new(),
        environment: variables
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        directory: data.broker(),
        log: data.log(NODE),
        depends_on: vec![configuration],
        // It closes its queues in order; being killed would cost a recovery at the next start.
        grace: Duration::from_secs(20),
    })
}
