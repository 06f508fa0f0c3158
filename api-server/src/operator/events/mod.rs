//! `GET /skybus/v1/events`: what happened to servers, by sequence number; as a list, or pushed while it
//! happens (server-sent events) when the caller accepts `text/event-stream`.
//!
//! The table of events is the truth, in both ways of reading. [`feed`] notices new rows once for the whole
//! process, [`stream`] follows them for one caller, [`places`] bounds how many do so, [`sweep`] removes what is
//! too old. docs/events.md is the contract.

mod feed;
mod list;
mod places;
mod stream;
pub mod sweep;
#[cfg(test)]
mod tests;
mod view;

pub use feed::{Feed, Pace};

use std::collections::HashSet;

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode, header};
use skybus_model::id::{ProjectId, ServerId};
use skybus_store::events::Event;

use crate::{
    app::App,
    http::{Auth, Error, Params},
};

/// How many servers can be named in one request.
const MOST_SERVERS: usize = 100;

/// Which events are asked for.
#[derive(Debug, Clone)]
struct Wanted {
    /// One project's; all projects' for `None`.
    project: Option<ProjectId>,
    /// These servers'; every server's when empty.
    servers: HashSet<ServerId>,
    /// Whether the events go to an operator, who may know hosts.
    operator: bool,
}

impl Wanted {
    fn of(auth: &Auth, params: &Params) -> Result<Self, Error> {
        let all = params.flag("all_projects")?.unwrap_or(false);
        if all && !auth.is_admin() {
            return Err(Error::forbidden(
                "events of all projects need the role admin; without all_projects there are those of the \
                 token's project",
            ));
        }
        let servers = params
            .all("server")
            .map(|text| {
                text.parse().map_err(|_| {
                    Error::bad_request(format!(
                        "invalid value {text:?} for server: it must be a server's id"
                    ))
                })
            })
            .collect::<Result<HashSet<ServerId>, Error>>()?;
        if servers.len() > MOST_SERVERS {
            return Err(Error::bad_request(format!(
                "at most {MOST_SERVERS} servers can be named; without any there are all of them"
            )));
        }
        Ok(Self {
            project: if all { None } else { Some(auth.project()?) },
            servers,
            operator: auth.is_admin(),
        })
    }

    fn takes(&self, event: &Event) -> bool {
        self.project.is_none_or(|project| project == event.project)
            && (self.servers.is_empty() || self.servers.contains(&event.server))
    }
}

/// Lists, or follows.
pub(super) async fn events(
    State(app): State<App>,
    auth: Auth,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let wanted = Wanted::of(&auth, &params)?;
    let after = number(params.one("after"), "after")?;
    if !accepts_a_stream(&headers) {
        return list::list(&app, &wanted, after, &params).await;
    }
    // Where the stream was lost counts for more than where it was begun.
    let last = headers.get("last-event-id").map(|value| value.to_str());
    let last = number(last.map(Result::unwrap_or_default), "Last-Event-ID")?;
    stream::open(app, auth, wanted, last.or(after)).await
}

fn accepts_a_stream(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/event-stream"))
}

fn number(text: Option<&str>, name: &str) -> Result<Option<i64>, Error> {
    let Some(text) = text else { return Ok(None) };
    match text.parse() {
        Ok(seq) if seq >= 0 => Ok(Some(seq)),
        _ => Err(Error::bad_request(format!(
            "invalid value {text:?} for {name}: it must be an event's sequence number, 0 for the oldest \
             that there is"
        ))),
    }
}

/// The answer to a list that would have to begin with events that are gone.
fn gone(after: i64, oldest: i64) -> Error {
    Error::new(
        StatusCode::GONE,
        format!(
            "events after number {after} are asked for, and the oldest that is kept is {oldest}; read again \
             what is followed, then go on with after={}",
            oldest - 1
        ),
    )
}
