//! The rounds of one cloud: for each deed, its points, and the servers that it is done to.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Result, ensure};
use skybus_fault::Point;
use skybus_tests::{
    campaign::{
        Operation, Server,
        stage::{Deed, Stage},
        tally::Row,
    },
    faults::{Hit, ROLES},
    truth::{Finding, Wrong},
};

/// What is done, in this order. A stop is followed by a start of the same server.
pub(super) const DEEDS: &[Deed] = &[
    Deed::Ask(Operation::Boot),
    Deed::Ask(Operation::Stop),
    Deed::Ask(Operation::Start),
    Deed::Ask(Operation::RebootSoft),
    Deed::Ask(Operation::RebootHard),
    Deed::Restart("compute"),
    Deed::Restart("network"),
    Deed::Ask(Operation::Delete),
];

/// How long it may take until everything is as it should be after the last round of a series.
const QUIET: Duration = Duration::from_secs(90);

/// A deed and the points that it comes to.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) deed: Deed,
    pub(super) hits: BTreeSet<Hit>,
}

/// Does everything once, and sees what it comes to.
pub(super) fn rehearse(stage: &mut Stage) -> Result<Vec<Series>> {
    let mut plan = Vec::new();
    let mut server = None;
    for deed in DEEDS {
        let (now, hits) = stage.rehearse(*deed, server.as_ref())?;
        server = now;
        let hits = hits.into_iter().filter(|hit| belongs(*deed, hit)).collect();
        plan.push(Series { deed: *deed, hits });
    }
    let findings = stage.client.truth.settle(QUIET)?;
    ensure!(
        findings.is_empty(),
        "wrong before anything died: {findings:#?}"
    );
    Ok(plan)
}

/// Some of what is come to meanwhile has to do with the time alone: inventories of each minute, and
/// heartbeats that are written down.
fn belongs(deed: Deed, hit: &Hit) -> bool {
    let inventory = hit.what.contains("inventory");
    let beats = hit.role == "scheduler" && hit.what == "-" && hit.point != Point::SchedulerClaimed;
    match deed {
        Deed::Ask(Operation::Boot) => !inventory,
        Deed::Ask(_) => !inventory && !beats,
        Deed::Restart(_) => !beats,
    }
}

/// Every `of`th point of each series, beginning with the `n`th.
pub(super) fn share(plan: &[Series], n: usize, of: usize) -> Vec<Series> {
    let part = |series: &Series| {
        let hits = series.hits.iter().skip(n).step_by(of).cloned().collect();
        Series {
            deed: series.deed,
            hits,
        }
    };
    plan.iter().map(part).collect()
}

/// A cloud with its servers.
pub(super) struct Troupe {
    stage: Stage,
    servers: Vec<Server>,
}

impl Troupe {
    pub(super) fn new(stage: Stage) -> Self {
        let servers = Vec::new();
        Self { stage, servers }
    }

    /// The ends of its cloud's logs.
    pub(super) fn logs(&self) -> String {
        self.stage.cloud.logs()
    }

    /// All rounds of a series, and what is wrong after them.
    pub(super) fn play(&mut self, series: &Series) -> Result<Row> {
        let mut row = Row::of(super::called(series.deed), series.hits.len());
        let mut left: BTreeMap<&str, Vec<Hit>> = BTreeMap::new();
        for hit in series.hits.iter().rev() {
            left.entry(hit.role).or_default().push(hit.clone());
        }
        let mut again = Vec::new();
        loop {
            let hits: Vec<Hit> = ROLES
                .iter()
                .filter_map(|role| left.get_mut(role)?.pop())
                .collect();
            if hits.is_empty() {
                break;
            }
            again.extend(self.round(series.deed, &hits, &mut row)?);
        }
        // Others that died in the same round may have taken the way that leads there.
        for hit in again {
            let missed = self.round(series.deed, std::slice::from_ref(&hit), &mut row)?;
            let name = |hit: &Hit| format!("{} {} {}", hit.role, hit.point, hit.what);
            row.missed.extend(missed.iter().map(name));
        }
        row.findings.extend(self.stage.client.truth.settle(QUIET)?);
        Ok(row)
    }

    fn round(&mut self, deed: Deed, hits: &[Hit], row: &mut Row) -> Result<Vec<Hit>> {
        let server = self.prepared(deed)?;
        let (server, missed) = self.stage.round(deed, server.as_ref(), hits, row)?;
        if let (Deed::Ask(Operation::Boot), Some(server)) = (deed, server) {
            self.servers.push(server);
        }
        Ok(missed)
    }

    /// A server in the state in which the deed can be asked for. One that is to be deleted is taken away.
    fn prepared(&mut self, deed: Deed) -> Result<Option<Server>> {
        let wanted = match deed {
            Deed::Ask(Operation::Boot) => return Ok(None),
            Deed::Ask(Operation::Start) => "stopped",
            _ => "active",
        };
        let mut chosen = None;
        for server in &self.servers {
            if self.stage.client.row(server)?.state == wanted {
                chosen = Some(server.clone());
                break;
            }
        }
        let server = match chosen {
            Some(server) => server,
            None => self.made(wanted)?,
        };
        if deed == Deed::Ask(Operation::Delete) {
            self.servers.retain(|other| *other != server);
        }
        Ok(Some(server))
    }

    /// A new server in this state.
    fn made(&mut self, wanted: &str) -> Result<Server> {
        self.stage.all_well()?;
        let name = self.stage.name();
        let server = self.stage.client.boot(&name)?;
        self.stage.client.end(Operation::Boot, &server)?;
        if wanted == "stopped" {
            self.stage.client.ask(Operation::Stop, &server)?;
            self.stage.client.end(Operation::Stop, &server)?;
        }
        self.servers.push(server.clone());
        Ok(server)
    }

    /// Removes all that is left; then nothing may be.
    pub(super) fn leave(&mut self) -> Result<Row> {
        let mut row = Row::of("clearing away".to_owned(), 0);
        self.stage.all_well()?;
        for server in &self.servers {
            self.stage.client.ask(Operation::Delete, server)?;
        }
        for server in &self.servers {
            row.end(
                &server.name,
                self.stage.client.end(Operation::Delete, server)?,
            );
        }
        row.findings.extend(self.stage.client.truth.settle(QUIET)?);
        for server in self.stage.client.truth.servers()? {
            if server.state != "deleted" {
                let text = format!("{} is still there", server.name);
                let wrong = Wrong::Leaked;
                row.findings.push(Finding { wrong, text });
            }
        }
        let dead = self
            .stage
            .cloud
            .skybus(&["bus", "dead", "list", "-f", "json"])?;
        let dead = dead.json()?;
        if dead.as_array().is_none_or(|letters| !letters.is_empty()) {
            let text = format!("among the dead letters: {dead}");
            let wrong = Wrong::Lost;
            row.findings.push(Finding { wrong, text });
        }
        Ok(row)
    }
}
