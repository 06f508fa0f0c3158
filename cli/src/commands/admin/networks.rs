//! Networks that are cut out of one range of addresses, several at once, each on a segment of its own.

use std::net::Ipv4Addr;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{Numbered, PHYSICAL};
use crate::{
    arguments::Context,
    commands::fields,
    failure::Failure,
    http::url::encode,
    output::{Format, cell::word, table::Column, talk},
    session::Service,
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make networks, for projects that come without one
    ///
    /// The range of addresses is cut into networks of one size. Their VLANs, or VXLANs, are numbered from the
    /// one that is named. Without --vlan and --vxlan each host has a piece of its own of each network.
    Create(Create),
    /// Show what a host's network worker would change there, without changing it
    Plan {
        /// The host
        host: String,
    },
}

/// What to make.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The addresses of all of them together
    #[arg(long, alias = "fixed_range", value_name = "CIDR")]
    fixed_range: String,
    /// How many
    #[arg(long, alias = "num_networks", default_value_t = 1, value_name = "N")]
    num_networks: u32,
    /// How many addresses each has: a power of two
    #[arg(long, alias = "network_size", default_value_t = 256, value_name = "N")]
    network_size: u32,
    /// The first one's VLAN
    #[arg(long, alias = "vlan_start", value_name = "N", conflicts_with = "vxlan",
        value_parser = clap::value_parser!(u32).range(1..=4094))]
    vlan: Option<u32>,
    /// The first one's VXLAN
    #[arg(long, value_name = "VNI", value_parser = clap::value_parser!(u32).range(1..1 << 24))]
    vxlan: Option<u32>,
    /// The physical network that the VLANs are on [default: physnet1]
    #[arg(long, value_name = "NAME", requires = "vlan", conflicts_with = "vxlan")]
    physical: Option<String>,
    /// What their names begin with; a number follows
    #[arg(long, value_name = "WORD", default_value = "network")]
    name: String,
    /// A name server for their guests; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<Ipv4Addr>,
}

const COLUMNS: [Column; 6] = [
    Column::new("ID", |n| word(n, "id")),
    Column::new("Name", |n| word(n, "name")),
    Column::new("CIDR", |n| word(n, "cidr")),
    Column::new("Kind", |n| word(n, "kind")),
    Column::new("Physical Network", |n| word(n, "physical")),
    Column::new("Number", |n| word(n, "number")),
];

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(context),
            Self::Plan { host } => plan(context, &host),
        }
    }
}

/// Nothing is printed when all is as it should be, as by the worker's own `--dry-run`.
fn plan(context: &Context, host: &str) -> Result<(), Failure> {
    let path = format!("/hosts/{}/network-plan", encode(host));
    let answer = context.session()?.get(Service::Operator, &path)?;
    let plan = &answer["plan"];
    if context.output.format == Format::Json {
        return context.output.show(&fields(plan), plan);
    }
    let changes = plan["changes"].as_array().cloned().unwrap_or_default();
    let lines = changes.iter().filter_map(Value::as_str);
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    if text.is_empty() {
        talk::say(&format!(
            "{host} is as it should be; nothing would be changed"
        ));
    }
    context.output.text(&text)
}

impl Create {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let body = json!({ "networks": self.body() });
        let answer = context
            .session()?
            .post(Service::Operator, "/networks", &body)?;
        let made = answer["networks"].as_array().cloned().unwrap_or_default();
        context.output.list(&COLUMNS, &made)
    }

    /// What was not said is left out.
    fn body(self) -> Map<String, Value> {
        let numbered = match (self.vlan, self.vxlan) {
            (Some(first), _) => Some((Numbered::Vlan, first)),
            (None, Some(first)) => Some((Numbered::Vxlan, first)),
            (None, None) => None,
        };
        let physical = self
            .vlan
            .map(|_| self.physical.unwrap_or_else(|| PHYSICAL.to_owned()));
        let fields = [
            ("name", json!(self.name)),
            ("fixed_range", json!(self.fixed_range)),
            ("count", json!(self.num_networks)),
            ("size", json!(self.network_size)),
            (
                "kind",
                json!(numbered.map_or("local", |(kind, _)| kind.word())),
            ),
            ("physical", json!(physical)),
            ("first", json!(numbered.map(|(_, first)| first))),
            ("dns", json!(self.dns)),
        ];
        fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}
