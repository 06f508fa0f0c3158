//! Quotas: how much a project may have.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::fields;
use crate::{
    arguments::Context,
    failure::Failure,
    http::url::encode,
    output::cell::text,
    resolve::{self, PROJECT},
    session::{Service, Session},
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what a project may have, and what it has
    QuotaShow {
        /// The project's name or id; one's own when none is named
        #[arg(long, alias = "tenant")]
        project: Option<String>,
    },
    /// Change what a project may have (administrators)
    QuotaUpdate {
        /// The project's name or id
        project: String,
        #[command(flatten)]
        limits: Limits,
    },
}

/// The limits; -1 stands for no limit.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Limits {
    /// Servers
    #[arg(long, allow_negative_numbers = true)]
    instances: Option<i64>,
    /// Virtual CPUs
    #[arg(long, allow_negative_numbers = true)]
    cores: Option<i64>,
    /// Memory, MiB
    #[arg(long, allow_negative_numbers = true)]
    ram: Option<i64>,
    /// Keypairs of a user
    #[arg(long, alias = "key_pairs", allow_negative_numbers = true)]
    key_pairs: Option<i64>,
    /// Metadata keys of a server
    #[arg(long, alias = "metadata_items", allow_negative_numbers = true)]
    metadata_items: Option<i64>,
    /// Floating IPs
    #[arg(long, alias = "floating_ips", allow_negative_numbers = true)]
    floating_ips: Option<i64>,
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        match self {
            Self::QuotaShow { project } => {
                let id = match project {
                    Some(project) => resolve::id(&session, PROJECT, &project)?,
                    None => session.project(),
                };
                let quota = read(&session, &id)?;
                context.output.show(&rows(&quota), &quota)
            }
            Self::QuotaUpdate { project, limits } => {
                let id = resolve::id(&session, PROJECT, &project)?;
                let body = json!({"quota_set": limits.body()});
                session.put(
                    Service::Compute,
                    &format!("/os-quota-sets/{}", encode(&id)),
                    &body,
                )?;
                let quota = read(&session, &id)?;
                context.output.show(&rows(&quota), &quota)
            }
        }
    }
}

fn read(session: &Session, project: &str) -> Result<Value, Failure> {
    let path = format!("/os-quota-sets/{}/detail", encode(project));
    Ok(session.get(Service::Compute, &path)?["quota_set"].take())
}

/// `cores: 3 of 20`.
fn rows(quota: &Value) -> Vec<(String, String)> {
    let amount = |n: &Value| {
        if n.as_i64() == Some(-1) {
            "unlimited".to_owned()
        } else {
            text(n)
        }
    };
    let objects = quota
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, v)| v.is_object());
    let mut rows: Vec<(String, String)> = objects
        .map(|(name, v)| {
            (
                name.clone(),
                format!("{} of {}", text(&v["in_use"]), amount(&v["limit"])),
            )
        })
        .collect();
    rows.extend(
        fields(quota)
            .into_iter()
            .filter(|(name, _)| !quota[name.as_str()].is_object()),
    );
    rows.sort();
    rows
}

impl Limits {
    fn body(&self) -> Map<String, Value> {
        [
            ("instances", self.instances),
            ("cores", self.cores),
            ("ram", self.ram),
            ("key_pairs", self.key_pairs),
            ("metadata_items", self.metadata_items),
            ("floating_ips", self.floating_ips),
        ]
        .into_iter()
        .filter_map(|(name, limit)| Some((name.to_owned(), json!(limit?))))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_and_limit_stand_together() {
        let quota = json!({"id": "p", "cores": {"in_use": 3, "limit": 20, "reserved": 0},
            "ram": {"in_use": 0, "limit": -1, "reserved": 0}});
        assert_eq!(
            rows(&quota),
            [
                ("cores".to_owned(), "3 of 20".to_owned()),
                ("id".to_owned(), "p".to_owned()),
                ("ram".to_owned(), "0 of unlimited".to_owned()),
            ]
        );
    }
}
