//! Security groups: who may reach a server.

use clap::Subcommand;
use serde_json::json;

use crate::{
    arguments::Context,
    failure::Failure,
    output::{cell::word, table::Column},
    resolve::{self, SECURITY_GROUP},
    session::Service,
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
        }
    }
}
