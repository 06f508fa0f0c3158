//! The OpenStack community's own command line clients, installed from the Python Package Index.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result};

use crate::{
    cloud::Cloud,
    programs,
    ran::{self, Ran},
};

const PACKAGES: [&str; 3] = [
    "python-openstackclient",
    "python-novaclient",
    "python-glanceclient",
];

/// The clients, in a virtual environment of their own.
#[derive(Debug)]
pub struct Clients {
    directory: PathBuf,
}

impl Clients {
    /// Installs them; what an earlier run installed is used again.
    ///
    /// # Errors
    /// When there is no Python with venv, or the index cannot be reached.
    pub fn install() -> Result<Self> {
        let directory = programs::root().join("target/stock-clients");
        fs::create_dir_all(&directory).context("making the directory for the clients")?;
        let script = "set -e
            if [ ! -e installed ]; then
                python3 -m venv .
                bin/pip install --quiet --disable-pip-version-check \"$@\"
                touch installed
            fi";
        let mut install = Command::new("flock");
        // Tests in several processes share them.
        install
            .arg(directory.join("lock"))
            .args(["sh", "-c", script, "sh"])
            .args(PACKAGES);
        install.current_dir(&directory);
        ran::run(&mut install, Duration::from_secs(600))?.ok()?;
        Ok(Self { directory })
    }

    /// Runs one of them against a cloud.
    ///
    /// # Errors
    /// When it cannot be run or hangs.
    pub fn run(&self, cloud: &Cloud, client: &str, words: &[&str]) -> Result<Ran> {
        let mut command = Command::new(self.directory.join("bin").join(client));
        cloud.point_to(&mut command);
        let named = ["--os-cloud", "skybus"];
        // openstack and nova read clouds.yaml; glance knows the variables alone.
        match client {
            "glance" => command.envs(cloud.variables()?).args(words),
            "nova" => command
                .env_remove("OS_CLOUD")
                .envs(cloud.variables()?)
                .args(words),
            _ => command.args(named).args(words),
        };
        ran::run(&mut command, Duration::from_secs(300))
    }
}
