//! The host that a cloud runs on: what a cloud leaves on it, which should be nothing.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, ensure};

use crate::ran;

/// What of a host a cloud could change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint {
    /// Names of network namespaces.
    namespaces: BTreeSet<String>,
    /// Addresses that it answers for on behalf of others, a line each.
    proxies: BTreeSet<String>,
    /// Names of links.
    links: BTreeSet<String>,
    /// Addresses and routes, a line each.
    routes: BTreeSet<String>,
    /// Tables of nftables.
    tables: BTreeSet<String>,
    /// Settings of the kernel.
    settings: BTreeSet<String>,
}

fn lines(program: &str, words: &[&str]) -> Result<BTreeSet<String>> {
    let ran = ran::run(Command::new(program).args(words), Duration::from_secs(60))?;
    Ok(ran
        .ok()?
        .lines()
        .map(|line| line.trim().to_owned())
        .collect())
}

impl Footprint {
    /// The host as it is now.
    ///
    /// # Errors
    /// When `ip` or `nft` cannot be run.
    pub fn now() -> Result<Self> {
        let first_word = |line: String| {
            line.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let namespaces = lines("ip", &["netns", "list"])?
            .into_iter()
            .map(first_word)
            .collect();
        let link = |line: String| line.split(':').nth(1).unwrap_or_default().trim().to_owned();
        let setting = "/proc/sys/net/ipv4/ip_forward";
        let value = fs::read_to_string(setting).unwrap_or_default();
        Ok(Self {
            namespaces,
            links: lines("ip", &["-o", "link"])?
                .into_iter()
                .map(link)
                .collect(),
            routes: lines("ip", &["route", "show", "table", "main"])?,
            proxies: lines("ip", &["neigh", "show", "proxy"])?,
            tables: lines("nft", &["list", "tables"])?,
            settings: BTreeSet::from([format!("{setting} = {}", value.trim())]),
        })
    }

    /// What is there now and was not there before, or the other way round.
    ///
    /// # Errors
    /// With the differences, when there are any.
    pub fn must_equal(&self, before: &Self) -> Result<()> {
        let mut differences = Vec::new();
        for (what, now, then) in [
            ("namespace", &self.namespaces, &before.namespaces),
            ("link", &self.links, &before.links),
            ("route", &self.routes, &before.routes),
            ("proxy", &self.proxies, &before.proxies),
            ("nft table", &self.tables, &before.tables),
            ("setting", &self.settings, &before.settings),
        ] {
            differences.extend(
                now.difference(then)
                    .map(|name| format!("{what} {name} was left")),
            );
            differences.extend(
                then.difference(now)
                    .map(|name| format!("{what} {name} is gone")),
            );
        }
        ensure!(
            differences.is_empty(),
            "the host has changed:\n{}",
            differences.join("\n")
        );
        Ok(())
    }
}

/// Whether nothing of skybus runs on this host. While other clouds do, namespaces and rules come and go
/// that are none of this test's business.
#[must_use]
pub fn is_quiet() -> bool {
    processes()
        .iter()
        .all(|process| !process.program.starts_with("skybus"))
}

/// The lines of the host's namespaces, links, routes and rules in which one of these networks is named.
/// Everything that is made for a network bears the first twelve digits of its id.
///
/// # Errors
/// When `ip` or `nft` cannot be run.
pub fn traces_of(networks: &[String]) -> Result<Vec<String>> {
    let digits = |id: &String| id.replace('-', "").chars().take(12).collect::<String>();
    let marks: Vec<String> = networks.iter().map(digits).collect();
    let mut all = lines("ip", &["netns", "list"])?;
    all.extend(lines("ip", &["-o", "link"])?);
    all.extend(lines("ip", &["route", "show", "table", "all"])?);
    all.extend(lines("nft", &["list", "ruleset"])?);
    all.retain(|line| marks.iter().any(|mark| line.contains(mark.as_str())));
    Ok(all.into_iter().collect())
}

/// A process of a cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// The name of its program.
    pub program: String,
}

/// The processes that have to do with a directory: it stands in their arguments, in their environment,
/// or they work in it.
#[must_use]
pub fn processes_of(directory: &Path) -> Vec<Process> {
    let needle = directory.as_os_str().as_encoded_bytes();
    let all = processes().into_iter();
    all.filter(|process| concerns(process.id, needle)).collect()
}

/// Every process but this one.
fn processes() -> Vec<Process> {
    let own = std::process::id();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| *id != own)
        .map(|id| Process {
            id,
            program: program_of(id),
        })
        .collect()
}

/// Kills a process that a test's own cloud has started.
pub fn kill(process: &Process) {
    signal(process, "KILL");
}

/// Sends a signal, by its name, to a process that a test's own cloud has started.
pub fn signal(process: &Process, signal: &str) {
    // It may have ended by itself meanwhile.
    let _ = Command::new("kill")
        .args([format!("-{signal}"), process.id.to_string()])
        .output();
}

fn concerns(id: u32, needle: &[u8]) -> bool {
    let process = PathBuf::from(format!("/proc/{id}"));
    let mentions = |file: &str| {
        let bytes = fs::read(process.join(file)).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    let works_in = fs::read_link(process.join("cwd"))
        .is_ok_and(|cwd| cwd.as_os_str().as_encoded_bytes().starts_with(needle));
    works_in || mentions("cmdline") || mentions("environ")
}

fn program_of(id: u32) -> String {
    let name = fs::read_link(format!("/proc/{id}/exe"))
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_default()
}
