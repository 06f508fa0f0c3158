//! Ranges of numbers that networks of projects are carried under, in the Network API's own resource.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Numbered, PHYSICAL};
use crate::{
    arguments::Context,
    commands::each,
    failure::Failure,
    output::{cell::word, table::Column},
    resolve::{self, SEGMENT_RANGE},
    session::Service,
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a range: networks that projects make from now on get their numbers out of it
    Create {
        /// What it is to be called
        name: String,
        /// Of which kind of segments
        #[arg(long = "type", value_enum, value_name = "KIND")]
        kind: Numbered,
        /// The physical network that the VLANs are on [default: physnet1]
        #[arg(long, value_name = "NAME")]
        physical: Option<String>,
        /// The first number
        #[arg(long, value_name = "N")]
        minimum: u32,
        /// The last number
        #[arg(long, value_name = "N")]
        maximum: u32,
    },
    /// List the ranges, with how much of each is used
    List,
    /// Delete ranges of which no network has a number
    Delete {
        /// Their names or ids
        #[arg(required = true)]
        ranges: Vec<String>,
    },
}

const COLUMNS: [Column; 8] = [
    Column::new("ID", |r| word(r, "id")),
    Column::new("Name", |r| word(r, "name")),
    Column::new("Type", |r| word(r, "network_type")),
    Column::new("Physical Network", |r| word(r, "physical_network")),
    Column::new("Minimum", |r| word(r, "minimum")),
    Column::new("Maximum", |r| word(r, "maximum")),
    Column::new("Used", |r| used(r).to_string()),
    Column::new("Available", available),
];

fn used(range: &Value) -> usize {
    range["used"].as_object().map_or(0, serde_json::Map::len)
}

/// Counted from the ends: of a long range the cloud does not list all that is free.
fn available(range: &Value) -> String {
    let (first, last) = (range["minimum"].as_u64(), range["maximum"].as_u64());
    let all = first
        .zip(last)
        .and_then(|(first, last)| (last + 1).checked_sub(first));
    let left = all.and_then(|all| all.checked_sub(u64::try_from(used(range)).ok()?));
    left.map_or_else(|| "-".to_owned(), |left| left.to_string())
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Create {
                name,
                kind,
                physical,
                minimum,
                maximum,
            } => {
                let mut range = json!({"name": name, "network_type": kind.word(), "minimum": minimum,
                    "maximum": maximum, "shared": true});
                if let Some(physical) = physical_of(kind, physical)? {
                    range["physical_network"] = json!(physical);
                }
                let body = json!({ "network_segment_range": range });
                let session = context.session()?;
                let answer = session.post(Service::Network, "/network_segment_ranges", &body)?;
                let made = answer["network_segment_range"].clone();
                context.output.list(&COLUMNS, &[made])
            }
            Self::List => {
                let (path, key) = ("/network_segment_ranges", "network_segment_ranges");
                let all = context.session()?.list(Service::Network, path, key, None)?;
                context.output.list(&COLUMNS, &all)
            }
            Self::Delete { ranges } => {
                let session = context.session()?;
                each(&ranges, |range| {
                    let id = resolve::id(&session, SEGMENT_RANGE, range)?;
                    session.delete(Service::Network, &SEGMENT_RANGE.path_of(&id))
                })
            }
        }
    }
}

fn physical_of(kind: Numbered, given: Option<String>) -> Result<Option<String>, Failure> {
    match (kind, given) {
        (Numbered::Vlan, given) => Ok(Some(given.unwrap_or_else(|| PHYSICAL.to_owned()))),
        (Numbered::Vxlan, None) => Ok(None),
        (Numbered::Vxlan, Some(name)) => Err(Failure::usage(
            format!("VXLANs are not on a physical network, and so not on {name}"),
            "leave out --physical, or say --type vlan",
        )),
    }
}
