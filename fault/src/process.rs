//! What a hit does in a debug build.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use rustix::process::{Signal, getpid, kill_process};

use crate::{Armed, Point, VARIABLE};

/// Where this process's files are, and what their names begin with.
#[derive(Debug)]
struct Files {
    directory: PathBuf,
    program: String,
}

impl Files {
    fn of_this_process() -> Option<Self> {
        let directory = PathBuf::from(std::env::var_os(VARIABLE)?);
        let own = std::env::current_exe().ok()?;
        let program = own.file_name()?.to_str()?.to_owned();
        Some(Self { directory, program })
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.directory.join(format!("{}.{ending}", self.program))
    }
}

pub(crate) fn hit(point: Point, what: &str) {
    static FILES: OnceLock<Option<Files>> = OnceLock::new();
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let Some(files) = FILES.get_or_init(Files::of_this_process) else {
        return;
    };
    let what = if what.is_empty() { "-" } else { what };
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = note(&files.file("hits"), point, what)
        && error.kind() != io::ErrorKind::NotFound
    {
        die(files, &format!("the hits cannot be noted: {error}"));
    }
    if counts(&files.file("arm"), point, what) {
        die(files, &format!("{point} {what}"));
    }
}

/// Notes the hit, if anybody wants to know.
fn note(file: &Path, point: Point, what: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(file)?;
    file.write_all(format!("{point} {what}\n").as_bytes())
}

/// Whether this is the hit to die at; one that comes before it is counted.
fn counts(file: &Path, point: Point, what: &str) -> bool {
    let Ok(text) = fs::read_to_string(file) else {
        return false;
    };
    let Ok(mut armed) = text.parse::<Armed>() else {
        return false;
    };
    if !armed.is_for(point, what) {
        return false;
    }
    if armed.hit > 1 {
        armed.hit -= 1;
        // One that cannot be counted is never come to, which the test notices.
        let _ = fs::write(file, armed.to_string());
        return false;
    }
    fs::remove_file(file).is_ok()
}

/// Ends the process as a power cut would.
fn die(files: &Files, at: &str) -> ! {
    // What is not written is missed by the test, which waits for it.
    let _ = fs::write(files.file("died"), format!("{at}\n"));
    let _ = kill_process(getpid(), Signal::KILL);
    // The signal is delivered when the call returns; this is never come to.
    std::process::abort()
}
