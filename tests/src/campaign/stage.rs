//! A cloud that is there to have its processes killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use skybus_fault::Armed;

use super::{Client, End, Operation, Server, tally::Row};
use crate::{
    cloud::Cloud,
    faults::{Faults, Hit, ROLES},
    host::{self, Process},
    wait,
};

/// A role may be starting again after the longest pause of its supervisor.
const BACK: Duration = Duration::from_secs(90);
/// What an operation sets in motion ends a moment after the operation has: its last rows are marked.
const AFTERMATH: Duration = Duration::from_secs(4);
/// So many deaths of a role make its supervisor wait for seconds. A supervisor that is killed and started
/// again, which is a story of its own, adopts what runs and begins to count anew.
const TIRED: u32 = 3;

/// What a series of rounds does in each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Deed {
    /// Something is asked of a server.
    Ask(Operation),
    /// This role is killed beside the one that is armed; what comes after it takes up its work.
    Restart(&'static str),
}

/// The cloud, a client, and who died how often.
#[derive(Debug)]
pub struct Stage {
    /// The cloud.
    pub cloud: Cloud,
    /// Its fault points.
    pub faults: Faults,
    /// A client.
    pub client: Client,
    options: Vec<String>,
    deaths: BTreeMap<&'static str, u32>,
    named: u32,
}

