//! The agents' journals, compared with the control plane's database.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Finding, Truth, Wrong, finding};

const RECORDS: &str = "SELECT key, value FROM records WHERE kind = 'servers'";
const PORTS: &str = "SELECT key, value FROM records WHERE kind = 'ports'";
const WAITING: &str = "SELECT kind, 'is accepted and not done' FROM inbox WHERE finished IS NULL \
    UNION ALL SELECT kind, 'waits in the outbox' FROM outbox";

impl Truth {
    /// What is wrong with the agents.
    pub(super) fn agents(&self) -> Result<Vec<Finding>> {
        let mut all = Vec::new();
        for role in ["compute", "network"] {
            for [kind, what] in self.journal(role, WAITING)? {
                all.push(finding(Wrong::Stuck, format!("{role}: {kind} {what}")));
            }
        }
        self.machines(&mut all)?;
        self.plugs(&mut all)?;
        Ok(all)
    }

    /// The machines that compute workers remember: server, host, power.
    fn remembered(&self) -> Result<Vec<(String, String, String)>> {
        let mut all = Vec::new();
        for [key, record] in self.journal("compute", RECORDS)? {
            let (host, server) = key.split_once('/').context("a record's key")?;
            let record: Value = serde_json::from_str(&record)?;
            let power = record["power"].as_str().unwrap_or_default();
            if record["removed"].is_null() && power != "absent" {
                all.push((server.to_owned(), host.to_owned(), power.to_owned()));
            }
        }
        Ok(all)
    }

    /// Each server has one machine, on its host, in the state that the database thinks it is in.
    fn machines(&self, all: &mut Vec<Finding>) -> Result<()> {
        let mut machines: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for (server, host, power) in self.remembered()? {
            machines.entry(server).or_default().push((host, power));
        }
        for server in self.servers()? {
            let there = machines.remove(&server.id).unwrap_or_default();
            let what = format!("{} on {:?}", server.name, server.host);
            match there.as_slice() {
                [_, _, ..] => all.push(finding(Wrong::Doubled, format!("{what}: {there:?}"))),
                [(host, _)] if server.state == "deleted" || *host != server.host => {
                    let text = format!("{what} ({}) has a machine on {host}", server.state);
                    all.push(finding(Wrong::Leaked, text));
                }
                [(_, power)] if *power != server.power => {
                    let text = format!("{what} is {}, its machine {power}", server.power);
                    all.push(finding(Wrong::Lost, text));
                }
                [] if matches!(server.state.as_str(), "active" | "stopped") => {
                    let text = format!("{what} is {} without a machine", server.state);
                    all.push(finding(Wrong::Lost, text));
                }
                _ => {}
            }
        }
        for (server, there) in machines {
            let text = format!("{there:?} of {server}, which nobody knows");
            all.push(finding(Wrong::Leaked, text));
        }
        Ok(())
    }

    /// Each port that is bound is on its host, and no other is.
    fn plugs(&self, all: &mut Vec<Finding>) -> Result<()> {
        let bound = "SELECT id, host, status FROM ports WHERE host IS NOT NULL";
        let mut there: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for [key, _] in self.journal("network", PORTS)? {
            let (host, port) = key.split_once('/').context("a record's key")?;
            there
                .entry(port.to_owned())
                .or_default()
                .push(host.to_owned());
        }
        for [port, host, status] in self.rows(bound)? {
            let hosts = there.remove(&port).unwrap_or_default();
            match hosts.as_slice() {
                [one] if *one == host => {}
                [] if status == "DOWN" => {}
                _ => {
                    let text = format!("port {port} of {host} ({status}) is on {hosts:?}");
                    all.push(finding(Wrong::Lost, text));
                }
            }
        }
        for (port, hosts) in there {
            let text = format!("port {port} is on {hosts:?}, and nobody knows it");
            all.push(finding(Wrong::Leaked, text));
        }
        Ok(())
    }
}
