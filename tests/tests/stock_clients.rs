//! The community's own clients do what the first story does, against the same APIs: nothing of skybus
//! is on the way but the cloud.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use skybus_tests::{cloud::Cloud, guest, stock::Clients, wait};

struct Desk {
    cloud: Cloud,
    clients: Clients,
}

impl Desk {
    fn openstack(&self, words: &[&str]) -> Result<String> {
        Ok(self
            .clients
            .run(&self.cloud, "openstack", words)?
            .ok()?
            .trim()
            .to_owned())
    }

    fn json(&self, words: &[&str]) -> Result<Value> {
        self.clients
            .run(&self.cloud, "openstack", &[words, &["-f", "json"]].concat())?
            .json()
    }

    fn nova(&self, words: &[&str]) -> Result<String> {
        Ok(self
            .clients
            .run(&self.cloud, "nova", words)?
            .ok()?
            .to_owned())
    }

    fn glance(&self, words: &[&str]) -> Result<String> {
        Ok(self
            .clients
            .run(&self.cloud, "glance", words)?
            .ok()?
            .to_owned())
    }

    fn wait_for(&self, server: &str, status: &str) -> Result<()> {
        wait::until(
            &format!("{server} {status}"),
            Duration::from_secs(240),
            || {
                let shown = self.json(&["server", "show", server])?;
                ensure!(status == "ERROR" || shown["status"] != "ERROR", "{shown}");
                Ok((shown["status"] == status).then_some(()))
            },
        )
    }
}

#[test]
fn the_openstack_client_does_it_with_a_real_guest() -> Result<()> {
    let image = guest::image()?.display().to_string();
    let desk = Desk {
        clients: Clients::install()?,
        cloud: Cloud::with_real_guests()?,
    };
    let mine = tempfile::tempdir()?;
    let key = guest::key(mine.path())?;
    let public = format!("{}.pub", key.display());

    desk.openstack(&["keypair", "create", "--public-key", &public, "key1"])?;
    desk.openstack(&[
        "image",
        "create",
        "--disk-format",
        "qcow2",
        "--file",
        &image,
        "tiny",
    ])?;
    desk.openstack(&[
        "flavor", "create", "--ram", "128", "--disk", "0", "--vcpus", "1", "tiny",
    ])?;
    let group = default_group(&desk)?;
    let rule = [
        "security",
        "group",
        "rule",
        "create",
        "--proto",
        "tcp",
        "--dst-port",
        "22:22",
        &group,
    ];
    desk.openstack(&rule)?;
    desk.openstack(&[
        "security", "group", "rule", "create", "--proto", "icmp", &group,
    ])?;
    let boot = [
        "server",
        "create",
        "--flavor",
        "tiny",
        "--image",
        "tiny",
        "--key-name",
        "key1",
    ];
    desk.openstack(
        &[
            boot.as_slice(),
            &["--property", "role=web", "--wait", "vm1"],
        ]
        .concat(),
    )?;
    ensure!(guest::ssh(&desk.cloud, "vm1", &key, "hostname")? == "vm1");
    ensure!(
        desk.openstack(&["console", "log", "show", "vm1"])?
            .contains("vm1")
    );

    desk.openstack(&["server", "stop", "vm1"])?;
    desk.wait_for("vm1", "SHUTOFF")?;
    desk.openstack(&["server", "start", "vm1"])?;
    desk.wait_for("vm1", "ACTIVE")?;
    desk.openstack(&["server", "reboot", "--hard", "--wait", "vm1"])?;
    ensure!(guest::ssh(&desk.cloud, "vm1", &key, "hostname")? == "vm1");
    desk.openstack(&["server", "delete", "--wait", "vm1"])?;
    ensure!(
        desk.json(&["server", "list"])?
            .as_array()
            .is_some_and(Vec::is_empty)
    );
    Ok(())
}

/// The project's own group; an administrator sees those of every project.
fn default_group(desk: &Desk) -> Result<String> {
    let project = desk.openstack(&["project", "show", "admin", "-f", "value", "-c", "id"])?;
    let list = ["security", "group", "list", "--project", &project];
    let groups = desk.json(&list)?;
    let mut all = groups.as_array().into_iter().flatten();
    let group = all
        .find(|g| g["Name"] == "default")
        .and_then(|g| g["ID"].as_str());
    Ok(group.unwrap_or("default").to_owned())
}

