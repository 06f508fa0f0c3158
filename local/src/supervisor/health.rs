//! Waiting until a process answers, or is known not to.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Board;
use crate::{DataDir, Error, ports::Ports};

/// How often one that is starting is asked. Nobody tells when a port is opened.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// A process that died so often while it was started has a fault that time does not mend.
const DEATHS: u32 = 3;

/// Waits until `ask` says that the process is well.
///
/// # Errors
/// When it keeps dying, or does not become well within `limit`; with its own last words.
pub(crate) async fn until_well<F>(
    data: &DataDir,
    board: &Board,
    name: &str,
    limit: Duration,
    mut ask: impl FnMut() -> F,
) -> Result<(), Error>
where
    F: Future<Output = Result<(), String>>,
{
    let begun = Instant::now();
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Err(reason) = ask().await else {
            return Ok(());
        };
        let process = board.process(name);
        let why = if process.restarts >= DEATHS {
            let how = process.last_end.unwrap_or_default();
            format!("it ended {} times ({how})", process.restarts)
        } else if begun.elapsed() > limit {
            format!("it was not well after {} s: {reason}", limit.as_secs())
        } else {
            continue;
        };
        let words = last_lines(data, name);
        let log = data.log(name);
        return Err(Error::DidNotComeUp {
            name: name.to_owned(),
            why: format!("{why}; the end of its log {}:\n{words}", log.display()),
        });
    }
}

/// Asks a role's health page.
///
/// # Errors
/// What is wrong, or that it does not answer.
pub async fn of_role(client: &reqwest::Client, ports: &Ports, role: &str) -> Result<(), String> {
    let url = format!("http://127.0.0.1:{}/healthz", ports.health(role));
    let answer = client
        .get(url)
        .send()
        .await
        .map_err(|_| "it does not answer".to_owned())?;
    if answer.status().is_success() {
        return Ok(());
    }
    let body: serde_json::Value = answer.json().await.unwrap_or_default();
    let problems: Vec<_> = body["problems"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|p| format!("{}: {}", text(&p["what"]), text(&p["why"])))
        .collect();
    Err(if problems.is_empty() {
        "it says it is unwell".to_owned()
    } else {
        problems.join("; ")
    })
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn last_lines(data: &DataDir, name: &str) -> String {
    let log = std::fs::read(data.log(name)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    let end = &lines[lines.len().saturating_sub(8)..];
    end.iter().map(|line| format!("    {line}\n")).collect()
}
