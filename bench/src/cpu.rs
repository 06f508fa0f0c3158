//! What the processes of a cloud use: CPU time and memory, as the kernel accounts for them.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};

/// One process of a role.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) role: String,
    pub(crate) pid: u32,
}

/// The roles' processes of the cloud in `data_dir`, further API servers and schedulers included. The broker,
/// the database and whoever makes load are not among them.
pub(crate) fn of_cloud(data_dir: &Path) -> Result<Vec<Process>> {
    let place = data_dir.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("reading /proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        // A process may end while it is looked at.
        let Ok(line) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let role = line
            .split_whitespace()
            .next()
            .and_then(|program| program.rsplit('/').next())
            .and_then(|name| name.strip_prefix("skybus-"));
        let Some(role) = role else { continue };
        let is_role = ["api", "scheduler", "compute", "network"].contains(&role);
        if (is_role || role == "supervisor") && line.contains(&place) {
            found.push(Process {
                role: role.to_owned(),
                pid,
            });
        }
    }
    Ok(found)
}

/// How much CPU time they have used, children that have ended included.
pub(crate) fn used(processes: &[Process]) -> Duration {
    processes.iter().filter_map(|p| used_by(p.pid)).sum()
}

/// How much CPU time one process has used.
pub(crate) fn used_by(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces; what follows its closing bracket does not.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields
        .get(11..15)?
        .iter()
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    // The kernel's unit here has been a hundredth of a second on every Linux for decades.
    Some(Duration::from_millis(ticks * 10))
}

/// Proportional set size, MiB.
pub(crate) fn memory(processes: &[Process]) -> f64 {
    processes.iter().filter_map(|p| memory_of(p.pid)).sum()
}

/// Proportional set size of one process, MiB.
pub(crate) fn memory_of(pid: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
