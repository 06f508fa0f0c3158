//! Security groups: who may reach a server, and which of them guard it.

use clap::Subcommand;
use serde_json::json;

use super::servers::act;
use crate::{
    arguments::Context,
    failure::Failure,
    output::{cell::word, table::Column},
    resolve::{self, SECURITY_GROUP, SERVER},
    session::{Service, Session},
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the security groups
    #[command(name = "secgroup-list")]
    List,
    /// Make a security group
    #[command(name = "secgroup-create")]
    Create {
        /// What it is to be called
        name: String,
        /// What it is for
        #[arg(default_value = "")]
        description: String,
    },
    /// Delete security groups
    #[command(name = "secgroup-delete")]
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        groups: Vec<String>,
    },
    /// Put a server under one more security group
    AddSecgroup {
        /// The server's name or id
        server: String,
        /// The security group's name or id
        group: String,
    },
    /// Take a server from under a security group
    RemoveSecgroup {
        /// The server's name or id
        server: String,
        /// The security group's name or id
        group: String,
    },
    /// List the security groups that guard a server
    ListSecgroup {
        /// The server's name or id
        server: String,
    },
}

const COLUMNS: [Column; 3] = [
    Column::new("ID", |g| word(g, "id")),
    Column::new("Name", |g| word(g, "name")),
    Column::new("Description", |g| word(g, "description")),
];

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        match self {
            Self::List => {
                let path = "/security-groups";
                let groups = session.list(Service::Network, path, "security_groups", None)?;
                context.output.list(&COLUMNS, &groups)
            }
            Self::Create { name, description } => {
                let body = json!({"security_group": {"name": name, "description": description}});
                let answer = session.post(Service::Network, "/security-groups", &body)?;
                context
                    .output
                    .list(&COLUMNS, &[answer["security_group"].clone()])
            }
            Self::Delete { groups } => super::each(&groups, |group| {
                let id = resolve::id(&session, SECURITY_GROUP, group)?;
                session.delete(Service::Network, &SECURITY_GROUP.path_of(&id))
            }),
            Self::AddSecgroup { server, group } => {
                change(&session, "addSecurityGroup", &server, &group)
            }
            Self::RemoveSecgroup { server, group } => {
                change(&session, "removeSecurityGroup", &server, &group)
            }
            Self::ListSecgroup { server } => {
                let id = resolve::id(&session, SERVER, &server)?;
                let path = format!("{}/os-security-groups", SERVER.path_of(&id));
                let mut answer = session.get(Service::Compute, &path)?;
                let groups = answer["security_groups"].take();
                let groups = groups.as_array().cloned().unwrap_or_default();
                context.output.list(&COLUMNS, &groups)
            }
        }
    }
}

/// Names the group by its id: of two with one name the API could not tell which is meant, and here both
/// are shown.
fn change(session: &Session, action: &str, server: &str, group: &str) -> Result<(), Failure> {
    let id = resolve::id(session, SERVER, server)?;
    let group = resolve::id(session, SECURITY_GROUP, group)?;
    act(session, &id, &json!({action: {"name": group}})).map(drop)
}
