//! What a server wrote to its serial console.

use clap::Args;
use serde_json::{Map, json};

use super::servers::act;
use crate::{
    arguments::Context,
    failure::Failure,
    output::cell::plain,
    resolve::{self, SERVER},
};

/// The options.
#[derive(Debug, Args)]
pub(crate) struct ConsoleLog {
    /// The last so many lines
    #[arg(long, value_name = "N")]
    length: Option<u32>,
    /// Its name or id
    server: String,
}

impl ConsoleLog {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        let id = resolve::id(&session, SERVER, &self.server)?;
        let mut options = Map::new();
        if let Some(length) = self.length {
            options.insert("length".to_owned(), json!(length));
        }
        let answer = act(&session, &id, &json!({"os-getConsoleOutput": options}))?;
        context.output.text(plain(&answer, "output"))
    }
}
