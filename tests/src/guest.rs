//! The guest image, and conversations with a guest.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    cloud::Cloud,
    programs,
    ran::{self, Ran},
    wait,
};

/// The small guest's disk, built from Debian packages when there is none yet.
///
/// # Errors
/// When it cannot be built; the message says what was missing.
pub fn image() -> Result<PathBuf> {
    let script = programs::root().join("guest/build-image.sh");
    let directory = programs::root().join("target/guest");
    // Tests in several processes share the one image.
    let mut build = Command::new("flock");
    fs::create_dir_all(&directory).context("making the directory for the guest image")?;
    build
        .arg(directory.join("lock"))
        .arg(script)
        .arg(&directory);
    ran::run(&mut build, Duration::from_secs(600))?.ok()?;
    Ok(directory.join("skybus-tiny.qcow2"))
}

/// A new key of the user's own, `DIR/id` and `DIR/id.pub`.
///
/// # Errors
/// When ssh-keygen fails.
pub fn key(directory: &Path) -> Result<PathBuf> {
    let file = directory.join("id");
    let mut make = Command::new("ssh-keygen");
    make.args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&file);
    ran::run(&mut make, Duration::from_secs(30))?.ok()?;
    Ok(file)
}

/// Waits until a server can be logged in to, then runs a command there and gives what it printed.
///
/// # Errors
/// When it cannot be logged in to in time, or the command fails.
pub fn ssh(cloud: &Cloud, server: &str, key: &Path, command: &str) -> Result<String> {
    let limit = Duration::from_secs(240);
    let what = format!("a login to {server}");
    let ran = wait::until(&what, limit, || {
        let ran = once(cloud, server, key, command)?;
        // 255 is ssh's own failure: nobody listens there yet.
        Ok((ran.code != 255).then_some(ran))
    })?;
    Ok(ran.ok()?.trim().to_owned())
}

/// One attempt to log in and run a command.
///
/// # Errors
/// When ssh cannot be run at all, or hangs.
pub fn once(cloud: &Cloud, server: &str, key: &Path, command: &str) -> Result<Ran> {
    let mut ssh = cloud.program("skybus")?;
    ssh.args(["ssh", server, "-i"])
        .arg(key)
        .args(["--", command]);
    ran::run(&mut ssh, Duration::from_secs(60))
}
