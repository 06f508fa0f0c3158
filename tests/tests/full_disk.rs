//! A disk that is full: who asks is told so, nothing is half done, and with room again all goes on by itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use skybus_tests::{
    campaign::{Client, End, Operation},
    cloud::Cloud,
    disk::Disk,
    guest, wait,
};

/// What preflight wants to be free, and the cloud itself.
const DATA: u32 = 1300;
/// Until the last page that was free already has been used.
const UNTIL_REFUSED: Duration = Duration::from_secs(60);
/// The broker looks every ten seconds whether there is room again.
const QUIET: Duration = Duration::from_secs(120);

#[test]
fn a_full_data_disk_refuses_what_cannot_be_kept_and_goes_on_when_there_is_room() -> Result<()> {
    let cloud = Cloud::on_a_disk_of(DATA, &["--virt-type", "fake", "--fake-hosts", "3"])?;
    cloud.add_small_image()?;
    cloud
        .skybus(&[
            "quota-update",
            "admin",
            "--instances",
            "-1",
            "--cores",
            "-1",
            "--ram",
            "-1",
        ])?
        .ok()?;
    let client = Client::of(&cloud, None)?;
    let before = client.boot("before")?;
    ensure!(client.end(Operation::Boot, &before)? == End::AsAsked);

    let disk = cloud.disk().context("the cloud's disk")?;
    disk.fill()?;
    let mut accepted = Vec::new();
    let refused = wait::until("a boot that is refused", UNTIL_REFUSED, || {
        for _ in 0..20 {
            let name = format!("vm-{}", accepted.len());
            let answer = client.ask_for(&name, None)?;
            if answer.status != 202 {
                return Ok(Some(answer));
            }
            accepted.push(name);
        }
        Ok(None)
    })?;
    ensure!(refused.status == 503, "{refused:?}");
    ensure!(refused.message().contains("is full"), "{refused:?}");
    // What needs no room is answered as ever.
    let shown = cloud.skybus(&["-f", "json", "list"])?.json()?;
    let count = shown.as_array().map_or(0, Vec::len);
    ensure!(count == accepted.len() + 1, "{shown}");

    disk.make_room()?;
    let after = wait::until("room for a boot", QUIET, || {
        let answer = client.ask_for("after", None)?;
        Ok((answer.status == 202).then_some(()))
    });
    after.with_context(|| cloud.logs())?;
    let findings = client.truth.settle(QUIET)?;
    ensure!(findings.is_empty(), "{findings:#?}\n{}", cloud.logs());
    let servers = client.truth.servers()?;
    ensure!(
        servers.len() == accepted.len() + 2,
        "{} were accepted, and these are there: {servers:#?}",
        accepted.len()
    );
    let strays: Vec<_> = servers.iter().filter(|s| s.state != "active").collect();
    ensure!(strays.is_empty(), "{strays:#?}");
    Ok(())
}

#[test]
fn a_full_image_cache_is_the_reason_that_a_boot_fails_with_and_leaves_nothing() -> Result<()> {
    let image = guest::image()?;
    let cloud = Cloud::with_real_guests()?;
    let file = image.display().to_string();
    let create = ["image-create", "tiny", "--file", &file];
    cloud.skybus(&create)?.ok()?;
    cloud
        .skybus(&["flavor-create", "tiny", "auto", "128", "0", "1"])?
        .ok()?;
    let cache = Disk::at(&cloud.data_dir().join("compute/images"), 4)?;
    cache.fill()?;

    let boot = ["boot", "--flavor", "tiny", "--image", "tiny", "--poll"];
    let failed = cloud.skybus(&[&boot[..], &["vm1"]].concat())?;
    ensure!(failed.code != 0, "a boot without room for its image");
    let shown = cloud.skybus(&["-f", "json", "show", "vm1"])?.json()?;
    ensure!(shown["status"] == "ERROR", "{shown}");
    let fault = shown["fault"].to_string();
    ensure!(fault.contains("disk is too full"), "{fault}");
    cloud.skybus(&["delete", "vm1"])?.ok()?;
    let client = Client::booting(&cloud, None, "tiny", "tiny")?;
    let findings = client.truth.settle(QUIET)?;
    ensure!(findings.is_empty(), "{findings:#?}");

    drop(cache);
    cloud.skybus(&[&boot[..], &["vm2"]].concat())?.ok()?;
    Ok(())
}
