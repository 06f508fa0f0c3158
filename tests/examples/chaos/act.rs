//! Carrying a plan out.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use skybus_tests::{
    campaign::{Operation, Server, stage::Stage},
    faults::ROLES,
    host,
    truth::{Finding, ServerRow, Wrong},
};

use crate::plan::{Death, Round};

/// What happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) accepted: u32,
    pub(crate) refused: u32,
    pub(crate) unanswered: u32,
    pub(crate) deaths: BTreeMap<&'static str, u32>,
}

/// Something of a round.
enum Scene<'a> {
    Ask(usize, Operation),
    Death(&'a Death),
}

/// A cloud in the hands of a plan.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) stage: Stage,
    pub(crate) counts: Counts,
    /// Requests that were accepted: each must have led to an operation.
    pub(crate) promises: Vec<String>,
    /// How many servers there were in each place.
    lives: BTreeMap<usize, u32>,
}

impl Actor {
    pub(crate) fn new(stage: Stage) -> Self {
        Self {
            stage,
            counts: Counts::default(),
            promises: Vec::new(),
            lives: BTreeMap::new(),
        }
    }

    /// One round. Nothing is waited for: what it began may still go on in the next one.
    pub(crate) fn round(&mut self, round: &Round) -> Result<()> {
        let rows = self.stage.client.truth.servers()?;
        let mut scenes: Vec<(Duration, Scene<'_>)> = Vec::new();
        for (at, place, wish) in &round.asks {
            scenes.push((*at, Scene::Ask(*place, *wish)));
        }
        for (at, death) in &round.deaths {
            scenes.push((*at, Scene::Death(death)));
        }
        scenes.sort_by_key(|(at, _)| *at);
        let begun = Instant::now();
        for (at, scene) in scenes {
            thread::sleep(at.saturating_sub(begun.elapsed()));
            match scene {
                Scene::Ask(place, wish) => self.ask(&rows, place, wish),
                Scene::Death(death) => self.inflict(death)?,
            }
        }
        thread::sleep(round.pause);
        Ok(())
    }

    fn ask(&mut self, rows: &[ServerRow], place: usize, wish: Operation) {
        let name = |life: u32| format!("c-{place:02}-{life}");
        let life = self.lives.get(&place).copied().unwrap_or_default();
        let row = rows
            .iter()
            .find(|row| row.name == name(life) && row.state != "deleted");
        let answer = if let Some(row) = row {
            let server = Server {
                name: row.name.clone(),
                id: row.id.clone(),
            };
            self.stage.client.ask_once(wish, &server)
        } else {
            self.lives.insert(place, life + 1);
            self.stage.client.ask_for(&name(life + 1), None)
        };
        match answer {
            Ok(answer) if answer.status < 300 => {
                self.counts.accepted += 1;
                self.promises.extend(answer.request_id);
            }
            Ok(answer) if answer.status < 500 => self.counts.refused += 1,
            _ => self.counts.unanswered += 1,
        }
    }

    fn inflict(&mut self, death: &Death) -> Result<()> {
        let called = match death {
            Death::At(role, armed) => {
                self.count_death(role)?;
                self.stage.faults.arm(role, armed)?;
                "armed"
            }
            Death::Killed(role) => {
                self.signal(&format!("skybus-{role}"), "KILL");
                "killed"
            }
            Death::Frozen(role, time) => {
                self.freeze(&format!("skybus-{role}"), *time);
                "frozen"
            }
            Death::BrokerFrozen(time) => {
                self.freeze("beam.smp", *time);
                "broker frozen"
            }
            Death::BrokerKilled => {
                self.signal("beam.smp", "KILL");
                "broker killed"
            }
            Death::SupervisorKilled => {
                self.stage.new_supervisor()?;
                "supervisor killed"
            }
        };
        *self.counts.deaths.entry(called).or_default() += 1;
        Ok(())
    }

    /// Whether a role has come to the point at which it was to die.
    fn count_death(&mut self, role: &str) -> Result<()> {
        if self.stage.faults.death(role)?.is_some() {
            *self.counts.deaths.entry("of these died").or_default() += 1;
        }
        Ok(())
    }

    fn signal(&self, program: &str, signal: &str) {
        if let Some(process) = self.stage.process(program) {
            host::signal(&process, signal);
        }
    }

    fn freeze(&self, program: &str, time: Duration) {
        let Some(process) = self.stage.process(program) else {
            return;
        };
        host::signal(&process, "STOP");
        thread::spawn(move || {
            thread::sleep(time);
            host::signal(&process, "CONT");
        });
    }

    /// Lets everything be, and says what is wrong when it has had its time.
    pub(crate) fn settle(&mut self, limit: Duration) -> Result<Vec<Finding>> {
        for role in ROLES {
            let _ = self.stage.faults.disarm(role);
            self.count_death(role)?;
        }
        // Those that were frozen last thaw.
        thread::sleep(Duration::from_secs(15));
        self.stage.all_well()?;
        let mut findings = self.stage.client.truth.settle(limit)?;
        let kept = self.stage.client.truth.requests()?;
        for request in self.promises.iter().filter(|id| !kept.contains(*id)) {
            let text = format!("{request} was accepted and led to nothing");
            let wrong = Wrong::Lost;
            findings.push(Finding { wrong, text });
        }
        findings.extend(self.stage.client.truth.broken_promises()?);
        Ok(findings)
    }

    /// Removes all servers.
    pub(crate) fn clear(&mut self, limit: Duration) -> Result<Vec<Finding>> {
        let rows = self.stage.client.truth.servers()?;
        let mut findings = Vec::new();
        for row in rows.into_iter().filter(|row| row.state != "deleted") {
            let server = Server {
                name: row.name,
                id: row.id,
            };
            self.stage.client.ask(Operation::Delete, &server)?;
        }
        findings.extend(self.stage.client.truth.settle(limit)?);
        for row in self.stage.client.truth.servers()? {
            if row.state != "deleted" {
                let text = format!("{} is still there", row.name);
                let wrong = Wrong::Leaked;
                findings.push(Finding { wrong, text });
            }
        }
        Ok(findings)
    }
}
