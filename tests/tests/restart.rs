//! A guest keeps running while every process of skybus is stopped and started again.

use std::time::Duration;

use anyhow::{Result, ensure};
use skybus_tests::{
    cloud::Cloud,
    guest,
    host::{self, Process},
    wait,
};

#[test]
fn a_guest_outlives_every_process_of_the_cloud() -> Result<()> {
    let image = guest::image()?;
    let cloud = Cloud::with_real_guests()?;
    let mine = tempfile::tempdir()?;
    let key = guest::key(mine.path())?;
    let public = format!("{}.pub", key.display());
    cloud
        .skybus(&["keypair-add", "--pub_key", &public, "key1"])?
        .ok()?;
    let file = image.display().to_string();
    cloud
        .skybus(&["image-create", "tiny", "--file", &file])?
        .ok()?;
    cloud
        .skybus(&[
            "secgroup-add-rule",
            "default",
            "tcp",
            "22",
            "22",
            "0.0.0.0/0",
        ])?
        .ok()?;
    cloud
        .skybus(&["flavor-create", "tiny", "auto", "128", "0", "1"])?
        .ok()?;
    let boot = [
        "boot",
        "--flavor",
        "tiny",
        "--image",
        "tiny",
        "--key_name",
        "key1",
        "--poll",
        "vm1",
    ];
    cloud.skybus(&boot)?.ok()?;
    let boot_id = "cat /proc/sys/kernel/random/boot_id";
    let before = guest::ssh(&cloud, "vm1", &key, boot_id)?;
    let machines = machines(&cloud);
    ensure!(machines.len() == 1, "{machines:?}");

    kill_everything_but_guests(&cloud)?;
    ensure!(
        self::machines(&cloud) == machines,
        "the guest died with the cloud"
    );
    cloud.up(&[])?;

    wait::until("vm1 ACTIVE", Duration::from_secs(120), || {
        let shown = cloud.skybus(&["-f", "json", "show", "vm1"])?;
        Ok((shown.code == 0 && shown.json()?["status"] == "ACTIVE").then_some(()))
    })?;
    ensure!(
        self::machines(&cloud) == machines,
        "another machine runs now"
    );
    ensure!(
        guest::ssh(&cloud, "vm1", &key, boot_id)? == before,
        "the guest was booted anew"
    );

    // It is the cloud's again, not only alive.
    cloud.skybus(&["stop", "--poll", "vm1"])?.ok()?;
    ensure!(self::machines(&cloud).is_empty(), "it is not off");
    cloud.skybus(&["start", "--poll", "vm1"])?.ok()?;
    guest::ssh(&cloud, "vm1", &key, "true")?;
    Ok(())
}

fn machines(cloud: &Cloud) -> Vec<Process> {
    let all = host::processes_of(&cloud.data_dir());
    all.into_iter()
        .filter(|p| p.program.starts_with("qemu"))
        .collect()
}

/// The hardest way to stop: SIGKILL, the supervisor first, so that it starts nothing again.
fn kill_everything_but_guests(cloud: &Cloud) -> Result<()> {
    wait::until("an end of all processes", Duration::from_secs(60), || {
        let mut ours: Vec<Process> = host::processes_of(&cloud.data_dir())
            .into_iter()
            .filter(|p| p.program.starts_with("skybus"))
            .collect();
        ours.sort_by_key(|p| p.program != "skybus-supervisor");
        for process in &ours {
            host::kill(process);
        }
        Ok(ours.is_empty().then_some(()))
    })
}
