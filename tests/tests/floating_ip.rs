//! A machine gets an address of the outside: with the right rule it is logged in to from another machine, and
//! without the rule, or without the address, it is not.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use skybus_tests::{
    cloud::Cloud,
    guest,
    host::{self, Footprint},
    outside::Outside,
    wait,
};

/// Much longer than it takes: a guest boots, or a host is told.
const SOON: Duration = Duration::from_secs(240);
/// What lets a login in, or no longer.
const LOGINS: [&str; 5] = ["default", "tcp", "22", "22", "0.0.0.0/0"];

#[test]
fn a_machine_is_reached_from_outside_while_it_has_an_address_there() -> Result<()> {
    let image = guest::image()?;
    let outside = Outside::new()?;
    let alone = host::is_quiet();
    let before = Footprint::now()?;
    let wire = ["--public-interface", &outside.interface];
    let cloud = Cloud::start(&[&wire[..], &["--floating-range", Outside::RANGE]].concat())?;
    let mine = tempfile::tempdir()?;
    let key = guest::key(mine.path())?;
    boot(&cloud, &image, &key)?;

    cloud.skybus(&["floating-ip-create", "public"])?.ok()?;
    let address = &the_floating_ip(&cloud)?;
    cloud.skybus(&["add-floating-ip", "vm1", address])?.ok()?;
    let rule = [&["secgroup-add-rule"], &LOGINS[..]].concat();
    cloud.skybus(&rule)?.ok()?;
    let name = reached(&outside, address, &key, "hostname")?;
    ensure!(name == "vm1", "{name} answers for vm1");
    let seen = reached(&outside, address, &key, "echo $SSH_CLIENT")?;
    ensure!(seen.starts_with("203.0.113.254 "), "the guest saw {seen}");

    the_way_in_comes_back(&cloud, &outside, address, &key)?;

    let no_rule = [&["secgroup-delete-rule"], &LOGINS[..]].concat();
    cloud.skybus(&no_rule)?.ok()?;
    not_reached(&outside, address, &key)?;
    cloud.skybus(&rule)?.ok()?;
    reached(&outside, address, &key, "true")?;

    cloud
        .skybus(&["remove-floating-ip", "vm1", address])?
        .ok()?;
    not_reached(&outside, address, &key)?;
    cloud.skybus(&["floating-ip-delete", address])?.ok()?;
    let left = cloud.skybus(&["-f", "json", "floating-ip-list"])?.json()?;
    ensure!(left.as_array().is_some_and(Vec::is_empty), "{left}");

    cloud.skybus(&["floating-ip-create"])?.ok()?;
    let another = the_floating_ip(&cloud)?;
    cloud.skybus(&["add-floating-ip", "vm1", &another])?.ok()?;
    reached(&outside, &another, &key, "true")?;
    cloud.down(&["--purge"])?;
    // Every difference would be another cloud's, if there is one.
    if alone && host::is_quiet() {
        Footprint::now()?.must_equal(&before)?;
    }
    Ok(())
}

/// Somebody takes the route away by hand: the host's worker says what it would do about it, and does it.
fn the_way_in_comes_back(
    cloud: &Cloud,
    outside: &Outside,
    address: &str,
    key: &Path,
) -> Result<()> {
    let host = cloud.hosts()?.pop().context("the cloud has a host")?;
    let plan = || {
        let ran = cloud.skybus(&["-f", "json", "admin", "network", "plan", &host])?;
        let changes = ran.json()?["changes"].clone();
        anyhow::Ok(changes.as_array().context("a list of changes")?.clone())
    };
    // It may be mended between two looks.
    wait::until("a plan to mend the route", SOON, || {
        let route = ["route", "delete", address];
        let _mended_already = Command::new("ip").args(route).output()?;
        Ok(plan()?
            .iter()
            .any(|line| names(line, address))
            .then_some(()))
    })?;
    wait::until("nothing left to be done", SOON, || {
        Ok(plan()?.is_empty().then_some(()))
    })?;
    reached(outside, address, key, "true")?;
    let nowhere = cloud.skybus(&["admin", "network", "plan", "nowhere"])?;
    ensure!(nowhere.code != 0, "{nowhere:?}");
    Ok(())
}

fn names(line: &Value, address: &str) -> bool {
    line.as_str().is_some_and(|line| line.contains(address))
}

fn boot(cloud: &Cloud, image: &Path, key: &Path) -> Result<()> {
    let (image, public) = (
        image.display().to_string(),
        format!("{}.pub", key.display()),
    );
    let lines: [&[&str]; 4] = [
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

fn the_floating_ip(cloud: &Cloud) -> Result<String> {
    let all = cloud.skybus(&["-f", "json", "floating-ip-list"])?.json()?;
    let address = all[0]["floating_ip_address"].as_str();
    address.map(str::to_owned).with_context(|| all.to_string())
}

/// Logs in, as soon as that is possible; what the command printed.
fn reached(outside: &Outside, address: &str, key: &Path, command: &str) -> Result<String> {
    let ran = wait::until(&format!("a login to {address}"), SOON, || {
        outside.ssh(address, key, command)
    })?;
    Ok(ran.ok()?.trim().to_owned())
}

/// Waits until nobody can log in any more.
fn not_reached(outside: &Outside, address: &str, key: &Path) -> Result<()> {
    wait::until(&format!("no way to {address}"), SOON, || {
        let ran = outside.ssh(address, key, "true")?;
        Ok(ran.is_none().then_some(()))
    })
}
