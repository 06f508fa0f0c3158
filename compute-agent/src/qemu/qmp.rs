//! QEMU's monitor, spoken over a unix socket: one JSON object a line, answers matched to commands by
//! id, events in between. Only what the worker needs is typed; see
//! <https://www.qemu.org/docs/master/interop/qmp-spec.html>.
//!
//! A monitor serves one client at a time, so the connection is made once and shared: [`Monitor`] may be
//! cloned and used from many tasks.

use std::{
    collections::HashMap,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    time::Duration,
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    time::timeout,
};

/// How long QEMU may take to answer. It answers in microseconds unless its disk or host hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest line that is read; QEMU's own are a few KiB.
const LONGEST: u64 = 1024 * 1024;

/// Why a command had no result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Nobody answers at the socket.
    #[error("the monitor cannot be reached: {0}")]
    Unreachable(String),
    /// QEMU ended, or closed the connection.
    #[error("QEMU has gone")]
    Gone,
    /// No answer in time.
    #[error("QEMU did not answer {0} in time")]
    Silent(&'static str),
    /// QEMU understood and said no.
    #[error("QEMU refused {command}: {reason}")]
    Refused {
        /// The command.
        command: &'static str,
        /// What QEMU said.
        reason: String,
    },
}

/// Something that QEMU told by itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Event {
    /// `SHUTDOWN`, `STOP`, `BLOCK_IO_ERROR` …
    #[serde(rename = "event")]
    pub name: String,
    /// What comes with it.
    #[serde(default)]
    pub data: Value,
}

/// One line from QEMU.
#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    Greeting,
    Event(Event),
    Answer {
        id: u64,
        result: Result<Value, String>,
    },
    /// Something that this client does not know; newer versions may say more.
    Other,
}

pub(crate) fn parse(line: &[u8]) -> Line {
    let Ok(mut value) = serde_json::from_slice::<Value>(line) else {
        return Line::Other;
    };
    if value.get("QMP").is_some() {
        return Line::Greeting;
    }
    if value.get("event").is_some() {
        return serde_json::from_value(value).map_or(Line::Other, Line::Event);
    }
    let Some(id) = value.get("id").and_then(Value::as_u64) else {
        return Line::Other;
    };
    if let Some(result) = value.get_mut("return") {
        return Line::Answer {
            id,
            result: Ok(result.take()),
        };
    }
    match value.pointer("/error/desc").and_then(Value::as_str) {
        Some(reason) => Line::Answer {
            id,
            result: Err(reason.to_owned()),
        },
        None => Line::Other,
    }
}

struct Request {
    command: &'static str,
    arguments: Value,
    /// A descriptor that goes with it.
    descriptor: Option<OwnedFd>,
    answer: oneshot::Sender<Result<Value, String>>,
}

/// A connection to a monitor.
#[derive(Debug, Clone)]
pub struct Monitor {
    requests: mpsc::Sender<Request>,
}

impl Monitor {
    /// Connects to the monitor at `path`, which has to greet within `patience`, and hands back the
    /// events that arrive from now on. The receiver ends when QEMU does.
    ///
    /// # Errors
    /// When nobody answers. A monitor that has a client already is silent until that one leaves.
    pub async fn connect(
        path: &Path,
        patience: Duration,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Event>), Error> {
        let unreachable = |error: io::Error| Error::Unreachable(error.to_string());
        let stream = UnixStream::connect(path).await.map_err(unreachable)?;
        let (read, write) = stream.into_split();
        let mut read = BufReader::new(read);
        match timeout(patience, next_line(&mut read)).await {
            Ok(Ok(Some(Line::Greeting))) => {}
            Ok(_) => return Err(Error::Gone),
            Err(_) => return Err(Error::Silent("the connection")),
        }
        let (requests, from_callers) = mpsc::channel(16);
        let (to_owner, events) = mpsc::unbounded_channel();
        tokio::spawn(converse(read, write, from_callers, to_owner));
        let monitor = Self { requests };
        monitor.execute("qmp_capabilities", json!({})).await?;
        Ok((monitor, events))
    }

