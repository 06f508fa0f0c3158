//! A machine outside of the cloud, on the wire of the host's public interface.

use std::{
    path::Path,
    process::{self, Command},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::ran::{self, Ran};

/// So long an attempt to log in may take.
const ATTEMPT: Duration = Duration::from_secs(60);

/// A namespace with a cable to the host, in a range of addresses that the cloud gives floating IPs from.
#[derive(Debug)]
pub struct Outside {
    namespace: String,
    /// The host's end of the cable: its public interface.
    pub interface: String,
}

impl Outside {
    /// The floating IPs of a cloud on this wire. The first address is the host's, the last one this machine's.
    pub const RANGE: &str = "203.0.113.0/24";

    /// Makes it. There can be one at a time.
    ///
    /// # Errors
    /// When `ip` fails; making it needs root.
    pub fn new() -> Result<Self> {
        let id = process::id();
        let outside = Self {
            namespace: format!("skybus-outside-{id}"),
            interface: format!("skyout{id}"),
        };
        let (space, link) = (&outside.namespace, &outside.interface);
        ip(&format!("netns add {space}"))?;
        ip(&format!(
            "link add {link} type veth peer name eth0 netns {space}"
        ))?;
        ip(&format!("address add 203.0.113.1/24 dev {link}"))?;
        ip(&format!("link set {link} up"))?;
        ip(&format!("-n {space} address add 203.0.113.254/24 dev eth0"))?;
        ip(&format!("-n {space} link set lo up"))?;
        ip(&format!("-n {space} link set eth0 up"))?;
        Ok(outside)
    }

    /// One attempt to log in from here to an address, and to run a command there; nothing when nobody answers,
    /// lets us in, or goes on answering.
    ///
    /// # Errors
    /// When ssh cannot be run at all.
    pub fn ssh(&self, address: &str, key: &Path, command: &str) -> Result<Option<Ran>> {
        let mut ssh = Command::new("ip");
        // Whose address is taken away in the middle of a connection hears nothing any more.
        ssh.args(["netns", "exec", &self.namespace, "timeout", "30"]);
        ssh.args(["ssh", "-i"]).arg(key);
        for option in [
            "BatchMode=yes",
            "ConnectTimeout=10",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
        ] {
            ssh.args(["-o", option]);
        }
        ssh.arg(format!("root@{address}")).arg(command);
        let ran = ran::run(&mut ssh, ATTEMPT)?;
        // `timeout` ends with 124, and 255 is ssh's own failure.
        Ok((ran.code != 124 && ran.code != 255).then_some(ran))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // Nobody could do anything about a failure here.
        let _ = ip(&format!("link delete {}", self.interface));
        let _ = ip(&format!("netns delete {}", self.namespace));
    }
}

fn ip(line: &str) -> Result<()> {
    let ran = ran::run(Command::new("ip").args(line.split(' ')), ATTEMPT)?;
    ran.ok().map(drop).with_context(|| format!("ip {line}"))
}
