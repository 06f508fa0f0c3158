//! The dnsmasq of one network: found again by its pid file, started, told of new machines, ended.
//!
//! It runs detached inside the namespace and outlives the agent. Its files are in a directory of its own
//! below `/run`, which everybody may read, because dnsmasq reads the list of machines as `nobody`.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use skybus_sys::{namespace, process};

use crate::{
    changes::Changes,
    desired::Network,
    dhcp::{self, Takeover},
    failure::Error,
    program::{self, Place},
};

/// How long it may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long its log may become, in bytes. What it refuses is a line, and a guest can ask for that all day.
const LOG: u64 = 1 << 20;

/// The dnsmasq of one network.
#[derive(Debug, Clone)]
pub struct Dnsmasq {
    namespace: String,
    directory: PathBuf,
}

impl Dnsmasq {
    /// The one of the network in `namespace`, of the cloud whose files are in `run`.
    #[must_use]
    pub fn of(namespace: &str, run: &Path) -> Self {
        Self {
            namespace: namespace.to_owned(),
            directory: run.join(namespace),
        }
    }

    /// Its process, if it runs.
    #[must_use]
    pub fn running(&self) -> Option<i32> {
        let pid = fs::read_to_string(self.directory.join("pid"))
            .ok()?
            .trim()
            .parse()
            .ok()?;
        self.is_ours(pid).then_some(pid)
    }

    /// A number in a file may have been given to another process since.
    fn is_ours(&self, pid: i32) -> bool {
        let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else {
            return false;
        };
        let mut words = line.split(|byte| *byte == 0);
        let program = words.next().unwrap_or_default();
        program.ends_with(b"dnsmasq") && words.any(|word| word == self.argument().as_bytes())
    }

    fn argument(&self) -> String {
        format!("--conf-file={}", self.file("conf").display())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes it run as the network wants it.
    ///
    /// # Errors
    /// When its files cannot be written, or it does not start; its own words are part of the error.
    pub fn converge(&self, network: &Network, changes: &mut Changes) -> Result<(), Error> {
        let configuration = dhcp::configuration(network, &self.directory);
        let machines = dhcp::machines(network);
        let takeover = match self.running() {
            Some(_) => self.takeover(&configuration, &machines),
            None => Takeover::Restart,
        };
        if takeover == Takeover::Nothing {
            return Ok(());
        }
        changes.make(
            format!(
                "{}: DHCP for {} machines",
                self.namespace,
                network.ports.len()
            ),
            || {
                self.directory_made()?;
                self.write("conf", &configuration)?;
                self.write("machines", &machines)?;
                match self.running() {
                    Some(pid) if takeover == Takeover::Reread => process::reread(pid)?,
                    _ => self.restart()?,
                }
                self.write("conf.told", &configuration)?;
                Ok(self.write("machines.told", &machines)?)
            },
        )
    }

    /// What it takes. Whoever wrote the files may have died before it told anybody, so what was told is
    /// kept beside them, and only where both agree is it known what dnsmasq has read.
    fn takeover(&self, configuration: &str, machines: &str) -> Takeover {
        let same =
            ["conf", "conf.told"].map(|name| self.read(name).as_deref() == Some(configuration));
        match ["machines", "machines.told"].map(|name| self.read(name)) {
            [Some(written), Some(told)] if same == [true, true] => {
                dhcp::takeover(&[&written, &told], machines)
            }
            _ => Takeover::Restart,
        }
    }

    fn restart(&self) -> Result<(), Error> {
        self.end()?;
        let arguments = [&*self.argument()];
        let place = Place::Namespace(&self.namespace);
        program::run("dnsmasq", "dnsmasq-base", &arguments, place, "")?;
        Ok(())
    }

    /// Ends it, and whatever other dnsmasq of ours is left in the namespace, as when its pid file was lost.
    ///
    /// # Errors
    /// When a process survives.
    pub fn end(&self) -> io::Result<()> {
        if let Some(pid) = self.running() {
            process::end(pid, PATIENCE)?;
        }
        if namespace::exists(&self.namespace) {
            for pid in namespace::processes(&self.namespace)? {
                if self.is_ours(pid) {
                    process::end(pid, PATIENCE)?;
                }
            }
        }
        Ok(())
    }

    /// Ends it and removes its files.
    ///
    /// # Errors
    /// When a process survives or a file cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        self.end()?;
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Empties its log when that has become too long: it is on `/run`, which is memory.
    ///
    /// # Errors
    /// When the log is there and cannot be read or emptied.
    pub fn shorten_log(&self) -> io::Result<()> {
        let log = self.file("log");
        match fs::metadata(&log) {
            // It appends, so it goes on at the new end.
            Ok(meta) if meta.len() > LOG => File::options().write(true).open(log)?.set_len(0),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn directory_made(&self) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        for directory in [
            self.directory.parent().unwrap_or(&self.directory),
            &self.directory,
        ] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.file(name)).ok()
    }

    /// Under another name first, so that nobody reads half a file.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let draft = self.file(&format!("{name}.new"));
        fs::write(&draft, text)?;
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o644))?;
        fs::rename(draft, self.file(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stays_short() {
        let run = tempfile::tempdir().unwrap();
        let dnsmasq = Dnsmasq::of("skybus-1", run.path());
        dnsmasq.shorten_log().unwrap();
        dnsmasq.directory_made().unwrap();
        for (length, left) in [(LOG, LOG), (LOG + 1, 0)] {
            let log = File::create(dnsmasq.file("log")).unwrap();
            log.set_len(length).unwrap();
            dnsmasq.shorten_log().unwrap();
            assert_eq!(log.metadata().unwrap().len(), left);
        }
    }
}
