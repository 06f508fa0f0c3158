//! Audit: what does not fit in the cloud, and mending it (administrators).

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::{
    arguments::Context,
    failure::Failure,
    output::{
        Format,
        cell::{plain, word},
        table::Column,
        talk,
    },
    session::Service,
};

/// The options.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Mend what is found; without it nothing is changed
    #[arg(long)]
    repair: bool,
}

const FOUND: [Column; 6] = [
    Column::new("Kind", |f| word(f, "kind")),
    Column::new("Resource", resource),
    Column::new("Found", |f| word(f, "found")),
    Column::new("Should Be", |f| word(f, "expected")),
    Column::new("Why", |f| word(f, "why")),
    Column::new("Repair", |f| word(f, "repair")),
];

const MENDED: [Column; 5] = [
    Column::new("Kind", |f| word(f, "kind")),
    Column::new("Resource", resource),
    Column::new("Found", |f| word(f, "found")),
    Column::new("Outcome", |f| word(f, "outcome")),
    Column::new("Done", |f| word(f, "done")),
];

fn resource(finding: &Value) -> String {
    let resource = &finding["resource"];
    format!("{} {}", plain(resource, "type"), plain(resource, "id"))
}

impl Audit {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let session = context.session()?;
        let answer = if self.repair {
            session.post(Service::Operator, "/audit", &json!({ "repair": true }))?
        } else {
            session.get(Service::Operator, "/audit")?
        };
        let findings = answer["findings"].as_array().cloned().unwrap_or_default();
        let remaining = answer["remaining"].as_u64().unwrap_or_default();
        let for_people = context.output.format == Format::Table;
        if findings.is_empty() && for_people {
            context.output.text("all fits: the audit found nothing\n")?;
        } else if self.repair {
            context.output.list(&MENDED, &findings)?;
        } else {
            context.output.list(&FOUND, &findings)?;
        }
        if remaining == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        talk::say(&match (self.repair, remaining) {
            (true, n) => format!("left as found: {n} of {}", findings.len()),
            (false, 1) => "1 finding; `skybus audit --repair` mends what can be mended".to_owned(),
            (false, n) => {
                format!("{n} findings; `skybus audit --repair` mends what can be mended")
            }
        });
        Ok(ExitCode::FAILURE)
    }
}
