//! The HTTP client: one request, one answer, errors with the API's own words.
//!
//! It knows nothing of tokens or catalogs; [`crate::session`] does.

pub(crate) mod answer;
pub(crate) mod stream;
pub(crate) mod url;

use std::{io::Read, time::Duration};

use serde_json::Value;
use ureq::{Agent, SendBody, http};

use crate::{failure::Failure, output::talk};
use answer::Answer;
use stream::Frames;

/// What a request carries.
pub(crate) enum Body<'a> {
    /// Nothing.
    Empty,
    /// A JSON document.
    Json(&'a Value),
    /// So many bytes, read as they are sent.
    Bytes { length: u64, from: &'a mut dyn Read },
}

/// One request.
pub(crate) struct Request<'a> {
    /// `GET`, `POST`, …
    pub(crate) method: http::Method,
    /// Where to.
    pub(crate) url: String,
    /// Headers beyond those that follow from the body.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// What it carries.
    pub(crate) body: Body<'a>,
}

/// The client. Each request has a connection of its own: one that is kept may be closed by the other side just when the
/// next request is sent, and of a request that changes something nobody would then know whether it was heard.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    agent: Agent,
    debug: bool,
}

/// A read may take this long; the API's own deadlines are shorter.
const PATIENCE: Duration = Duration::from_secs(60);
/// So long until a connection must stand.
const CONNECT: Duration = Duration::from_secs(5);
/// A stream says every 15 seconds that it is still there; so long without a word, and it is not.
const SILENCE: Duration = Duration::from_secs(40);

impl Http {
    /// A client; with `debug` it says each request and its status on stderr, without secrets.
    pub(crate) fn new(debug: bool) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_recv_body(Some(PATIENCE))
            .user_agent(concat!("skybus/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.new_agent(),
            debug,
        }
    }

    /// Sends a request and reads the answer, whatever its status is.
    pub(crate) fn send(&self, request: Request<'_>) -> Result<Answer, Failure> {
        let line = format!("{} {}", request.method, request.url);
        let url = request.url.clone();
        let answer = self.exchange(request).map_err(|e| unreachable(&url, e))?;
        if self.debug {
            let id = answer.request_id.as_deref().unwrap_or("-");
            talk::say(&format!("{line} -> {} ({id})", answer.status));
        }
        Ok(answer)
    }

    /// Asks for a stream of events: its frames, or the answer of a server that gives none.
    pub(crate) fn stream(&self, url: &str, token: &str) -> Result<Result<Frames, Answer>, Failure> {
        let opened = self.open(url, token).map_err(|e| unreachable(url, e))?;
        if self.debug {
            let status = opened.as_ref().map_or_else(|answer| answer.status, |_| 200);
            talk::say(&format!("GET {url} -> {status} (a stream)"));
        }
        Ok(opened)
    }

    fn open(&self, url: &str, token: &str) -> Result<Result<Frames, Answer>, ureq::Error> {
        let request = http::Request::get(url)
            .header("accept", "text/event-stream")
            .header("x-auth-token", token)
            .body(())?;
        let request = self.agent.configure_request(request);
        let request = request
            .timeout_recv_body(None)
            .timeout_per_read(Some(SILENCE));
        let response = self.agent.run(request.build())?;
        let kind = response.headers().get("content-type");
        let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if response.status() == 200 && is_stream {
            let reader = response
                .into_body()
                .into_with_config()
                .limit(u64::MAX)
                .reader();
            return Ok(Ok(Frames::new(Box::new(reader))));
        }
        Answer::read(response).map(Err)
    }

    fn exchange(&self, request: Request<'_>) -> Result<Answer, ureq::Error> {
        let mut builder = http::Request::builder()
            .method(request.method)
            .uri(&request.url)
            .header("accept", "application/json");
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let response = match request.body {
            Body::Empty => self.agent.run(builder.body(())?)?,
            Body::Json(value) => {
                let text = serde_json::to_vec(value).map_err(ureq::Error::Json)?;
                self.agent.run(
                    builder
                        .header("content-type", "application/json")
                        .body(text)?,
                )?
            }
            Body::Bytes { length, from } => {
                let builder = builder
                    .header("content-type", "application/octet-stream")
                    .header("content-length", length);
                self.agent.run(builder.body(SendBody::from_reader(from))?)?
            }
        };
        Answer::read(response)
    }
}

fn unreachable(url: &str, error: ureq::Error) -> Failure {
    match error {
        ureq::Error::TlsRequired => Failure::usage(
            format!("{url} wants TLS, which this program was built without"),
            "use an address that begins with http://, for instance through a tunnel",
        ),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::usage(
            format!("{url:?} is not an address"),
            "OS_AUTH_URL should look like http://127.0.0.1:8774/identity/v3",
        ),
        other => Failure::Unreachable {
            url: server_of(url),
            why: other.to_string(),
        },
    }
}

/// `http://host:port` of an address, for messages.
fn server_of(url: &str) -> String {
    url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
}
