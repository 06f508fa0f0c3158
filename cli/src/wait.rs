//! Waiting until a server is as it was asked to be (`--poll`).
//!
//! The server's events are followed where the cloud pushes them. An event only says that it is time to look; what
//! a look at the server shows decides. Where there are none, or the stream breaks, it is asked again and again.
//!
//! The cloud ends every operation within its deadline, in success or in a fault, so that there is no
//! time limit here. A cloud that does not answer for a while is waited for: what was accepted goes on.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    failure::Failure,
    follow::{Follower, News, Wanted},
    output::{
        cell::{plain, text},
        progress::Waiting,
    },
    resolve,
    session::{Service, Session},
};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// It runs.
    Active,
    /// It is off.
    Off,
    /// It is gone.
    Gone,
}

/// What a look at a server says about the goal.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Reached,
    NotYet,
    Failed,
}

const OFTEN: Duration = Duration::from_millis(200);
const SELDOM: Duration = Duration::from_secs(1);
/// An API that does not answer for so long ends the waiting.
const SILENCE: Duration = Duration::from_secs(60);

/// Waits for `goal`; gives the server as it was seen last (null when it is gone).
pub(crate) fn until(session: &Session, id: &str, goal: Goal) -> Result<Value, Failure> {
    let mut line = Waiting::start();
    // Before the first look: what happens after it is among the events.
    let wanted = Wanted {
        servers: vec![id.to_owned()],
        ..Wanted::default()
    };
    let mut pushed = Follower::begin(session, wanted).ok();
    let mut pause = OFTEN;
    let mut heard = Instant::now();
    loop {
        match session.get(Service::Compute, &resolve::SERVER.path_of(id)) {
            Ok(mut answer) => {
                heard = Instant::now();
                let server = answer["server"].take();
                line.at(&describe(&server));
                match verdict(&server, goal) {
                    Verdict::Reached => return Ok(server),
                    Verdict::Failed => return Err(failed(&server)),
                    Verdict::NotYet => {}
                }
            }
            Err(failure) if failure.is_not_found() && goal == Goal::Gone => return Ok(Value::Null),
            Err(failure) if failure.is_not_found() => {
                return Err(Failure::Unfulfilled {
                    problem: format!("server {id} was deleted meanwhile"),
                    next: "boot it again if that was not meant".to_owned(),
                });
            }
            Err(
                Failure::Unreachable { .. }
                | Failure::Refused {
                    status: 502..=504, ..
                },
            ) if heard.elapsed() < SILENCE => {
                line.at("the cloud does not answer at the moment; waiting for it");
            }
            Err(failure) => return Err(failure),
        }
        if let Some(follower) = &mut pushed {
            let look = is_worth_a_look(follower, &mut line, goal);
            // The cloud was there until now.
            heard = Instant::now();
            if look {
                continue;
            }
            pushed = None;
        }
        thread::sleep(pause);
        pause = (pause * 5 / 4).min(SELDOM);
    }
}

/// Follows the events until one of them may decide, or nothing was heard for a while; false when the stream
/// is over.
fn is_worth_a_look(follower: &mut Follower, line: &mut Waiting, goal: Goal) -> bool {
    loop {
        match follower.next() {
            News::Event(event) => {
                let server = as_server(&event["payload"]);
                line.at(&describe(&server));
                if verdict(&server, goal) != Verdict::NotYet {
                    return true;
                }
            }
            News::Gap(_) | News::Alive => return true,
            News::Lost => return false,
        }
    }
}

/// What an event says of a server, in the Compute API's words.
fn as_server(payload: &Value) -> Value {
    json!({
        "name": payload["display_name"],
        "status": payload["status"],
        "OS-EXT-STS:task_state": payload["new_task_state"],
    })
}

fn describe(server: &Value) -> String {
    let task = match server["OS-EXT-STS:task_state"].as_str() {
        Some(task) => format!(", {task}"),
        None => String::new(),
    };
    format!(
        "{}: {}{task}",
        plain(server, "name"),
        plain(server, "status")
    )
}

fn verdict(server: &Value, goal: Goal) -> Verdict {
    if !server["OS-EXT-STS:task_state"].is_null() {
        return Verdict::NotYet;
    }
    match (plain(server, "status"), goal) {
        ("ACTIVE", Goal::Active) | ("SHUTOFF", Goal::Off) | ("DELETED", Goal::Gone) => {
            Verdict::Reached
        }
        ("ERROR", Goal::Active | Goal::Off) | ("PAUSED", Goal::Active) => Verdict::Failed,
        // It came up and was off before it was looked at again, or the other way round.
        ("SHUTOFF", Goal::Active) | ("ACTIVE", Goal::Off) => Verdict::Failed,
        _ => Verdict::NotYet,
    }
}

fn failed(server: &Value) -> Failure {
    let name = plain(server, "name");
    let status = plain(server, "status");
    let problem = match &server["fault"]["message"] {
        Value::Null => format!("server {name:?} is in status {status} now"),
        message => format!("server {name:?} is in status {status}: {}", text(message)),
    };
    let id = plain(server, "id");
    Failure::Unfulfilled {
        problem,
        next: format!("`skybus trace {id}` shows what was tried"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_goes_on_is_waited_for() {
        let server = json!({"status": "ACTIVE", "OS-EXT-STS:task_state": "powering-off"});
        assert_eq!(verdict(&server, Goal::Off), Verdict::NotYet);
        assert_eq!(
            verdict(&json!({"status": "SHUTOFF"}), Goal::Off),
            Verdict::Reached
        );
    }

    #[test]
    fn an_error_ends_it_with_the_fault() {
        let server = json!({"id": "1", "name": "vm1", "status": "ERROR",
            "fault": {"code": 500, "message": "no host has 64 GiB of memory free"}});
        assert_eq!(verdict(&server, Goal::Active), Verdict::Failed);
        let failure = failed(&server);
        assert_eq!(failure.code(), 6);
        assert_eq!(
            failure.to_string(),
            "server \"vm1\" is in status ERROR: no host has 64 GiB of memory free"
        );
    }

    #[test]
    fn a_delete_waits_through_every_other_state() {
        assert_eq!(
            verdict(&json!({"status": "ERROR"}), Goal::Gone),
            Verdict::NotYet
        );
        assert_eq!(
            verdict(&json!({"status": "BUILD"}), Goal::Active),
            Verdict::NotYet
        );
    }
}