    /// Sends a command and waits for its result.
    ///
    /// # Errors
    /// When QEMU is gone, silent or says no.
    pub async fn execute(&self, command: &'static str, arguments: Value) -> Result<Value, Error> {
        self.send(command, arguments, None).await
    }

    /// Gives QEMU a descriptor, to be spoken of by `name`.
    ///
    /// # Errors
    /// When QEMU is gone, silent or says no.
    pub async fn give(&self, name: &str, descriptor: OwnedFd) -> Result<(), Error> {
        let arguments = json!({ "fdname": name });
        self.send("getfd", arguments, Some(descriptor))
            .await
            .map(drop)
    }

    async fn send(
        &self,
        command: &'static str,
        arguments: Value,
        descriptor: Option<OwnedFd>,
    ) -> Result<Value, Error> {
        let (answer, result) = oneshot::channel();
        let request = Request {
            command,
            arguments,
            descriptor,
            answer,
        };
        self.requests.send(request).await.map_err(|_| Error::Gone)?;
        match timeout(PATIENCE, result).await {
            Err(_) => Err(Error::Silent(command)),
            Ok(Err(_)) => Err(Error::Gone),
            Ok(Ok(Err(reason))) => Err(Error::Refused { command, reason }),
            Ok(Ok(Ok(value))) => Ok(value),
        }
    }
}

async fn next_line(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let length = read.take(LONGEST).read_until(b'\n', &mut line).await?;
    Ok((length > 0).then(|| parse(&line)))
}

/// Reads for as long as QEMU lives, in a task of its own so that no line is cut by a command that comes
/// up while it is being read; writes what callers ask.
async fn converse(
    mut read: BufReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    mut requests: mpsc::Receiver<Request>,
    events: mpsc::UnboundedSender<Event>,
) {
    let (to_writer, mut answers) = mpsc::unbounded_channel();
    let reader = tokio::spawn(async move {
        while let Ok(Some(line)) = next_line(&mut read).await {
            match line {
                Line::Event(event) => {
                    // Nobody may be watching this machine any more; its answers still matter.
                    let _ = events.send(event);
                }
                Line::Answer { id, result } => {
                    if to_writer.send((id, result)).is_err() {
                        break;
                    }
                }
                Line::Greeting | Line::Other => {}
            }
        }
    });
    let mut waiting: HashMap<u64, oneshot::Sender<Result<Value, String>>> = HashMap::new();
    let mut id = 0;
    loop {
        tokio::select! {
            answer = answers.recv() => match answer {
                Some((id, result)) => if let Some(caller) = waiting.remove(&id) {
                    // A caller that gave up does not want it any more.
                    let _ = caller.send(result);
                },
                None => break,
            },
            request = requests.recv() => match request {
                Some(request) => {
                    id += 1;
                    let line = json!({
                        "execute": request.command, "arguments": request.arguments, "id": id
                    });
                    let line = format!("{line}\n");
                    if say(&mut write, line.as_bytes(), request.descriptor).await.is_err() {
                        break;
                    }
                    waiting.insert(id, request.answer);
                }
                None => break,
            },
        }
    }
    // Every owner of the monitor is gone, or QEMU is. Either way the socket is to be free again.
    reader.abort();
}

/// Writes a line; a descriptor goes with its first bytes.
async fn say(
    write: &mut OwnedWriteHalf,
    line: &[u8],
    descriptor: Option<OwnedFd>,
) -> io::Result<()> {
    let Some(descriptor) = descriptor else {
        return write.write_all(line).await;
    };
    let sent = loop {
        write.writable().await?;
        let socket: &UnixStream = write.as_ref();
        match socket.try_io(Interest::WRITABLE, || hand_over(socket, line, &descriptor)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => break other?,
        }
    };
    write.write_all(line.get(sent..).unwrap_or_default()).await
}

fn hand_over(socket: &UnixStream, line: &[u8], descriptor: &OwnedFd) -> io::Result<usize> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut room);
    let descriptors = [descriptor.as_fd()];
    if !beside.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("there is no room for a descriptor"));
    }
    let text = [io::IoSlice::new(line)];
    Ok(sendmsg(socket, &text, &mut beside, SendFlags::NOSIGNAL)?)
}

#[cfg(test)]
mod tests;
