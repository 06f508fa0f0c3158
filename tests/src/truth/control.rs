//! The control plane's database.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::{Finding, ServerRow, Truth, Wrong, finding};

const SERVERS: &str = "SELECT id, name, vm_state, COALESCE(task_state, ''), CAST(generation AS TEXT), \
    COALESCE(host, ''), power, COALESCE(fault, ''), CAST((SELECT COUNT(*) FROM operations \
    WHERE operations.server = servers.id AND ended_at IS NULL) AS TEXT) FROM servers";
/// What every host and project says is used, and what is.
const USED: [(&str, &str); 2] = [
    (
        "SELECT name, used_vcpus || '/' || used_ram_mib || '/' || used_disk_gib || '/' || servers \
         FROM hosts",
        "SELECT host, SUM(vcpus) || '/' || SUM(ram_mib) || '/' || SUM(disk_gib) || '/' || COUNT(*) \
         FROM servers WHERE vm_state <> 'deleted' AND host IS NOT NULL GROUP BY host",
    ),
    (
        "SELECT project || ' ' || resource, CAST(used AS TEXT) FROM quota_usage \
         WHERE resource IN ('instances', 'cores', 'ram') AND used <> 0",
        "SELECT project || ' instances', CAST(COUNT(*) AS TEXT) FROM servers \
         WHERE vm_state <> 'deleted' GROUP BY project \
         UNION ALL SELECT project || ' cores', CAST(SUM(vcpus) AS TEXT) FROM servers \
         WHERE vm_state <> 'deleted' GROUP BY project \
         UNION ALL SELECT project || ' ram', CAST(SUM(ram_mib) AS TEXT) FROM servers \
         WHERE vm_state <> 'deleted' GROUP BY project",
    ),
];

impl Truth {
    /// All servers, the deleted ones as well.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn servers(&self) -> Result<Vec<ServerRow>> {
        let rows = self.rows::<9>(SERVERS)?;
        rows.into_iter()
            .map(|row| {
                let [id, name, state, task, generation, host, power, fault, open] = row;
                Ok(ServerRow {
                    id,
                    name,
                    state,
                    task,
                    generation: generation.parse().context("a generation")?,
                    host,
                    power,
                    fault,
                    open: open.parse().context("a count")?,
                })
            })
            .collect()
    }

    /// The requests that led to an operation, by their ids.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn requests(&self) -> Result<BTreeSet<String>> {
        let rows = self.rows::<1>("SELECT DISTINCT request_id FROM operations")?;
        Ok(rows.into_iter().map(|[id]| id).collect())
    }

    /// Servers whose last operation is said to have ended as asked, and that are not as was asked.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn broken_promises(&self) -> Result<Vec<Finding>> {
        let last = "SELECT servers.name, vm_state, kind, step FROM servers \
            JOIN operations ON operations.server = servers.id \
            WHERE operations.generation = (SELECT MAX(generation) FROM operations AS other \
            WHERE other.server = servers.id)";
        let wrong = self.rows::<4>(last)?.into_iter().filter(|row| {
            let [_, state, kind, step] = row.each_ref().map(String::as_str);
            match (step, kind) {
                ("done", "stop") => state != "stopped",
                ("done", "delete") => state != "deleted",
                ("done", _) => state != "active",
                ("failed", _) => state != "error",
                _ => true,
            }
        });
        Ok(wrong
            .map(|row| finding(Wrong::Lost, format!("{row:?} does not fit")))
            .collect())
    }

    /// What is wrong in it.
    pub(super) fn control(&self) -> Result<Vec<Finding>> {
        let mut all = Vec::new();
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for server in self.servers()? {
            all.extend(of_server(&server));
            *names.entry(server.name).or_default() += 1;
        }
        for (name, count) in names.into_iter().filter(|(_, count)| *count > 1) {
            all.push(finding(
                Wrong::Doubled,
                format!("{count} servers are called {name}"),
            ));
        }
        for [kind, key] in self.rows("SELECT kind, routing_key FROM outbox")? {
            let text = format!("{kind} for {key} waits in the outbox");
            all.push(finding(Wrong::Stuck, text));
        }
        self.ports(&mut all)?;
        for (said, held) in USED {
            self.compare(said, held, &mut all)?;
        }
        Ok(all)
    }

    fn ports(&self, all: &mut Vec<Finding>) -> Result<()> {
        let orphans = "SELECT ports.id FROM ports LEFT JOIN servers ON servers.id = ports.server \
            WHERE ports.server IS NOT NULL AND (servers.id IS NULL OR servers.vm_state = 'deleted')";
        for [port] in self.rows(orphans)? {
            let text = format!("port {port} belongs to a server that is gone");
            all.push(finding(Wrong::Leaked, text));
        }
        let counts = "SELECT servers.name, CAST(COUNT(ports.id) AS TEXT) FROM servers \
            LEFT JOIN ports ON ports.server = servers.id WHERE vm_state <> 'deleted' \
            GROUP BY servers.id, servers.name";
        for [name, count] in self.rows(counts)? {
            if count != "1" {
                let wrong = if count == "0" {
                    Wrong::Lost
                } else {
                    Wrong::Doubled
                };
                all.push(finding(wrong, format!("{name} has {count} ports, not 1")));
            }
        }
        Ok(())
    }

    /// What two queries say of the same things must be the same; what one does not name is nothing.
    fn compare(
        &self,
        said: &'static str,
        held: &'static str,
        all: &mut Vec<Finding>,
    ) -> Result<()> {
        let pairs = |query| -> Result<BTreeMap<String, String>> {
            Ok(self.rows::<2>(query)?.into_iter().map(Into::into).collect())
        };
        let (said, held) = (pairs(said)?, pairs(held)?);
        for name in said.keys().chain(held.keys()) {
            let is = |counts: &BTreeMap<String, String>| {
                let none = || "0/0/0/0".to_owned();
                counts.get(name).cloned().unwrap_or_else(none)
            };
            if is(&said) != is(&held) {
                let text = format!("{name} says {} is used, and it is {}", is(&said), is(&held));
                all.push(finding(Wrong::Leaked, text));
            }
        }
        Ok(())
    }
}

fn of_server(server: &ServerRow) -> Vec<Finding> {
    let ServerRow {
        name,
        state,
        task,
        open,
        ..
    } = server;
    let mut all = Vec::new();
    if *open > 0 || !task.is_empty() || state == "building" {
        let text = format!("{name} is {state}/{task} with {open} open operations");
        all.push(finding(Wrong::Stuck, text));
    } else if state == "error" && server.fault.is_empty() {
        all.push(finding(
            Wrong::Lost,
            format!("{name} is in ERROR without a reason"),
        ));
    }
    all
}
