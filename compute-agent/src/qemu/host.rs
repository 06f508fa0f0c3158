//! What the host has, by its kernel.

use std::{fs, io, path::Path};

use rustix::fs::statvfs;
use skybus_model::host::Resources;

/// The word that is another after each start of the host.
pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// What the host has.
pub(super) fn capacity(data_dir: &Path) -> Resources {
    Resources {
        vcpus: cpus(),
        ram_mib: memory("MemTotal:"),
        disk_gib: disk(data_dir).0,
    }
}

/// What of it is left. CPUs are shared, not used up.
pub(super) fn free(data_dir: &Path) -> Resources {
    Resources {
        vcpus: cpus(),
        ram_mib: memory("MemAvailable:"),
        disk_gib: disk(data_dir).1,
    }
}

fn cpus() -> i64 {
    std::thread::available_parallelism().map_or(1, |n| i64::try_from(n.get()).unwrap_or(1))
}

fn memory(word: &str) -> i64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<i64>().ok());
    kib.unwrap_or(0) / 1024
}

/// Size and space left, GiB.
fn disk(path: &Path) -> (i64, i64) {
    let gib = |blocks: u64, size: u64| i64::try_from((blocks * size) >> 30).unwrap_or(i64::MAX);
    statvfs(path).map_or((0, 0), |disk| {
        (
            gib(disk.f_blocks, disk.f_frsize),
            gib(disk.f_bavail, disk.f_frsize),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_something_and_not_more_left_than_it_has() {
        let (has, left) = (capacity(Path::new("/")), free(Path::new("/")));
        assert!(has.vcpus > 0 && has.ram_mib > 0 && left.ram_mib > 0);
        assert!(left.ram_mib <= has.ram_mib && left.disk_gib <= has.disk_gib);
        assert_eq!(boot_id().unwrap().len(), 36);
    }
}
