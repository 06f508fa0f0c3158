//! A fake cloud: a small HTTP server on loopback that answers from a table and remembers what it was
//! asked. It exists for these tests alone.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared by several test programs; a fake that cannot go on should say where"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// An answer of the table: the first unused one for a method and path is given, the last one for ever.
#[derive(Debug, Clone)]
struct Planned {
    method: &'static str,
    path: String,
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The method.
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) path: String,
    /// Header lines, in lower case.
    pub(crate) headers: Vec<String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

/// The cloud.
#[derive(Debug)]
pub(crate) struct FakeCloud {
    url: String,
    planned: Arc<Mutex<Vec<Planned>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FakeCloud {
    /// Starts one that can be signed in to.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cloud = Self {
            url,
            planned: Arc::default(),
            seen: Arc::default(),
        };
        let (planned, seen) = (Arc::clone(&cloud.planned), Arc::clone(&cloud.seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (planned, seen) = (Arc::clone(&planned), Arc::clone(&seen));
                thread::spawn(move || serve(stream.unwrap(), &planned, &seen));
            }
        });
        let token = json!({"token": {
            "project": {"id": "p1", "name": "demo"}, "user": {"id": "u1", "name": "demo"},
            "catalog": [
                cloud.entry("compute", "/compute/v2.1"),
                cloud.entry("image", "/image"),
                cloud.entry("network", "/network"),
                cloud.entry("identity", "/identity/v3"),
            ],
        }});
        let headers = vec![("X-Subject-Token", "the-token".to_owned())];
        cloud.plan(
            "POST",
            "/identity/v3/auth/tokens",
            201,
            headers,
            token.to_string(),
        );
        cloud
    }

    fn entry(&self, kind: &str, path: &str) -> Value {
        let url = format!("{}{path}", self.url);
        json!({"type": kind, "endpoints": [{"interface": "public", "region": "RegionOne", "url": url}]})
    }

    fn plan(
        &self,
        method: &'static str,
        path: &str,
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) {
        let path = path.to_owned();
        self.planned.lock().unwrap().push(Planned {
            method,
            path,
            status,
            headers,
            body,
        });
    }

    /// Plans an answer.
    pub(crate) fn answers(
        &self,
        method: &'static str,
        path: &str,
        status: u16,
        body: &Value,
    ) -> &Self {
        let headers = vec![("X-Openstack-Request-Id", "req-7".to_owned())];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.plan(method, path, status, headers, body);
        self
    }

    /// Plans a stream of events that breaks after these frames.
    pub(crate) fn streams(&self, path: &str, frames: &[String]) -> &Self {
        let headers = vec![("Content-Type", "text/event-stream".to_owned())];
        self.plan("GET", path, 200, headers, frames.concat());
        self
    }

    /// Plans a refusal of a request at a busy moment.
    pub(crate) fn is_busy(&self, method: &'static str, path: &str) -> &Self {
        let headers = vec![("Retry-After", "1".to_owned())];
        self.plan(
            method,
            path,
            503,
            headers,
            json!({"message": "busy"}).to_string(),
        );
        self
    }

    /// Requests of a method to a path, in order.
    pub(crate) fn seen(&self, method: &str, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|s| s.method == method && s.path == path)
            .cloned()
            .collect()
    }

    /// `skybus`, told to use this cloud and nothing of this machine.
    pub(crate) fn skybus(&self, words: &[&str]) -> Command {
        let mut command = bare(words);
        command
            .env("OS_AUTH_URL", format!("{}/identity/v3", self.url))
            .env("OS_USERNAME", "demo")
            .env("OS_PASSWORD", "secret")
            .env("OS_PROJECT_NAME", "demo");
        command
    }

    /// Runs it.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::from(self.skybus(words).output().unwrap())
    }
}

/// `skybus` with no environment at all.
pub(crate) fn bare(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skybus"));
    command.env_clear().env("HOME", "/nonexistent").args(words);
    command
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn serve(stream: TcpStream, planned: &Mutex<Vec<Planned>>, seen: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(request) = read(&mut reader) {
        let answer = take(&mut planned.lock().unwrap(), &request);
        seen.lock().unwrap().push(request);
        let mut head = format!(
            "HTTP/1.1 {} X\r\nContent-Length: {}\r\n",
            answer.status,
            answer.body.len()
        );
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let sent = write!(writer, "{head}\r\n{}", answer.body);
        if sent.is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        match header.trim_end().split_once(": ") {
            Some((name, value)) => headers.push(format!("{}: {value}", name.to_lowercase())),
            None => break,
        }
    }
    let mut seen = Seen {
        method,
        path,
        headers,
        body: Vec::new(),
    };
    let length = seen
        .header("content-length")
        .map_or(0, |n| n.parse().unwrap());
    seen.body.resize(length, 0);
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

fn take(planned: &mut Vec<Planned>, request: &Seen) -> Planned {
    let fits = |p: &Planned| p.method == request.method && p.path == request.path;
    let all: Vec<usize> = (0..planned.len()).filter(|n| fits(&planned[*n])).collect();
    match all.as_slice() {
        [] => Planned {
            method: "",
            path: String::new(),
            status: 404,
            headers: vec![("X-Openstack-Request-Id", "req-404".to_owned())],
            body: json!({"itemNotFound": {"code": 404, "message": "there is no such thing"}})
                .to_string(),
        },
        [only] => planned[*only].clone(),
        [first, ..] => planned.remove(*first),
    }
}
