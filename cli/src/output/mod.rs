//! What is shown: data on stdout as a table, JSON or bare values; everything else on stderr.
//!
//! With `--format json` the API's own objects are printed, whole, so that scripts read the documented
//! names; tables and values show a choice of them.

pub(crate) mod cell;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod talk;

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde_json::Value;

use crate::failure::Failure;
use table::Column;

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    #[default]
    Table,
    /// The API's objects.
    Json,
    /// The cells alone, separated by blanks.
    Value,
}

/// Where data goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// How it is written.
    pub(crate) format: Format,
}

impl Output {
    /// Shows several things of a kind.
    pub(crate) fn list(&self, columns: &[Column], rows: &[Value]) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json(&Value::Array(rows.to_vec())),
            Format::Table => self.text(&table::list(columns, rows, width())),
            Format::Value => self.text(&table::values(columns, rows)),
        }
    }

    /// Shows one thing: `fields` for people, `whole` for programs.
    pub(crate) fn show(&self, fields: &[(String, String)], whole: &Value) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json(whole),
            Format::Table => self.text(&table::show(fields, width())),
            Format::Value => {
                let lines: Vec<&str> = fields.iter().map(|(_, value)| value.as_str()).collect();
                self.text(&lines.join("\n"))
            }
        }
    }

    /// Writes text as it is, with a newline at its end.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let newline = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        write!(out, "{text}{newline}")
            .and_then(|()| out.flush())
            .map_err(Failure::local("cannot write to standard output"))
    }

    fn json(&self, value: &Value) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Failure::Nonsense(format!("it cannot be written as JSON: {e}")))?;
        self.text(&text)
    }
}

/// The terminal's width; none for a pipe or a file, where nothing is wrapped.
fn width() -> Option<u16> {
    let terminal = io::stdout().is_terminal();
    terminal
        .then(|| comfy_table::Table::new().width())
        .flatten()
}