impl Stage {
    /// A cloud with so many hosts in memory.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn with_fake_hosts(hosts: u32) -> Result<Self> {
        let hosts = hosts.to_string();
        let options = ["--virt-type", "fake", "--fake-hosts", &hosts];
        let (cloud, faults) = Cloud::with_fault_points(&options)?;
        cloud.add_small_image()?;
        let client = Client::of(&cloud, None)?;
        Self::set(cloud, faults, client, &options)
    }

    /// A cloud that is there already, with the options that it was started with.
    ///
    /// # Errors
    /// When it refuses to lift its quotas.
    pub fn set(cloud: Cloud, faults: Faults, client: Client, options: &[&str]) -> Result<Self> {
        let all = ["instances", "cores", "ram"].map(|what| format!("--{what}"));
        let mut words = vec!["quota-update", "admin"];
        for what in &all {
            words.extend([what.as_str(), "-1"]);
        }
        cloud.skybus(&words)?.ok()?;
        Ok(Self {
            cloud,
            faults,
            client,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            deaths: BTreeMap::new(),
            named: 0,
        })
    }

    /// A name that no server had.
    pub fn name(&mut self) -> String {
        self.named += 1;
        format!("vm-{:03}", self.named)
    }

    /// Asks for the deed; for a boot that is a new server, else it is this one.
    ///
    /// # Errors
    /// When it is refused.
    pub fn ask(&mut self, deed: Deed, server: Option<&Server>) -> Result<Option<Server>> {
        match (deed, server) {
            (Deed::Ask(Operation::Boot), _) => {
                let name = self.name();
                self.client.boot(&name).map(Some)
            }
            (Deed::Ask(operation), Some(server)) => {
                self.client.ask(operation, server)?;
                Ok(Some(server.clone()))
            }
            (Deed::Restart(role), server) => {
                self.kill(role)?;
                Ok(server.cloned())
            }
            (Deed::Ask(_), None) => Ok(None),
        }
    }

    /// Which points are come to when the deed is done and nobody dies of it.
    ///
    /// # Errors
    /// When it does not end as asked.
    pub fn rehearse(
        &mut self,
        deed: Deed,
        server: Option<&Server>,
    ) -> Result<(Option<Server>, BTreeSet<Hit>)> {
        self.all_well()?;
        self.faults.watch()?;
        let server = self.ask(deed, server)?;
        if let (Deed::Ask(operation), Some(server)) = (deed, &server) {
            let end = self.client.end(operation, server)?;
            ensure!(end == End::AsAsked, "{deed:?} without a death: {end:?}");
        }
        self.all_well()?;
        // Not a condition that could be awaited: that nothing more is come to.
        std::thread::sleep(AFTERMATH);
        Ok((server, self.faults.watched()?))
    }

    /// One round: arms these points, does the deed, waits for the deaths and for the end. What was not
    /// come to is given back.
    ///
    /// # Errors
    /// When the cloud cannot be spoken to at all any more.
    pub fn round(
        &mut self,
        deed: Deed,
        server: Option<&Server>,
        hits: &[Hit],
        row: &mut Row,
    ) -> Result<(Option<Server>, Vec<Hit>)> {
        self.rest()?;
        for hit in hits {
            self.faults
                .arm(hit.role, &Armed::at(hit.point, &hit.what))?;
        }
        let server = self.ask(deed, server)?;
        let mut missed = self.deaths_of(hits)?;
        if let (Deed::Ask(operation), Some(server)) = (deed, &server) {
            row.end(&server.name, self.client.end(operation, server)?);
            missed.retain(|hit| !self.has_died(hit));
        }
        missed.retain(|hit| self.faults.disarm(hit.role) || !self.has_died(hit));
        for hit in hits.iter().filter(|hit| !missed.contains(hit)) {
            row.killed += 1;
            *self.deaths.entry(hit.role).or_default() += 1;
        }
        Ok((server, missed))
    }

    fn has_died(&self, hit: &Hit) -> bool {
        matches!(self.faults.death(hit.role), Ok(Some(_)))
    }

    /// Waits for the deaths at these points, and gives those that were not come to.
    fn deaths_of(&self, hits: &[Hit]) -> Result<Vec<Hit>> {
        let mut alive = hits.to_vec();
        let end = Instant::now() + AFTERMATH;
        while !alive.is_empty() && Instant::now() < end {
            let _ = wait::until("a death", Duration::from_millis(300), || {
                let before = alive.len();
                alive.retain(|hit| !self.has_died(hit));
                Ok((alive.len() < before).then_some(()))
            });
        }
        Ok(alive)
    }

    /// Kills a role.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self, role: &'static str) -> Result<()> {
        let program = format!("skybus-{role}");
        let process = wait::until(&program, BACK, || Ok(self.process(&program)))?;
        host::kill(&process);
        *self.deaths.entry(role).or_default() += 1;
        wait::until("its end", BACK, || {
            Ok((self.process(&program).as_ref() != Some(&process)).then_some(()))
        })
    }

    /// The process of this program.
    #[must_use]
    pub fn process(&self, program: &str) -> Option<Process> {
        let all = host::processes_of(&self.cloud.data_dir());
        all.into_iter().find(|process| process.program == program)
    }

    /// Waits until all are well, with a supervisor that does not hold back.
    fn rest(&mut self) -> Result<()> {
        self.all_well()?;
        if self.deaths.values().any(|deaths| *deaths >= TIRED) {
            self.new_supervisor()?;
        }
        Ok(())
    }

    /// Kills the supervisor and has a new one adopt what runs.
    ///
    /// # Errors
    /// When the cloud does not come up again.
    pub fn new_supervisor(&mut self) -> Result<()> {
        let program = "skybus-supervisor";
        if let Some(supervisor) = self.process(program) {
            host::kill(&supervisor);
        }
        wait::until("its end", BACK, || {
            Ok(self.process(program).is_none().then_some(()))
        })?;
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        self.cloud.up(&options)?;
        ensure!(
            self.process(program).is_some(),
            "the cloud is said to be up, and has no supervisor"
        );
        self.deaths.clear();
        Ok(())
    }

    /// Waits until every role says that it is well.
    ///
    /// # Errors
    /// When one stays away.
    pub fn all_well(&self) -> Result<()> {
        for role in ROLES {
            let url = self.health(role)?;
            wait::until(&format!("a healthy {role}"), BACK, || {
                Ok(ureq::get(&url).call().is_ok().then_some(()))
            })?;
        }
        Ok(())
    }

    fn health(&self, role: &str) -> Result<String> {
        let file = self.cloud.data_dir().join(format!("etc/{role}.toml"));
        let text = fs::read_to_string(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix("health = "));
        let address = line.context("the address of a health page")?;
        Ok(format!("http://{}/healthz", address.trim_matches('"')))
    }
}
