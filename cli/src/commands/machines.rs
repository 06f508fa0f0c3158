//! Machines of the cloud: invite one, list them, drain one, remove one (administrators).

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::{
    arguments::Context,
    failure::Failure,
    http::url::encode,
    output::{
        Format,
        cell::{plain, word},
        table::Column,
        talk,
    },
    session::Service,
};

/// What a machine may be added for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// Guests and their networks
    Compute,
    /// One more scheduler (needs PostgreSQL)
    Scheduler,
    /// One more API server (needs PostgreSQL, and the images' directory shared)
    Api,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print a token with which a machine joins this cloud: `skybus join TOKEN` there
    ///
    /// It is good once and for an hour, and shown once; another one for the same name replaces it.
    Add {
        /// What the machine is to be called
        name: String,
        /// What it is to run
        #[arg(long, value_enum, default_value = "compute")]
        role: Role,
    },
    /// List the machines, with what runs on them
    List,
    /// Keep new servers away from a host; those that are there stay
    Drain {
        /// The host
        name: String,
        /// Let new servers go there again
        #[arg(long)]
        undo: bool,
    },
    /// Take a machine away: its rows, its queues and its accounts on the broker
    Remove {
        /// The machine
        name: String,
    },
}

const HOSTS: [Column; 7] = [
    Column::new("Name", |h| word(h, "name")),
    Column::new("Role", |h| word(h, "role")),
    Column::new("State", state),
    Column::new("Services", services),
    Column::new("Servers", |h| word(h, "servers")),
    Column::new("Zone", zones),
    Column::new("Seen", |h| word(h, "seen")),
];

fn state(host: &Value) -> String {
    let state = plain(host, "state");
    let drained = host["drained"].as_bool().unwrap_or_default();
    match (drained, host["servers"].as_i64()) {
        (false, _) => state.to_owned(),
        (true, Some(1..)) => format!("{state}, draining"),
        (true, _) => format!("{state}, drained"),
    }
}

/// `compute up, network up`; where a machine plays many hosts, how many of each are up.
fn services(host: &Value) -> String {
    let all = host["services"].as_array().cloned().unwrap_or_default();
    let mut kinds: Vec<&str> = all.iter().map(|one| plain(one, "service")).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let said = kinds.into_iter().map(|kind| {
        let of_kind = all.iter().filter(|one| plain(one, "service") == kind);
        let states: Vec<&str> = of_kind.map(|one| plain(one, "state")).collect();
        let up = states.iter().filter(|state| **state == "up").count();
        match states.as_slice() {
            [one] => format!("{kind} {one}"),
            all => format!("{kind} {up} of {} up", all.len()),
        }
    });
    said.collect::<Vec<_>>().join(", ")
}

fn zones(host: &Value) -> String {
    let zones = host["zones"].as_array().cloned().unwrap_or_default();
    let zones: Vec<&str> = zones.iter().filter_map(Value::as_str).collect();
    zones.join(", ")
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        let path = |name: &str| format!("/hosts/{}", encode(name));
        match self {
            Self::Add { name, role } => {
                let role = role.to_possible_value();
                let role = role.as_ref().map(clap::builder::PossibleValue::get_name);
                let answer =
                    session.put(Service::Operator, &path(&name), &json!({ "role": role }))?;
                let host = &answer["host"];
                if context.output.format == Format::Json {
                    return context.output.show(&super::fields(host), host);
                }
                talk::say(&format!(
                    "on {name}, until {}, once: skybus join TOKEN, with this token:",
                    plain(host, "expires_at")
                ));
                context.output.text(&format!("{}\n", plain(host, "token")))
            }
            Self::List => {
                let answer = session.get(Service::Operator, "/hosts")?;
                let hosts = answer["hosts"].as_array().cloned().unwrap_or_default();
                context.output.list(&HOSTS, &hosts)
            }
            Self::Drain { name, undo } => {
                let path = format!("{}/drain", path(&name));
                let answer = session.post(Service::Operator, &path, &json!({ "drain": !undo }))?;
                let host = &answer["host"];
                if context.output.format == Format::Json {
                    return context.output.show(&super::fields(host), host);
                }
                context
                    .output
                    .text(&drained(&name, undo, host["servers"].as_i64()))
            }
            Self::Remove { name } => session.delete(Service::Operator, &path(&name)),
        }
    }
}

fn drained(name: &str, undo: bool, servers: Option<i64>) -> String {
    match (undo, servers.unwrap_or_default()) {
        (true, _) => format!("new servers may go to {name} again\n"),
        (false, 0) => format!("no new servers go to {name}; it has none\n"),
        (false, 1) => {
            format!("no new servers go to {name}; 1 is left there, and nothing moves it\n")
        }
        (false, n) => {
            format!("no new servers go to {name}; {n} are left there, and nothing moves them\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_shown_with_what_it_runs() {
        let one = |kind: &str, state: &str| json!({ "service": kind, "state": state });
        let host = json!({
            "state": "joined", "drained": true, "servers": 2, "zones": ["nova"],
            "services": [one("network", "up"), one("compute", "down")],
        });
        assert_eq!(state(&host), "joined, draining");
        assert_eq!(services(&host), "compute down, network up");
        assert_eq!(zones(&host), "nova");
        let many = json!({ "state": "joined", "services": [one("compute", "down"), one("compute", "up")] });
        assert_eq!(services(&many), "compute 1 of 2 up");
        assert_eq!(state(&many), "joined");
    }
}
