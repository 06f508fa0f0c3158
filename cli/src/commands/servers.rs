//! Servers: listing, showing, renaming, deleting.

use clap::Subcommand;
use serde_json::{Value, json};

use super::fields;
use crate::{
    arguments::Context,
    failure::Failure,
    http::url::with_query,
    output::{
        cell::{addresses, plain, power, text, word},
        table::Column,
    },
    resolve::{self, SERVER},
    session::{Service, Session},
    wait::{self, Goal},
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the servers
    List {
        /// Those of every project (administrators)
        #[arg(long, alias = "all_tenants")]
        all_tenants: bool,
        /// Those in this status, e.g. ACTIVE
        #[arg(long)]
        status: Option<String>,
        /// Those with this in their name
        #[arg(long)]
        name: Option<String>,
        /// So many at most
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Show one server
    Show {
        /// Its name or id
        server: String,
    },
    /// Give a server another name
    Rename {
        /// Its name or id
        server: String,
        /// What it is to be called
        name: String,
    },
    /// Delete servers
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        servers: Vec<String>,
        /// Wait until they are gone
        #[arg(long)]
        poll: bool,
    },
    /// Delete servers at once, whatever they are doing
    ForceDelete {
        /// Their names or ids
        #[arg(required = true)]
        servers: Vec<String>,
    },
    /// Set a server's state by hand (administrators)
    ResetState {
        /// To ACTIVE instead of ERROR
        #[arg(long)]
        active: bool,
        /// Their names or ids
        #[arg(required = true)]
        servers: Vec<String>,
    },
}

/// What a list shows.
pub(crate) const COLUMNS: [Column; 6] = [
    Column::new("ID", |s| word(s, "id")),
    Column::new("Name", |s| word(s, "name")),
    Column::new("Status", |s| word(s, "status")),
    Column::new("Task State", |s| word(s, "OS-EXT-STS:task_state")),
    Column::new("Power State", power),
    Column::new("Networks", addresses),
];

const TENANT: Column = Column::new("Tenant ID", |s| word(s, "tenant_id"));

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        match self {
            Self::List {
                all_tenants,
                status,
                name,
                limit,
            } => {
                let limit_text = limit.map(|n| n.to_string());
                let query = [
                    ("all_tenants", all_tenants.then_some("1")),
                    ("status", status.as_deref()),
                    ("name", name.as_deref()),
                    ("limit", limit_text.as_deref()),
                ];
                let path = with_query("/servers/detail", &query);
                let servers = session.list(Service::Compute, &path, "servers", limit)?;
                let mut columns = COLUMNS.to_vec();
                if all_tenants {
                    columns.insert(2, TENANT);
                }
                context.output.list(&columns, &servers)
            }
            Self::Show { server } => {
                let server = resolve::object(&session, SERVER, &server)?;
                show(context, &session, &server)
            }
            Self::Rename { server, name } => {
                let id = resolve::id(&session, SERVER, &server)?;
                let body = json!({"server": {"name": name}});
                session
                    .put(Service::Compute, &SERVER.path_of(&id), &body)
                    .map(drop)
            }
            Self::Delete { servers, poll } => super::each(&servers, |server| {
                let id = resolve::id(&session, SERVER, server)?;
                session.delete(Service::Compute, &SERVER.path_of(&id))?;
                if poll {
                    wait::until(&session, &id, Goal::Gone)?;
                }
                Ok(())
            }),
            Self::ForceDelete { servers } => super::each(&servers, |server| {
                let id = resolve::id(&session, SERVER, server)?;
                act(&session, &id, &json!({"forceDelete": null})).map(drop)
            }),
            Self::ResetState { active, servers } => super::each(&servers, |server| {
                let id = resolve::id(&session, SERVER, server)?;
                let state = if active { "active" } else { "error" };
                act(&session, &id, &json!({"os-resetState": {"state": state}})).map(drop)
            }),
        }
    }
}

/// One server, by its id.
pub(crate) fn read(session: &Session, id: &str) -> Result<Value, Failure> {
    Ok(session.get(Service::Compute, &SERVER.path_of(id))?["server"].take())
}

/// Asks a server to do something.
pub(crate) fn act(session: &Session, id: &str, action: &Value) -> Result<Value, Failure> {
    session.post(
        Service::Compute,
        &format!("{}/action", SERVER.path_of(id)),
        action,
    )
}

/// Shows a server: what it is first, then the rest.
pub(crate) fn show(context: &Context, session: &Session, server: &Value) -> Result<(), Failure> {
    let mut rows = fields(server);
    rows.retain(|(name, _)| !matches!(name.as_str(), "addresses" | "flavor" | "image" | "fault"));
    for (network, list) in server["addresses"].as_object().into_iter().flatten() {
        let ips = list
            .as_array()
            .into_iter()
            .flatten()
            .map(|a| plain(a, "addr"));
        rows.push((
            format!("{network} network"),
            ips.collect::<Vec<_>>().join(", "),
        ));
    }
    rows.push(("flavor".to_owned(), flavor(session, &server["flavor"])));
    rows.push(("image".to_owned(), image(session, &server["image"])));
    if let Some(fault) = server["fault"].as_object() {
        rows.push((
            "fault".to_owned(),
            fault.get("message").map(text).unwrap_or_default(),
        ));
        if let Some(code) = fault.get("skybus:code").and_then(Value::as_str) {
            let said = format!("{code} (see docs/errors/{code}.md)");
            rows.push(("fault code".to_owned(), said));
        }
        if let Some(details) = fault.get("details").filter(|d| d.as_str() != Some("")) {
            rows.push(("fault details".to_owned(), text(details)));
        }
    }
    rows.sort();
    context.output.show(&rows, server)
}

/// `m1.tiny (1)`; later versions of the API say the name, earlier ones only the id.
fn flavor(session: &Session, flavor: &Value) -> String {
    if flavor["original_name"].is_string() {
        return word(flavor, "original_name");
    }
    let id = plain(flavor, "id");
    match session.get(Service::Compute, &resolve::FLAVOR.path_of(id)) {
        Ok(answer) => format!("{} ({id})", word(&answer["flavor"], "name")),
        Err(_) => id.to_owned(),
    }
}

/// `debian (4f3c…)`; the image may be gone.
fn image(session: &Session, image: &Value) -> String {
    let id = plain(image, "id");
    match session.get(Service::Image, &resolve::IMAGE.path_of(id)) {
        Ok(answer) => format!("{} ({id})", word(&answer, "name")),
        Err(_) => id.to_owned(),
    }
}
