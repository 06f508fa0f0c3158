//! The first story of every cloud: a key, an image, a rule, a machine that answers on SSH with that
//! key, and everything that one does with it; and a host that afterwards is as it was before.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};
use skybus_tests::{
    cloud::Cloud,
    guest,
    host::{self, Footprint},
    wait,
};

/// What the guest is told to do at its first boot.
const USER_DATA: &str = "#!/bin/sh\necho planted >/root/from-user-data\necho the-user-data-ran\n";

#[test]
fn from_a_key_to_a_shell_and_back_to_nothing() -> Result<()> {
    let image = guest::image()?;
    let alone = host::is_quiet();
    let before = Footprint::now()?;
    let cloud = Cloud::with_real_guests()?;
    let mine = tempfile::tempdir()?;
    let key = guest::key(mine.path())?;
    let script = mine.path().join("user-data");
    fs::write(&script, USER_DATA)?;

    let public = format!("{}.pub", key.display());
    cloud
        .skybus(&["keypair-add", "--pub_key", &public, "key1"])?
        .ok()?;
    ensure!(cloud.skybus(&["keypair-list"])?.ok()?.contains("key1"));
    let file = image.display().to_string();
    cloud
        .skybus(&[
            "image-create",
            "tiny",
            "--file",
            &file,
            "--disk-format",
            "qcow2",
        ])?
        .ok()?;
    ensure!(cloud.skybus(&["image-list"])?.ok()?.contains("active"));
    for rule in [["tcp", "22", "22"], ["icmp", "-1", "-1"]] {
        let words = [
            "secgroup-add-rule",
            "default",
            rule[0],
            rule[1],
            rule[2],
            "0.0.0.0/0",
        ];
        cloud.skybus(&words)?.ok()?;
    }
    cloud
        .skybus(&["flavor-create", "tiny", "auto", "128", "0", "1"])?
        .ok()?;
    let script = script.display().to_string();
    let boot = [
        "boot",
        "--flavor",
        "tiny",
        "--image",
        "tiny",
        "--key_name",
        "key1",
    ];
    let rest = [
        "--user-data",
        &script,
        "--meta",
        "role=web",
        "--poll",
        "vm1",
    ];
    cloud.skybus(&[boot.as_slice(), &rest].concat())?.ok()?;

    its_owner_can_use_it(&cloud, &key)?;
    it_can_be_turned_off_and_on(&cloud, &key)?;

    cloud.skybus(&["delete", "--poll", "vm1"])?.ok()?;
    let all = cloud.skybus(&["list", "-f", "value"])?;
    ensure!(all.ok()?.is_empty(), "{all:?}");
    wait::until("a host without machines", Duration::from_secs(60), || {
        let machines = host::processes_of(&cloud.data_dir());
        Ok((!machines.iter().any(|p| p.program.starts_with("qemu"))).then_some(()))
    })?;

    let networks = cloud.skybus(&["-f", "json", "network-list"])?.json()?;
    let ids = networks
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|n| n["id"].as_str());
    let ids: Vec<String> = ids.map(str::to_owned).collect();
    let data = cloud.data_dir();
    cloud.down(&["--purge"])?;
    let left = host::processes_of(&data);
    ensure!(left.is_empty(), "these processes were left: {left:?}");
    ensure!(!data.exists(), "{} was left", data.display());
    let traces = host::traces_of(&ids)?;
    ensure!(
        traces.is_empty(),
        "this was left of the networks: {traces:#?}"
    );
    // Every other difference would be another cloud's, if there is one.
    if alone && host::is_quiet() {
        Footprint::now()?.must_equal(&before)?;
    }
    Ok(())
}

fn its_owner_can_use_it(cloud: &Cloud, key: &std::path::Path) -> Result<()> {
    ensure!(
        guest::ssh(cloud, "vm1", key, "hostname")? == "vm1",
        "the guest has another name"
    );
    let limit = Duration::from_secs(60);
    wait::until("what the user data plants", limit, || {
        let planted = guest::once(cloud, "vm1", key, "cat /root/from-user-data")?;
        Ok((planted.out.trim() == "planted").then_some(()))
    })?;
    let log = wait::until("the user data's line on the console", limit, || {
        let log = cloud.skybus(&["console-log", "vm1"])?;
        Ok(log.ok()?.contains("the-user-data-ran").then_some(log))
    })?;
    ensure!(
        log.out.contains("vm1"),
        "the console does not show the guest's name"
    );
    let last = cloud.skybus(&["console-log", "--length", "1", "vm1"])?;
    ensure!(
        last.ok()?.lines().count() <= 1,
        "more than the last line: {last:?}"
    );
    let trace = cloud.skybus(&["trace", "vm1"])?;
    ensure!(trace.ok()?.starts_with("create: done"), "{trace:?}");
    Ok(())
}

fn it_can_be_turned_off_and_on(cloud: &Cloud, key: &std::path::Path) -> Result<()> {
    let boot_id = "cat /proc/sys/kernel/random/boot_id";
    let first = guest::ssh(cloud, "vm1", key, boot_id)?;
    cloud.skybus(&["stop", "--poll", "vm1"])?.ok()?;
    let shown = cloud.skybus(&["show", "vm1"])?;
    ensure!(shown.ok()?.contains("SHUTOFF"), "{shown:?}");
    cloud.skybus(&["start", "--poll", "vm1"])?.ok()?;
    let second = guest::ssh(cloud, "vm1", key, boot_id)?;
    ensure!(first != second, "it was not off at all");
    cloud.skybus(&["reboot", "--poll", "vm1"])?.ok()?;
    let third = wait::until("a new boot", Duration::from_secs(240), || {
        let ran = guest::once(cloud, "vm1", key, boot_id)?;
        let id = ran.out.trim().to_owned();
        Ok((ran.code == 0 && id != second).then_some(id))
    })?;
    ensure!(third != first);
    ensure!(
        guest::ssh(cloud, "vm1", key, "cat /root/from-user-data")? == "planted",
        "its disk is new"
    );
    Ok(())
}
