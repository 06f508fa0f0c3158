//! The message bus as operators see it: letters that nobody could handle, and subscribers.

use clap::Subcommand;
use serde_json::{Value, json};

use super::fields;
use crate::{
    arguments::Context,
    failure::Failure,
    http::url::encode,
    output::{cell::word, table::Column},
    session::Service,
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Messages that nobody could handle
    #[command(subcommand)]
    Dead(Dead),
    /// Programs that listen
    #[command(subcommand)]
    Subscriber(Subscriber),
}

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// List them
    List {
        /// So many at most
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one
    Show {
        /// Its id
        id: String,
    },
    /// Send some again to where they were meant for
    Replay {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Throw some away
    Drop {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// What can be done with subscribers.
#[derive(Debug, Subcommand)]
pub(crate) enum Subscriber {
    /// Make an account that may listen, with a queue of its own, and print what it needs
    Add {
        /// What it is to be called
        name: String,
        /// Which events: a routing key with * and #
        #[arg(long = "key", default_value = "#", value_name = "KEY")]
        keys: Vec<String>,
    },
    /// Take it away, with its queue
    Remove {
        /// Its name
        name: String,
    },
}

const DEAD: [Column; 6] = [
    Column::new("ID", |d| word(d, "id")),
    Column::new("Kind", |d| word(d, "kind")),
    Column::new("Routing Key", |d| word(d, "routing_key")),
    Column::new("Reason", |d| word(d, "reason")),
    Column::new("At", |d| word(d, "at")),
    Column::new("Bytes", |d| word(d, "size")),
];

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Dead(command) => command.run(context),
            Self::Subscriber(command) => command.run(context),
        }
    }
}

impl Dead {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        let path = |id: &str| format!("/bus/dead/{}", encode(id));
        match self {
            Self::List { limit } => {
                let answer = session.get(Service::Operator, &format!("/bus/dead?limit={limit}"))?;
                let letters = answer["dead"].as_array().cloned().unwrap_or_default();
                context.output.list(&DEAD, &letters)
            }
            Self::Show { id } => {
                let letter = session.get(Service::Operator, &path(&id))?;
                let inner = letter
                    .get("dead")
                    .filter(|v| v.is_object())
                    .unwrap_or(&letter);
                context.output.show(&fields(inner), inner)
            }
            Self::Replay { ids } => super::each(&ids, |id| {
                let path = format!("{}/replay", path(id));
                session
                    .post(Service::Operator, &path, &Value::Null)
                    .map(drop)
            }),
            Self::Drop { ids } => {
                super::each(&ids, |id| session.delete(Service::Operator, &path(id)))
            }
        }
    }
}

impl Subscriber {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        match self {
            Self::Add { name, keys } => {
                let body = json!({"name": name, "keys": keys});
                let answer = session.post(Service::Operator, "/bus/subscribers", &body)?;
                context
                    .output
                    .show(&fields(&answer["subscriber"]), &answer["subscriber"])
            }
            Self::Remove { name } => session.delete(
                Service::Operator,
                &format!("/bus/subscribers/{}", encode(&name)),
            ),
        }
    }
}
