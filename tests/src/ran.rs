//! Running a program to its end, within a time limit.

use std::{
    ffi::OsStr,
    io::Read,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The command, for messages.
    pub line: String,
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output, when the program succeeded.
    ///
    /// # Errors
    /// When it did not, with all that it said.
    pub fn ok(&self) -> Result<&str> {
        ensure!(
            self.code == 0,
            "`{}` ended with {}\n{}{}",
            self.line,
            self.code,
            self.out,
            self.err
        );
        Ok(&self.out)
    }

    /// Standard output as JSON.
    ///
    /// # Errors
    /// When the program failed or did not print JSON.
    pub fn json(&self) -> Result<Value> {
        let out = self.ok()?;
        serde_json::from_str(out).with_context(|| format!("`{}` printed no JSON: {out}", self.line))
    }
}

/// Runs a command. A program that is not done in time is killed.
///
/// # Errors
/// When it cannot be run or is not done in time.
pub fn run(command: &mut Command, limit: Duration) -> Result<Ran> {
    let line = line(command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("running `{line}`"))?;
    let out = collect(child.stdout.take());
    let err = collect(child.stderr.take());
    let (done, ended) = mpsc::channel();
    let process = child.id();
    let waiter = thread::spawn(move || {
        let status = child.wait();
        // The other side is gone when the time was up.
        let _ = done.send(());
        status
    });
    if ended.recv_timeout(limit).is_err() {
        let _ = Command::new("kill")
            .args(["-KILL", &process.to_string()])
            .status();
        let _ = waiter.join();
        bail!(
            "`{line}` was not done after {} s\n{}",
            limit.as_secs(),
            err.recv().unwrap_or_default()
        );
    }
    let status = waiter
        .join()
        .map_err(|_| anyhow::anyhow!("waiting for `{line}` failed"))??;
    // A daemon that the program left behind may hold the pipes open: what was said so far counts.
    let text = |pipe: mpsc::Receiver<String>| {
        pipe.recv_timeout(Duration::from_secs(5))
            .unwrap_or_else(|_| "(still being written)".to_owned())
    };
    Ok(Ran {
        line,
        code: status.code().unwrap_or(-1),
        out: text(out),
        err: text(err),
    })
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (text, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = text.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}
