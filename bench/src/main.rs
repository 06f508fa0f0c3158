//! `bench`: measures a cloud of this build and prints a table of figures beside their aims.
//!
//! Each run starts a cloud of its own with hosts in memory, so that the control plane is what is measured;
//! the broker, the database server and the client that makes the load are not counted. Every figure is the
//! median of the runs. What is measured over HTTP is measured as a client sees it.

mod boots;
mod bus;
mod client;
mod cpu;
mod curve;
mod guest;
mod reads;
mod run;
mod table;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Result;
use clap::Parser;

use crate::{
    run::Seen,
    table::{Aim, Figure},
};

/// Measure skybus.
#[derive(Debug, Parser)]
struct Options {
    /// How often everything is measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only these groups of figures: boots, burst, reads, tokens, memory, scale, bus, guest
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Hosts in memory
    #[arg(long, default_value_t = 50)]
    hosts: u32,
    /// The largest burst
    #[arg(long, default_value_t = 3000)]
    burst: usize,
    /// Measure on this database instead of SQLite: postgres://USER@HOST/NAME
    #[arg(long)]
    database: Option<String>,
    /// Draw what a boot costs as the cloud grows into this file (SVG), instead of the table
    #[arg(long, value_name = "FILE")]
    curve: Option<PathBuf>,
}

impl Options {
    fn wants(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one == group)
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(file) = &options.curve {
        run::print(&curve::draw(&options, file).await?);
        return Ok(());
    }
    let mut all: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for number in 1..=options.runs {
        run::say(&format!("run {number} of {}", options.runs));
        let mut seen = Seen::default();
        run::everything(&options, &mut seen).await?;
        for (name, value) in seen.figures {
            all.entry(name).or_default().push(value);
        }
    }
    let figures: Vec<Figure> = FIGURES
        .iter()
        .filter_map(|(name, unit, peer, aim)| {
            Some(Figure {
                name,
                seen: all.remove(name)?,
                unit,
                peer,
                aim: *aim,
            })
        })
        .collect();
    run::print(&table::render(&figures));
    Ok(())
}

/// Name, unit, the peer's figure, the aim.
type Line = (&'static str, &'static str, &'static str, Aim);

/// Every figure, in the order of the table. The peer is Nova 26, Keystone 22 and oslo.messaging 14 on a
/// quiet machine of the same kind.
const FIGURES: &[Line] = &[
    ("up to a cloud that answers", "s", "83", Aim::AtMost(8.0)),
    ("POST /servers, one at a time", "ms", "54", Aim::AtMost(3.0)),
    (
        "POST to ACTIVE, one at a time",
        "ms",
        "468",
        Aim::AtMost(20.0),
    ),
    (
        "CPU per boot, one at a time",
        "s",
        "0.8",
        Aim::AtMost(0.008),
    ),
    ("CPU per boot, 300 at once", "s", "2.1", Aim::AtMost(0.008)),
    ("CPU per delete, 300 at once", "s", "-", Aim::None),
    ("boots/s, 100 at once", "/s", "1.3", Aim::AtLeast(150.0)),
    ("boots/s, 300 at once", "/s", "0.5", Aim::AtLeast(150.0)),
    ("boots/s, 3000 at once", "/s", "-", Aim::AtLeast(150.0)),
    ("deletes/s, 100 at once", "/s", "2.0", Aim::AtLeast(150.0)),
    (
        "GET /servers, 300 exist, 16 callers",
        "/s",
        "50",
        Aim::AtLeast(1500.0),
    ),
    (
        "GET /servers/detail, page of 100, 16 callers",
        "/s",
        "14",
        Aim::AtLeast(400.0),
    ),
    (
        "GET one server, 16 callers",
        "/s",
        "58",
        Aim::AtLeast(5000.0),
    ),
    ("token issue, 8 callers", "/s", "10", Aim::None),
    (
        "token validate, 8 callers",
        "/s",
        "161",
        Aim::AtLeast(8000.0),
    ),
    ("bus call, median", "ms", "1.5", Aim::AtMost(1.0)),
    ("bus calls, 64 callers", "/s", "1125", Aim::AtLeast(4000.0)),
    ("confirmed publishes", "/s", "2569*", Aim::AtLeast(10_000.0)),
    (
        "commands from outbox to journal",
        "/s",
        "-",
        Aim::AtLeast(2000.0),
    ),
    ("memory at rest (PSS)", "MiB", "2114**", Aim::AtMost(120.0)),
    (
        "memory, 5000 servers on 1000 hosts (PSS)",
        "MiB",
        "-",
        Aim::AtMost(250.0),
    ),
    (
        "real guest: POST to QEMU started",
        "ms",
        "-",
        Aim::AtMost(60.0),
    ),
    ("the same, first on its network", "ms", "-", Aim::None),
];
