//! A boot that cannot be placed says why: to its owner in sum, to operators host by host.

use std::time::Duration;

use anyhow::{Result, ensure};
use skybus_tests::{cloud::Cloud, wait};

const SOON: Duration = Duration::from_secs(120);

#[test]
fn a_boot_without_a_host_says_why_host_by_host() -> Result<()> {
    let cloud = Cloud::with_fake_hosts(3)?;
    cloud.add_small_image()?;
    let hosts = cloud.hosts()?;
    ensure!(hosts.len() == 3, "{hosts:?}");
    let huge = ["flavor-create", "huge", "auto", "300000", "1", "1"];
    cloud.skybus(&huge)?.ok()?;
    cloud
        .skybus(&["quota-update", "admin", "--ram", "-1"])?
        .ok()?;

    let boot = cloud.skybus(&[
        "boot", "--flavor", "huge", "--image", "small", "--poll", "vm1",
    ])?;
    ensure!(boot.code == 6, "{boot:?}");
    let shown = cloud.skybus(&["-f", "json", "show", "vm1"])?.json()?;
    ensure!(shown["status"] == "ERROR", "{shown}");
    let trace = cloud.skybus(&["trace", "vm1"])?;
    for (place, text) in [
        ("the fault", &shown["fault"].to_string()),
        ("trace", &trace.ok()?.to_owned()),
    ] {
        for host in &hosts {
            ensure!(
                text.contains(host.as_str()),
                "{place} does not speak of {host}: {text}"
            );
        }
    }
    for (place, text) in [
        ("--poll", &boot.err),
        ("the fault", &shown["fault"].to_string()),
    ] {
        ensure!(
            text.contains("300000") && text.contains("3 hosts: ram"),
            "{place} does not say what was wanted and lacked: {text}"
        );
    }
    let table = cloud.skybus(&["show", "vm1"])?;
    ensure!(table.ok()?.contains("| fault "), "{table:?}");

    // Who owns a server learns what was lacking, and no host's name.
    cloud
        .skybus(&["quota-update", "demo", "--ram", "-1"])?
        .ok()?;
    let boot = [
        "boot", "--flavor", "huge", "--image", "small", "--poll", "vm1",
    ];
    let boot = cloud.skybus_as_demo(&boot)?;
    ensure!(
        boot.code == 6 && boot.err.contains("3 hosts: ram"),
        "{boot:?}"
    );
    let told = [
        cloud.skybus_as_demo(&["-f", "json", "trace", "vm1"])?,
        cloud.skybus_as_demo(&["-f", "json", "show", "vm1"])?,
        boot,
    ];
    for ran in told {
        for host in &hosts {
            let text = format!("{}{}", ran.out, ran.err);
            ensure!(
                !text.contains(host.as_str()),
                "an owner is told of {host}: {text}"
            );
        }
    }
    cloud.skybus_as_demo(&["delete", "--poll", "vm1"])?.ok()?;

    cloud.skybus(&["delete", "--poll", "vm1"])?.ok()?;
    an_operators_reason_is_told(&cloud, &hosts[0])?;

    // Nothing stays claimed, and the host that was disabled takes servers again.
    let used = cloud.skybus(&["-f", "json", "hypervisor-list"])?.json()?;
    let claimed: i64 = used
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|h| h["memory_mb_used"].as_i64())
        .sum();
    ensure!(claimed == 0, "{used}");
    let boot = [
        "boot", "--flavor", "m1.tiny", "--image", "small", "--poll", "vm2",
    ];
    cloud.skybus(&boot)?.ok()?;
    Ok(())
}

/// Schedulers learn of it within a second or two, so that a boot just after it may not know.
fn an_operators_reason_is_told(cloud: &Cloud, host: &str) -> Result<()> {
    let disable = ["service-disable", host, "--reason", "new fans"];
    cloud.skybus(&disable)?.ok()?;
    wait::until("a boot that is told of new fans", SOON, || {
        let boot = [
            "boot", "--flavor", "huge", "--image", "small", "--poll", "vm3",
        ];
        let boot = cloud.skybus(&boot)?;
        cloud.skybus(&["delete", "--poll", "vm3"])?.ok()?;
        let told = boot.err.contains("2 hosts: ram") && boot.err.contains("new fans");
        Ok(told.then_some(()))
    })?;
    cloud.skybus(&["service-enable", host])?.ok().map(drop)
}
