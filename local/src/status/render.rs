//! The answer as text.

use comfy_table::{Table, presets::NOTHING};

use super::Report;

/// For programs.
pub(super) fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

/// For people.
pub(super) fn table(report: &Report) -> String {
    let mut text = format!(
        "skybus in {}: {}, {}\n\n",
        report.data_dir.display(),
        format!("{:?}", report.phase).to_lowercase(),
        report.url
    );
    let mut roles = plain(&["ROLE", "PID", "UP", "RESTARTS", "HEALTH"]);
    for role in &report.roles {
        roles.add_row([
            role.name.clone(),
            role.pid
                .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            role.uptime_seconds.map_or_else(|| "-".to_owned(), length),
            role.restarts.to_string(),
            role.health.clone(),
        ]);
    }
    text.push_str(&format!("{roles}\n"));
    if let Some(hosts) = &report.hosts {
        let mut table = plain(&["HOST", "SERVICE", "STATUS", "STATE"]);
        for host in hosts {
            table.add_row([&host.host, &host.binary, &host.status, &host.state]);
        }
        text.push_str(&format!("\n{table}\n"));
    }
    if let Some(queues) = &report.queues {
        let mut table = plain(&["QUEUE", "MESSAGES", "TAKEN", "CONSUMERS"]);
        for queue in queues {
            table.add_row([
                queue.name.clone(),
                queue.messages.to_string(),
                queue.messages_unacknowledged.to_string(),
                queue.consumers.to_string(),
            ]);
        }
        text.push_str(&format!("\n{table}\n"));
    }
    if report.problems.is_empty() {
        text.push_str("\nnothing is wrong\n");
    } else {
        text.push_str("\nwhat is wrong:\n");
        for problem in &report.problems {
            text.push_str(&format!("  - {problem}\n"));
        }
    }
    text
}

fn plain(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_header(header.iter().copied());
    table
}

fn length(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{state::Phase, status::Role};

    #[test]
    fn a_dead_role_is_seen_and_named_among_the_problems() {
        let role = Role {
            name: "compute".to_owned(),
            pid: None,
            uptime_seconds: None,
            restarts: 4,
            health: "it does not run".to_owned(),
        };
        let report = Report {
            data_dir: "/srv/cloud".into(),
            url: "http://127.0.0.1:8774".to_owned(),
            phase: Phase::Running,
            supervisor: None,
            roles: vec![role],
            hosts: None,
            queues: None,
            problems: vec!["compute: it does not run".to_owned()],
        };
        let text = table(&report);
        assert!(
            text.contains("compute") && text.contains("what is wrong"),
            "{text}"
        );
        let json: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
        assert_eq!(json["roles"][0]["restarts"], 4);
        assert_eq!(json["phase"], "running");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            [5, 61, 7260, 90_000].map(length),
            ["5 s", "1 min", "2 h 1 min", "1 d 1 h"]
        );
    }
}
