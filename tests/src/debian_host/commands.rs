//! Commands for a host and its answers, over a serial line that QEMU connects to a socket of this machine.

use std::{
    io::{BufRead, BufReader, ErrorKind, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{ran::Ran, wait};

/// How long is waited for a piece of an answer before the time is looked at.
const PIECE: Duration = Duration::from_millis(500);

/// The line to one host.
#[derive(Debug)]
pub(super) struct Commands {
    path: PathBuf,
    listener: UnixListener,
    line: Option<Line>,
    number: u64,
}

#[derive(Debug)]
struct Line {
    writer: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Commands {
    /// A line that QEMU has not picked up yet.
    pub(super) fn at(path: &Path) -> Result<Self> {
        let listener =
            UnixListener::bind(path).with_context(|| format!("listening at {}", path.display()))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            path: path.to_owned(),
            listener,
            line: None,
            number: 0,
        })
    }

    /// What QEMU is told of it.
    pub(super) fn arguments(&self) -> [String; 4] {
        let socket = format!("socket,id=commands,path={}", self.path.display());
        ["-chardev", &socket, "-serial", "chardev:commands"].map(str::to_owned)
    }

    /// Waits until somebody at the other end is ready for commands.
    pub(super) fn await_the_first(&mut self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        let stream = wait::until("a machine that starts", limit, || {
            match self.listener.accept() {
                Ok((stream, _)) => Ok(Some(stream)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error.into()),
            }
        })?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PIECE))?;
        let mut line = Line {
            writer: stream.try_clone()?,
            reader: BufReader::new(stream),
        };
        line.answer(0, end)?;
        self.line = Some(line);
        Ok(())
    }

    /// Runs a command, and waits until it ends.
    pub(super) fn run(&mut self, command: &str, limit: Duration) -> Result<Ran> {
        self.number += 1;
        let line = self.line.as_mut().context("it has not booted")?;
        writeln!(line.writer, "{} {}", self.number, base64(command))?;
        let (out, code) = line.answer(self.number, Instant::now() + limit)?;
        Ok(Ran {
            line: command.to_owned(),
            code,
            out,
            err: String::new(),
        })
    }
}

impl Line {
    /// What comes before the line that ends the answer to this command, and the status in that.
    fn answer(&mut self, number: u64, end: Instant) -> Result<(String, i32)> {
        let (mut said, mut piece) = (String::new(), Vec::new());
        let last = format!("@{number} ");
        loop {
            match self.reader.read_until(b'\n', &mut piece) {
                Ok(0) => anyhow::bail!("the machine has ended"),
                Ok(_) => {}
                // What has come so far stays in `piece`.
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    ensure!(Instant::now() < end, "no answer in time; so far: {said}");
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            let text = String::from_utf8_lossy(&piece).replace('\r', "");
            piece.clear();
            if let Some(status) = text.strip_prefix(&last) {
                return Ok((said.trim_end().to_owned(), status.trim().parse()?));
            }
            said.push_str(&text);
        }
    }
}

/// RFC 4648.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for group in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0, |bits, n| {
            bits << 8 | usize::from(group.get(n).copied().unwrap_or(0))
        });
        for n in 0..4 {
            let digit = char::from(DIGITS[bits >> (18 - 6 * n) & 63]);
            encoded.push(if n <= group.len() { digit } else { '=' });
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_encoded_as_shells_decode_them() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text), encoded);
        }
    }
}
