//! Watch: changes of servers, a line each, as they happen.

use std::{thread, time::Duration};

use clap::Args;
use serde_json::Value;

use crate::{
    arguments::Context,
    failure::Failure,
    follow::{Follower, News, Wanted},
    output::{Format, cell::plain, talk},
    resolve::{self, SERVER},
    session::Session,
};

/// The options.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Their names or ids; none for all of the project's servers
    servers: Vec<String>,
    /// The servers of all projects (administrators)
    #[arg(long)]
    all_projects: bool,
    /// Begin after this event, 0 for the oldest that is kept, instead of with what happens from now on
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,
}

/// How long is waited before a lost stream is asked for again, at first and at most.
const SOON: Duration = Duration::from_millis(200);
const LATER: Duration = Duration::from_secs(5);

impl Watch {
    /// Does it, until it is interrupted.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        // Interrupting it is how it is meant to end.
        ctrlc::set_handler(|| std::process::exit(0))
            .map_err(|e| Failure::Nonsense(format!("Ctrl-C cannot be caught: {e}")))?;
        let session = context.session()?;
        let servers = self.servers.iter().map(|server| id(&session, server));
        let wanted = Wanted {
            servers: servers.collect::<Result<_, Failure>>()?,
            all_projects: self.all_projects,
            after: self.after,
        };
        let mut follower = Follower::begin(&session, wanted)?;
        loop {
            match follower.next() {
                News::Event(event) => context.output.text(&line(&event, context.output.format))?,
                News::Gap(oldest) => talk::say(&format!(
                    "events are missing here, they are not kept any longer; going on with number {oldest}"
                )),
                News::Alive => {}
                News::Lost => resume(&session, &mut follower)?,
            }
        }
    }
}

/// What was deleted has no name any more but still events.
fn id(session: &Session, server: &str) -> Result<String, Failure> {
    match resolve::id(session, SERVER, server) {
        Err(Failure::NotFound { .. }) if server.len() >= 32 => Ok(server.to_owned()),
        other => other,
    }
}

/// Asks again until the cloud is back; only what waiting cannot change ends it.
fn resume(session: &Session, follower: &mut Follower) -> Result<(), Failure> {
    let mut pause = SOON;
    let mut said = false;
    loop {
        thread::sleep(pause);
        match follower.resume(session) {
            Ok(()) => return Ok(()),
            Err(
                Failure::Unreachable { .. }
                | Failure::Refused {
                    status: 500..=504, ..
                },
            ) => {}
            Err(failure) => return Err(failure),
        }
        if !said {
            said = true;
            let after = follower.position().unwrap_or_default();
            talk::say(&format!(
                "the cloud does not answer; going on after event {after} when it does"
            ));
        }
        pause = (pause * 2).min(LATER);
    }
}

fn line(event: &Value, format: Format) -> String {
    let payload = &event["payload"];
    match format {
        Format::Json => event.to_string(),
        Format::Value => columns(event, payload).join(" "),
        Format::Table => {
            let [at, id, name, kind, state] = columns(event, payload);
            format!("{at}  {id}  {name:<16}  {kind:<30}  {state}")
        }
    }
}

fn columns(event: &Value, payload: &Value) -> [String; 5] {
    let task = match payload["new_task_state"].as_str() {
        Some(task) => format!("/{task}"),
        None => String::new(),
    };
    let fault = match payload["fault"]["message"].as_str() {
        Some(message) => format!(": {message}"),
        None => String::new(),
    };
    [
        plain(event, "at").to_owned(),
        plain(event, "server").to_owned(),
        plain(payload, "display_name").to_owned(),
        plain(event, "kind").to_owned(),
        format!("{}{task}{fault}", plain(payload, "status")),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_when_what_and_how() {
        let event = json!({"seq": 4, "at": "2026-01-02T03:04:05.000006Z", "server": "s-1",
            "kind": "compute.instance.update", "payload": {"display_name": "vm1", "status": "BUILD",
            "new_task_state": "spawning", "fault": null}});
        assert_eq!(
            line(&event, Format::Value),
            "2026-01-02T03:04:05.000006Z s-1 vm1 compute.instance.update BUILD/spawning"
        );
        assert!(line(&event, Format::Json).contains("\"seq\":4"));
        let failed = json!({"payload": {"status": "ERROR", "fault": {"message": "no host"}}});
        assert!(line(&failed, Format::Table).ends_with("  ERROR: no host"));
    }
}
