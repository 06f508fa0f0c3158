//! A machine that runs is plugged into one more network, and unplugged, whoever of its host dies meanwhile; it has
//! its interfaces again, and each once, when it was off and on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use skybus_fault::{Armed, Point};
use skybus_tests::{
    api::Api,
    cloud::Cloud,
    faults::Faults,
    guest,
    ran::{self, Ran},
    wait,
};

/// Much longer than it takes: a guest boots, or gets an address.
const SOON: Duration = Duration::from_secs(240);
/// Where the compute worker dies while an interface comes, and while it goes.
const DEATHS: [(Option<Point>, Option<Point>); 3] = [
    (
        Some(Point::ComputeBeforePlug),
        Some(Point::ComputeBeforeUnplug),
    ),
    (Some(Point::ComputeCabled), Some(Point::ComputeAfterUnplug)),
    (Some(Point::ComputeAfterPlug), None),
];

struct Story {
    cloud: Cloud,
    faults: Faults,
    admin: Api,
    server: String,
    network: String,
    key: PathBuf,
}

#[test]
fn a_machine_that_runs_gets_one_more_interface_and_loses_it() -> Result<()> {
    let image = guest::image()?;
    let mine = tempfile::tempdir()?;
    let key = guest::key(mine.path())?;
    let (cloud, faults) = Cloud::with_fault_points(&[])?;
    let admin = Api::sign_in(&cloud, "admin", &cloud.password("admin")?)?;
    boot(&cloud, &image, &key)?;
    let network = second_network(&admin)?;
    let servers = admin.get("/compute/v2.1/servers")?;
    let server = text(&servers["servers"][0]["id"])?;
    let story = Story {
        cloud,
        faults,
        admin,
        server,
        network,
        key,
    };
    let played = story.play();
    played.with_context(|| story.cloud.logs())?;
    story.cloud.down(&["--purge"])
}

impl Story {
    fn play(&self) -> Result<()> {
        // What an interface needs of its guest is there once it can be logged in to.
        self.inside("true")?;
        for (coming, going) in DEATHS {
            let (port, address) = self.attach(coming)?;
            self.is_reached(&address)?;
            ensure!(self.interfaces()? == 2, "one more interface, and only one");
            self.detach(&port, going)?;
            wait::until("a guest without it", SOON, || {
                Ok((self.interfaces()? == 1).then_some(()))
            })?;
            // The small guest's DHCP client outlives its interface, and the next one has its name.
            self.inside("kill $(cat /run/dhcp.eth1.pid)")?;
        }
        let (port, address) = self.attach(None)?;
        self.cloud.skybus(&["stop", "vm1"])?.ok()?;
        self.settles("SHUTOFF")?;
        self.cloud.skybus(&["start", "vm1"])?.ok()?;
        self.settles("ACTIVE")?;
        self.is_reached(&address)?;
        self.detach(&port, None)
    }

    /// Plugs the server into the second network; the compute worker dies at `point`. The port and its address.
    fn attach(&self, point: Option<Point>) -> Result<(String, String)> {
        self.arm(point)?;
        let words = [
            "-f",
            "json",
            "interface-attach",
            "--net-id",
            &self.network,
            "vm1",
        ];
        self.cloud.skybus(&words)?.ok()?;
        self.died(point)?;
        self.settles("ACTIVE")?;
        let plugs = self.plugs()?;
        ensure!(plugs.len() == 2, "{plugs:?}");
        let new = &plugs[1];
        let address = text(&new["fixed_ips"][0]["ip_address"])?;
        Ok((text(&new["port_id"])?, address))
    }

    fn detach(&self, port: &str, point: Option<Point>) -> Result<()> {
        self.arm(point)?;
        self.cloud
            .skybus(&["interface-detach", "vm1", port])?
            .ok()?;
        self.died(point)?;
        self.settles("ACTIVE")?;
        let plugs = self.plugs()?;
        ensure!(plugs.len() == 1, "{plugs:?}");
        Ok(())
    }

    fn arm(&self, point: Option<Point>) -> Result<()> {
        point.map_or(Ok(()), |point| {
            self.faults.arm("compute", &Armed::at(point, "-"))
        })
    }

