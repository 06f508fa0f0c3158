//! An emulated host that has joined a cloud: its network worker runs in it; the servers on it are played by a
//! compute worker on this machine.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use toml::Table;

use super::{DebianHost, HERE};
use crate::{cloud::Cloud, joiner::Joiner, programs, ran::Ran, wait};

const LIMIT: Duration = Duration::from_secs(240);
const FILE: &str = "/etc/skybus/network.toml";
const LOG: &str = "/var/log/network";

/// One host of a cloud.
#[derive(Debug)]
pub struct Member {
    /// The machine.
    pub host: DebianHost,
    /// How the host is called in the cloud; its zone is called the same.
    pub name: String,
    compute: Child,
    _joiner: Joiner,
}

impl Member {
    /// Lets a machine join a cloud that listens on loopback. `more` goes into the network worker's file.
    ///
    /// # Errors
    /// When it is refused, does not boot, or its worker is not heard.
    pub fn join(cloud: &Cloud, mut host: DebianHost, name: &str, more: &Table) -> Result<Self> {
        let invited = cloud.skybus(&["host", "add", name])?;
        let joiner = Joiner::new()?;
        // As a host in memory, which is then replaced by halves.
        let words = [invited.ok()?.trim(), "--driver", "fake", "--zone", name];
        joiner.join(&words)?.ok()?;
        joiner.run("skybus-down", &[])?.ok()?;
        let before = seen(cloud, name)?;

        let etc = joiner.data_dir().join("etc");
        let text = fs::read_to_string(etc.join("network.toml"))?;
        let log = fs::File::create(joiner.data_dir().join("log/compute-alone.log"))?;
        let compute = Command::new(programs::program("skybus-compute")?)
            .arg("--config")
            .arg(etc.join("compute.toml"))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .context("starting a compute worker")?;
        host.await_boot()?;
        host.write(FILE, &there(&text, more)?)?;
        let mut member = Self {
            host,
            name: name.to_owned(),
            compute,
            _joiner: joiner,
        };
        member.start_worker()?;
        member.await_beat(cloud, before.as_ref())?;
        Ok(member)
    }

    fn start_worker(&mut self) -> Result<()> {
        self.host.must("mkdir -p /var/lib/skybus")?;
        let start = format!("skybus-network --config {FILE} >{LOG} 2>&1 &");
        self.host.must(&start).map(drop)
    }

    /// Waits for a beat of the network worker that is not one of the worker before it.
    fn await_beat(&mut self, cloud: &Cloud, before: Option<&Value>) -> Result<()> {
        let name = self.name.clone();
        wait::until("a network worker that is heard", LIMIT, || {
            let running = self.host.run("pidof skybus-network")?;
            ensure!(running.code == 0, "it has ended: {}", self.log()?);
            let now = seen(cloud, &name)?;
            let newer = now.as_ref().is_some_and(|now| {
                now["state"] == "up" && Some(&now["updated_at"]) != before.map(|b| &b["updated_at"])
            });
            Ok(newer.then_some(()))
        })
    }

    /// What the network worker has said.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn log(&mut self) -> Result<String> {
        Ok(self.host.run(&format!("tail -n 60 {LOG}"))?.out)
    }

    /// Puts somebody at a server's port, in a namespace of the machine that is called `own`: it has the port's
    /// hardware address and gets its address by DHCP.
    ///
    /// # Errors
    /// When it gets none.
    pub fn plug(&mut self, own: &str, port: &Value) -> Result<()> {
        let text = |key: &str| port[key].as_str().with_context(|| format!("{key}: {port}"));
        let network = skybus_model::server::spec::namespace(text("network_id")?.parse()?);
        let tap = skybus_model::server::spec::tap(text("id")?.parse()?);
        let mac = text("mac_address")?;
        let plug = format!("endpoint {network} {tap} {own} {mac} >/var/log/{own} 2>&1 &");
        self.host.must(&plug)?;
        wait::until("somebody at the port", LIMIT, || {
            let up = self
                .host
                .run(&format!("ip -n {own} -o link show eth0 up"))?;
            let there = up.code == 0 && up.out.contains("eth0");
            if !there && self.host.run("pidof endpoint")?.code != 0 {
                let why = self.host.run(&format!("cat /var/log/{own}"))?;
                anyhow::bail!("{}\n{}", why.out, self.log()?);
            }
            Ok(there.then_some(()))
        })?;
        let ask = "udhcpc -i eth0 -n -q -t 30 -T 2 -s /etc/skybus/lease -O mtu";
        let asked = self.host.run(&format!("ip netns exec {own} {ask}"))?;
        asked.ok().with_context(|| self.name.clone()).map(drop)
    }

    /// One ping from there.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn ping(&mut self, own: &str, to: &str) -> Result<Ran> {
        let ping = format!("ip netns exec {own} ping -c 1 -W 3 {to}");
        self.host.run(&ping)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.compute.kill();
        let _ = self.compute.wait();
    }
}

/// The network worker's file, as it must be in the machine.
fn there(text: &str, more: &Table) -> Result<String> {
    let mut config: Table = text.replace("127.0.0.1", HERE).parse()?;
    for (key, value) in [
        ("data_dir", "/var/lib/skybus"),
        ("health", "127.0.0.1:9101"),
        ("driver", "linux"),
    ] {
        config.insert(key.to_owned(), value.into());
    }
    config.extend(more.clone());
    Ok(config.to_string())
}

/// The network worker of a host, as operators see it.
fn seen(cloud: &Cloud, host: &str) -> Result<Option<Value>> {
    let all = cloud.skybus(&["-f", "json", "service-list"])?.json()?;
    let all = all.as_array().cloned().unwrap_or_default().into_iter();
    let mut its = all.filter(|one| one["host"] == host && one["binary"] == "nova-network");
    Ok(its.next())
}
