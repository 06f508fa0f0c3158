//! Hosts and the services on them (administrators).

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    arguments::Context,
    failure::Failure,
    output::{
        cell::{plain, text, word},
        table::Column,
    },
    session::{Service, Session},
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the hosts that run servers, and what of them is used
    HypervisorList,
    /// List the services
    ServiceList,
    /// Give a host no new servers
    ServiceDisable {
        /// Its name
        host: String,
        /// The service
        #[arg(default_value = "nova-compute")]
        binary: String,
        /// Why, for the next operator
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let a host have new servers again
    ServiceEnable {
        /// Its name
        host: String,
        /// The service
        #[arg(default_value = "nova-compute")]
        binary: String,
    },
    /// Say that a host is down without waiting until it is noticed
    ServiceForceDown {
        /// Take it back
        #[arg(long)]
        unset: bool,
        /// Its name
        host: String,
        /// The service
        #[arg(default_value = "nova-compute")]
        binary: String,
    },
}

const HYPERVISORS: [Column; 8] = [
    Column::new("ID", |h| word(h, "id")),
    Column::new("Hypervisor hostname", |h| word(h, "hypervisor_hostname")),
    Column::new("Type", |h| word(h, "hypervisor_type")),
    Column::new("State", |h| word(h, "state")),
    Column::new("Status", |h| word(h, "status")),
    Column::new("vCPUs", |h| used(h, "vcpus_used", "vcpus")),
    Column::new("RAM MiB", |h| used(h, "memory_mb_used", "memory_mb")),
    Column::new("Servers", |h| word(h, "running_vms")),
];

const SERVICES: [Column; 9] = [
    Column::new("Id", |s| word(s, "id")),
    Column::new("Binary", |s| word(s, "binary")),
    Column::new("Host", |s| word(s, "host")),
    Column::new("Zone", |s| word(s, "zone")),
    Column::new("Status", |s| word(s, "status")),
    Column::new("State", |s| word(s, "state")),
    Column::new("Updated_at", |s| word(s, "updated_at")),
    Column::new("Disabled Reason", |s| word(s, "disabled_reason")),
    Column::new("Forced down", |s| word(s, "forced_down")),
];

/// What a network worker found that its host cannot carry, and why. Only skybus says so.
const LACKS: Column = Column::new("Lacks", lacks);

/// Adds to each service what its host can carry, where the cloud says so. Other clouds have no such list.
fn add_carries(session: &Session, services: &mut [Value]) {
    let Ok(answer) = session.get(Service::Operator, "/hosts") else {
        return;
    };
    let machines = answer["hosts"].as_array().into_iter().flatten();
    let told: Vec<&Value> = machines
        .flat_map(|machine| machine["services"].as_array().into_iter().flatten())
        .filter(|one| one["carries"].is_object())
        .collect();
    for service in services {
        let is_this = |one: &&&Value| {
            one["host"] == service["host"]
                && plain(service, "binary").ends_with(plain(one, "service"))
        };
        if let Some(one) = told.iter().find(is_this) {
            service["carries"] = one["carries"].clone();
        }
    }
}

fn lacks(service: &Value) -> String {
    let lacks = service["carries"]["lacks"].as_object();
    let each = lacks.into_iter().flatten();
    let all: Vec<String> = each
        .map(|(kind, why)| format!("{kind}: {}", text(why)))
        .collect();
    if all.is_empty() {
        "-".to_owned()
    } else {
        all.join("; ")
    }
}

fn used(host: &Value, used: &str, all: &str) -> String {
    format!("{} of {}", word(host, used), word(host, all))
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        let set = |word: &str, body: Value| {
            session
                .put(Service::Compute, &format!("/os-services/{word}"), &body)
                .map(drop)
        };
        match self {
            Self::HypervisorList => {
                let path = "/os-hypervisors/detail";
                let hosts = session.list(Service::Compute, path, "hypervisors", None)?;
                context.output.list(&HYPERVISORS, &hosts)
            }
            Self::ServiceList => {
                let mut services =
                    session.list(Service::Compute, "/os-services", "services", None)?;
                add_carries(&session, &mut services);
                let mut columns = SERVICES.to_vec();
                if services.iter().any(|one| one.get("carries").is_some()) {
                    columns.push(LACKS);
                }
                context.output.list(&columns, &services)
            }
            Self::ServiceDisable {
                host,
                binary,
                reason: None,
            } => set("disable", json!({"host": host, "binary": binary})),
            Self::ServiceDisable {
                host,
                binary,
                reason: Some(reason),
            } => {
                let body = json!({"host": host, "binary": binary, "disabled_reason": reason});
                set("disable-log-reason", body)
            }
            Self::ServiceEnable { host, binary } => {
                set("enable", json!({"host": host, "binary": binary}))
            }
            Self::ServiceForceDown {
                unset,
                host,
                binary,
            } => {
                let body = json!({"host": host, "binary": binary, "forced_down": !unset});
                session
                    .put_at("2.11", "/os-services/force-down", &body)
                    .map(drop)
            }
        }
    }
}
