//! The end of a console log, and keeping the log from filling the host's disk.
//!
//! A guest may write to its serial port without end, and the file belongs to the guest's user. So it is
//! opened without following links, never read as a whole, and what is older than the last megabyte is
//! given back to the file system while QEMU goes on appending.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::{FallocateFlags, OFlags, fallocate};

/// The most that is ever shown, as Nova has it.
const SHOWN: u64 = 100 * 1024;
/// The most that is kept once a log has grown past [`TRIMMED_ABOVE`].
const KEPT: u64 = 1024 * 1024;
/// The size on disk above which a log is trimmed.
const TRIMMED_ABOVE: u64 = 4 * KEPT;

/// The last `lines` lines of `text`, or all of it.
#[must_use]
pub fn last(text: &str, lines: Option<usize>) -> String {
    let Some(lines) = lines else {
        return text.to_owned();
    };
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    all[all.len().saturating_sub(lines)..].concat()
}

/// The last `lines` lines, at most 100 KiB, of the log at `path`.
///
/// # Errors
/// When there is no such file, or it is not a plain one.
pub fn tail(path: &Path, lines: Option<usize>) -> io::Result<String> {
    let mut file = plain(path, false)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(SHOWN)))?;
    let mut bytes = Vec::new();
    file.take(SHOWN).read_to_end(&mut bytes)?;
    // A hole that trimming left reads as zeroes.
    bytes.retain(|byte| *byte != 0);
    Ok(last(&String::from_utf8_lossy(&bytes), lines))
}

/// Gives back the space of all but the last megabyte of a log that has grown large.
///
/// # Errors
/// When the file cannot be opened, or its file system cannot punch holes.
pub fn trim(path: &Path) -> io::Result<()> {
    let file = plain(path, true)?;
    let meta = file.metadata()?;
    if meta.blocks() * 512 <= TRIMMED_ABOVE {
        return Ok(());
    }
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(&file, hole, 0, meta.len().saturating_sub(KEPT))?)
}

fn plain(path: &Path, write: bool) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    #[allow(clippy::cast_possible_wrap, reason = "open's flags are an int to C")]
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(flags as i32)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the log is not a plain file",
        ));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    #[test]
    fn the_last_lines_are_whole_lines() {
        assert_eq!(last("a\nb\nc\n", Some(2)), "b\nc\n");
        assert_eq!(last("a\nb\nlogin: ", Some(1)), "login: ");
        assert_eq!(last("a\n", Some(0)), "");
        assert_eq!(last("a\nb", None), "a\nb");
        assert_eq!(last("", Some(5)), "");
    }

    #[test]
    fn a_link_that_a_guest_planted_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        fs::write(&secret, "root's own").unwrap();
        let log = dir.path().join("console.log");
        std::os::unix::fs::symlink(&secret, &log).unwrap();
        assert!(tail(&log, None).is_err());
        assert!(tail(dir.path(), None).is_err());
    }

    #[test]
    fn a_log_of_many_megabytes_is_cut_down_and_still_ends_as_it_did() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("console.log");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        for n in 0..200_000 {
            writeln!(file, "line {n} of a guest that talks too much").unwrap();
        }
        trim(&log).unwrap();
        assert!(fs::metadata(&log).unwrap().blocks() * 512 <= 2 * KEPT);
        writeln!(file, "still here \u{fffd}").unwrap();
        let end = tail(&log, Some(2)).unwrap();
        assert_eq!(
            end,
            "line 199999 of a guest that talks too much\nstill here \u{fffd}\n"
        );
        assert!(tail(&log, None).unwrap().len() <= usize::try_from(SHOWN).unwrap());
    }
}