    fn died(&self, point: Option<Point>) -> Result<()> {
        let Some(point) = point else {
            return Ok(());
        };
        wait::until(&format!("a death at {point}"), SOON, || {
            self.faults.death("compute")
        })
        .map(drop)
    }

    /// Waits until nothing is being done to the server, which then is so.
    fn settles(&self, status: &str) -> Result<()> {
        let path = format!("/compute/v2.1/servers/{}", self.server);
        let mut seen = Value::Null;
        let settled = wait::until("a server at rest", SOON, || {
            seen = self.admin.get(&path)?["server"].clone();
            let at_rest = seen["OS-EXT-STS:task_state"].is_null();
            Ok((at_rest && seen["status"] == status).then_some(()))
        });
        settled.with_context(|| seen.to_string())
    }

    fn plugs(&self) -> Result<Vec<Value>> {
        let path = format!("/compute/v2.1/servers/{}/os-interface", self.server);
        let all = self.admin.get(&path)?["interfaceAttachments"].clone();
        all.as_array().cloned().context("a list of interfaces")
    }

    /// How many interfaces the guest sees.
    fn interfaces(&self) -> Result<usize> {
        let list = self.inside("ls -d /sys/class/net/eth*")?;
        Ok(list.lines().count())
    }

    fn inside(&self, command: &str) -> Result<String> {
        guest::ssh(&self.cloud, "vm1", &self.key, command)
    }

    /// Waits until the guest answers at this address of the second network.
    fn is_reached(&self, address: &str) -> Result<()> {
        let id = self.network.replace('-', "");
        let space = format!("skybus-{}", id.get(..12).context("an id")?);
        let name = wait::until(&format!("a login to {address}"), SOON, || {
            let ran = self.login(&space, address)?;
            // 255 is ssh's own failure, and `timeout` ends with 124: it does not answer there yet.
            Ok((ran.code != 255 && ran.code != 124).then_some(ran))
        })?;
        ensure!(name.ok()?.trim() == "vm1", "another answers at {address}");
        Ok(())
    }

    fn login(&self, space: &str, address: &str) -> Result<Ran> {
        let mut ssh = Command::new("ip");
        ssh.args(["netns", "exec", space, "timeout", "30", "ssh", "-i"]);
        ssh.arg(&self.key);
        for option in [
            "BatchMode=yes",
            "ConnectTimeout=10",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
        ] {
            ssh.args(["-o", option]);
        }
        ssh.arg(format!("root@{address}")).arg("hostname");
        ran::run(&mut ssh, Duration::from_secs(60))
    }
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).context("a text")
}

fn second_network(admin: &Api) -> Result<String> {
    let make = |path: &str, body: Value| -> Result<Value> {
        let answer = admin.send("POST", path, &body.to_string())?;
        ensure!(answer.status == 201, "{path}: {answer:?}");
        Ok(answer.body)
    };
    let new = json!({ "network": { "name": "second" } });
    let made = make("/network/v2.0/networks", new)?;
    let network = text(&made["network"]["id"])?;
    let subnet =
        json!({ "subnet": { "network_id": network, "ip_version": 4, "cidr": "10.44.0.0/24" } });
    make("/network/v2.0/subnets", subnet)?;
    Ok(network)
}

fn boot(cloud: &Cloud, image: &Path, key: &Path) -> Result<()> {
    let (image, public) = (
        image.display().to_string(),
        format!("{}.pub", key.display()),
    );
    ensure!(fs::exists(&public)?, "a key");
    let lines: [&[&str]; 5] = [
        &["keypair-add", "--pub_key", &public, "key1"],
        &[
            "image-create",
            "tiny",
            "--file",
            &image,
            "--disk-format",
            "qcow2",
        ],
        &["flavor-create", "tiny", "auto", "128", "0", "1"],
        &[
            "secgroup-add-rule",
            "default",
            "tcp",
            "22",
            "22",
            "0.0.0.0/0",
        ],
        &[
            "boot",
            "--flavor",
            "tiny",
            "--image",
            "tiny",
            "--key_name",
            "key1",
            "--poll",
            "vm1",
        ],
    ];
    for line in lines {
        cloud.skybus(line)?.ok()?;
    }
    Ok(())
}
