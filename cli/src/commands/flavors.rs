//! Flavors: the sizes that servers come in.

use clap::Subcommand;
use serde_json::json;

use super::fields;
use crate::{
    arguments::Context,
    failure::Failure,
    output::{cell::word, table::Column},
    resolve::{self, FLAVOR},
    session::Service,
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the flavors
    #[command(name = "flavor-list")]
    List,
    /// Show one flavor
    #[command(name = "flavor-show")]
    Show {
        /// Its name or id
        flavor: String,
    },
    /// Make a flavor (administrators)
    #[command(name = "flavor-create")]
    Create {
        /// What it is to be called
        name: String,
        /// Its id; `auto` chooses one
        id: String,
        /// Memory, MiB
        ram: u32,
        /// Disk, GiB; 0 takes the size of the image
        disk: u32,
        /// Virtual CPUs
        vcpus: u32,
    },
    /// Delete flavors (administrators)
    #[command(name = "flavor-delete")]
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        flavors: Vec<String>,
    },
}

const COLUMNS: [Column; 6] = [
    Column::new("ID", |f| word(f, "id")),
    Column::new("Name", |f| word(f, "name")),
    Column::new("Memory_MB", |f| word(f, "ram")),
    Column::new("Disk", |f| word(f, "disk")),
    Column::new("VCPUs", |f| word(f, "vcpus")),
    Column::new("Is_Public", |f| word(f, "os-flavor-access:is_public")),
];

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        match self {
            Self::List => {
                let flavors = session.list(Service::Compute, "/flavors/detail", "flavors", None)?;
                context.output.list(&COLUMNS, &flavors)
            }
            Self::Show { flavor } => {
                let flavor = resolve::object(&session, FLAVOR, &flavor)?;
                context.output.show(&fields(&flavor), &flavor)
            }
            Self::Create {
                name,
                id,
                ram,
                disk,
                vcpus,
            } => {
                let id = (id != "auto").then_some(id);
                let flavor =
                    json!({"name": name, "id": id, "ram": ram, "disk": disk, "vcpus": vcpus});
                let answer =
                    session.post(Service::Compute, "/flavors", &json!({"flavor": flavor}))?;
                context
                    .output
                    .show(&fields(&answer["flavor"]), &answer["flavor"])
            }
            Self::Delete { flavors } => super::each(&flavors, |flavor| {
                let id = resolve::id(&session, FLAVOR, flavor)?;
                session.delete(Service::Compute, &FLAVOR.path_of(&id))
            }),
        }
    }
}