#[test]
fn the_openstack_client_reads_everything_that_it_lists() -> Result<()> {
    let desk = Desk {
        clients: Clients::install()?,
        cloud: Cloud::with_fake_hosts(2)?,
    };
    desk.cloud.add_small_image()?;
    for words in [
        ["token", "issue"].as_slice(),
        &["catalog", "list"],
        &["endpoint", "list"],
        &["user", "list"],
        &["project", "list"],
        &["role", "list"],
        &["role", "assignment", "list", "--names"],
        &["image", "list"],
        &["image", "show", "small"],
        &["flavor", "list"],
        &["keypair", "list"],
        &["network", "list"],
        &["subnet", "list"],
        &["port", "list"],
        &["security", "group", "list"],
        &["floating", "ip", "list"],
        &["network", "list", "--external"],
        &["hypervisor", "list"],
        &["compute", "service", "list"],
        &["availability", "zone", "list", "--compute"],
        &["quota", "show", "--compute"],
        &["limits", "show", "--absolute"],
        &["server", "list", "--all-projects"],
    ] {
        desk.json(words)?;
    }
    Ok(())
}

#[test]
fn the_openstack_client_leads_a_floating_ip_to_a_server() -> Result<()> {
    let desk = Desk {
        clients: Clients::install()?,
        cloud: Cloud::with_fake_hosts(2)?,
    };
    desk.cloud.add_small_image()?;
    let boot = "server create --flavor m1.tiny --image small --network flat --wait vm1";
    desk.openstack(&boot.split(' ').collect::<Vec<_>>())?;
    let made = desk.json(&["floating", "ip", "create", "public"])?;
    let ip = made["floating_ip_address"].as_str().unwrap_or_default();
    desk.openstack(&["server", "add", "floating", "ip", "vm1", ip])?;
    let shown = desk.openstack(&["server", "show", "vm1", "-f", "value", "-c", "addresses"])?;
    ensure!(shown.contains(ip), "{shown}");
    let status = || -> Result<String> {
        let shown = desk.json(&["floating", "ip", "show", ip])?;
        Ok(shown["status"].as_str().unwrap_or_default().to_owned())
    };
    wait::until("an ACTIVE floating IP", Duration::from_secs(240), || {
        Ok((status()? == "ACTIVE").then_some(()))
    })?;
    desk.openstack(&["server", "remove", "floating", "ip", "vm1", ip])?;
    ensure!(status()? == "DOWN");
    desk.openstack(&["floating", "ip", "delete", ip])?;
    let left = desk.json(&["floating", "ip", "list"])?;
    ensure!(left.as_array().is_some_and(Vec::is_empty), "{left}");
    Ok(())
}

#[test]
fn the_nova_and_glance_clients_do_it_too() -> Result<()> {
    let desk = Desk {
        clients: Clients::install()?,
        cloud: Cloud::with_fake_hosts(2)?,
    };
    let mine = tempfile::tempdir()?;
    let file = mine.path().join("disk.raw");
    std::fs::write(&file, vec![7_u8; 1 << 20])?;
    let file = file.display().to_string();
    let create = [
        "image-create",
        "--name",
        "tiny",
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
    ];
    desk.glance(&[create.as_slice(), &["--file", &file]].concat())?;
    ensure!(desk.glance(&["image-list"])?.contains("tiny"));

    let key = guest::key(mine.path())?;
    let public = format!("{}.pub", key.display());
    desk.nova(&["keypair-add", "--pub-key", &public, "key1"])?;
    ensure!(desk.nova(&["keypair-list"])?.contains("key1"));
    ensure!(desk.nova(&["flavor-list"])?.contains("m1.tiny"));
    let boot = [
        "boot",
        "--flavor",
        "m1.tiny",
        "--image",
        "tiny",
        "--key-name",
        "key1",
    ];
    desk.nova(&[boot.as_slice(), &["--nic", "auto", "--poll", "vm1"]].concat())?;
    ensure!(desk.nova(&["list"])?.contains("ACTIVE"));
    desk.nova(&["meta", "vm1", "set", "role=web"])?;
    ensure!(desk.nova(&["show", "vm1"])?.contains("web"));
    desk.nova(&["console-log", "vm1"])?;
    desk.nova(&["stop", "vm1"])?;
    desk.wait_for("vm1", "SHUTOFF")?;
    desk.nova(&["start", "vm1"])?;
    desk.wait_for("vm1", "ACTIVE")?;
    desk.nova(&["reboot", "--poll", "vm1"])?;
    desk.nova(&["delete", "vm1"])?;
    wait::until("no server", Duration::from_secs(60), || {
        Ok((!desk.nova(&["list"])?.contains("vm1")).then_some(()))
    })?;
    ensure!(desk.nova(&["hypervisor-list"])?.contains("up"));
    ensure!(desk.nova(&["service-list"])?.contains("nova-compute"));
    Ok(())
}
