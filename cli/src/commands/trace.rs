//! Trace: what happened to a server, hop by hop, drawn as a waterfall.

use std::fmt::Write;

use clap::Args;
use serde_json::Value;

use crate::{
    arguments::Context,
    failure::Failure,
    http::url::encode,
    output::{Format, cell::plain},
    resolve::{self, SERVER},
    session::Service,
};

/// The options.
#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// Its name or id
    server: String,
}

/// How many characters the time line has.
const WIDTH: i64 = 32;

impl Trace {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        // What was deleted has no name any more but still a trace.
        let id = match resolve::id(&session, SERVER, &self.server) {
            Err(Failure::NotFound { .. }) if self.server.len() >= 32 => self.server,
            other => other?,
        };
        let path = format!("/servers/{}/trace", encode(&id));
        let answer = session.get(Service::Operator, &path)?;
        let trace = &answer["trace"];
        match context.output.format {
            Format::Json => context.output.show(&[], trace),
            Format::Table | Format::Value => context.output.text(&waterfall(trace)),
        }
    }
}

/// Every operation, oldest first, with its hops.
fn waterfall(trace: &Value) -> String {
    let mut text = String::new();
    for operation in trace["operations"].as_array().into_iter().flatten() {
        if !text.is_empty() {
            text.push('\n');
        }
        draw(&mut text, operation);
    }
    if text.is_empty() {
        "nothing has happened to it yet\n".to_owned()
    } else {
        text
    }
}

fn draw(text: &mut String, operation: &Value) {
    let hops: Vec<&Value> = operation["hops"].as_array().into_iter().flatten().collect();
    let at = |hop: &Value| hop["at_us"].as_i64().unwrap_or_default();
    let start = hops.iter().map(|h| at(h)).min().unwrap_or_default();
    let end = hops.iter().map(|h| at(h)).max().unwrap_or_default();
    let _ = writeln!(text, "{}", heading(operation, end - start));
    for line in standing(operation) {
        let _ = writeln!(text, "  {line}");
    }
    let width = hops
        .iter()
        .map(|h| plain(h, "who").chars().count())
        .max()
        .unwrap_or_default();
    let mut before = start;
    for hop in hops {
        let now = at(hop);
        let detail = match plain(hop, "detail") {
            "" => String::new(),
            detail => format!("  ({detail})"),
        };
        let _ = writeln!(
            text,
            "{:>9.1} ms |{}| {:<width$}  {}{detail}",
            milliseconds(now - start),
            bar(before - start, now - start, end - start),
            plain(hop, "who"),
            plain(hop, "what"),
        );
        before = now.max(before);
    }
    if operation["fault"].is_object() {
        let fault = &operation["fault"];
        let _ = writeln!(
            text,
            "  fault: {} [{}]",
            plain(fault, "message"),
            plain(fault, "code")
        );
        if let Some(details) = fault["details"].as_str().filter(|text| !text.is_empty()) {
            let _ = writeln!(text, "  details: {details}");
        }
    }
}

/// `create: done in 812.4 ms on node-1 (req-…)`.
fn heading(operation: &Value, span: i64) -> String {
    let host = match operation["host"].as_str() {
        Some(host) => format!(" on {host}"),
        None => String::new(),
    };
    let attempts = match operation["attempts"].as_i64() {
        Some(n) if n > 1 => format!(", {n} attempts"),
        _ => String::new(),
    };
    format!(
        "{}: {} in {:.1} ms{host}{attempts}  ({})",
        plain(operation, "kind"),
        plain(operation, "step"),
        milliseconds(span),
        plain(operation, "request_id"),
    )
}

/// What is going on with it, and what was tried.
fn standing(operation: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let names = |key: &str| -> Vec<&str> {
        let all = operation[key].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).collect()
    };
    if let Some(at) = operation["retry_at"].as_str() {
        let deadline = plain(operation, "deadline");
        lines.push(format!(
            "goes on: looked after at {at} if nothing happens, and ended by {deadline}"
        ));
    }
    if let Some(who) = operation["looked_after_by"].as_str() {
        lines.push(format!("looked after last by {who}"));
    }
    let tried = names("tried");
    if !tried.is_empty() {
        lines.push(format!("failed on {}", tried.join(", ")));
    }
    lines
}

fn milliseconds(micros: i64) -> f64 {
    // Fifty years of microseconds fit exactly into 53 bits.
    micros as f64 / 1000.0
}

/// A bar from the hop before to this one.
fn bar(from: i64, to: i64, all: i64) -> String {
    let place = |at: i64| {
        if all > 0 {
            (at * WIDTH / all).clamp(0, WIDTH)
        } else {
            0
        }
    };
    let first = place(from).min(WIDTH - 1);
    let last = place(to).max(first + 1);
    (0..WIDTH)
        .map(|n| if (first..last).contains(&n) { '#' } else { ' ' })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_boot_is_drawn() {
        let hop = |at: i64, who: &str, what: &str, detail: &str| json!({"at_us": at, "who": who, "what": what, "detail": detail});
        let trace = json!({"server": "s", "operations": [{
            "kind": "create", "step": "done", "attempts": 1, "host": "node-1",
            "request_id": "req-1", "fault": null,
            "hops": [
                hop(1_000_000, "api", "accepted", ""),
                hop(1_002_000, "scheduler", "placed", "node-1 of 3"),
                hop(1_064_000, "compute@node-1", "qemu started", ""),
            ],
        }]});
        assert_eq!(
            waterfall(&trace),
            "\
create: done in 64.0 ms on node-1  (req-1)
      0.0 ms |#                               | api             accepted
      2.0 ms |#                               | scheduler       placed  (node-1 of 3)
     64.0 ms | ###############################| compute@node-1  qemu started
"
        );
    }

    #[test]
    fn what_goes_on_says_when_it_is_looked_after_and_what_was_tried() {
        let trace = json!({"operations": [{"kind": "create", "step": "placing", "attempts": 2, "hops": [],
            "request_id": "req-3", "fault": null, "tried": ["node-1"], "looked_after_by": "api@a",
            "retry_at": "2026-11-22T10:00:20Z", "deadline": "2026-11-22T10:10:00Z"}]});
        assert_eq!(
            waterfall(&trace),
            "\
create: placing in 0.0 ms, 2 attempts  (req-3)
  goes on: looked after at 2026-11-22T10:00:20Z if nothing happens, and ended by 2026-11-22T10:10:00Z
  looked after last by api@a
  failed on node-1
"
        );
    }

    #[test]
    fn a_fault_is_shown_with_its_code() {
        let trace = json!({"operations": [{"kind": "create", "step": "failed", "hops": [],
            "request_id": "req-2", "fault": {"code": "no-valid-host", "message": "node-1: RAM"}}]});
        assert!(waterfall(&trace).ends_with("  fault: node-1: RAM [no-valid-host]\n"));
    }

    #[test]
    fn nothing_is_said_in_words() {
        assert_eq!(
            waterfall(&json!({"operations": []})),
            "nothing has happened to it yet\n"
        );
    }
}
