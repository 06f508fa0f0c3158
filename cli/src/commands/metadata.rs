//! Metadata: a server's own keys and values.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::pair;
use crate::{
    arguments::Context,
    failure::Failure,
    http::url::encode,
    resolve::{self, SERVER},
    session::Service,
};

/// The options.
#[derive(Debug, Args)]
pub(crate) struct Meta {
    /// Its name or id
    server: String,
    /// What to do
    change: Change,
    /// key=value to set, key to delete
    #[arg(required = true, value_name = "KEY[=VALUE]")]
    words: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Change {
    /// Set keys to values.
    Set,
    /// Delete keys.
    Delete,
}

impl Meta {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self.change {
            Change::Set => {
                let pairs = self
                    .words
                    .iter()
                    .map(|w| pair(w).map(|(k, v)| (k, json!(v))));
                let metadata = pairs
                    .collect::<Result<Map<String, Value>, String>>()
                    .map_err(|e| {
                        Failure::usage(e, "for instance: skybus meta vm1 set role=web tier=1")
                    })?;
                let session = context.session()?;
                let id = resolve::id(&session, SERVER, &self.server)?;
                let path = format!("{}/metadata", SERVER.path_of(&id));
                session
                    .post(Service::Compute, &path, &json!({"metadata": metadata}))
                    .map(drop)
            }
            Change::Delete => {
                let session = context.session()?;
                let id = resolve::id(&session, SERVER, &self.server)?;
                super::each(&self.words, |word| {
                    let key = encode(word.split('=').next().unwrap_or(word));
                    session.delete(
                        Service::Compute,
                        &format!("{}/metadata/{key}", SERVER.path_of(&id)),
                    )
                })
            }
        }
    }
}
