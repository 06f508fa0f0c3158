//! Processes that are killed while real guests are made, rebooted and removed: each server has exactly
//! one machine afterwards, and none when it is gone; nor is anything left of its network.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use skybus_fault::Point;
use skybus_tests::{
    campaign::{
        Client, Operation, Server,
        stage::{Deed, Stage},
        tally::{self, Row},
    },
    cloud::Cloud,
    faults::Hit,
    guest,
    host::{self, Process},
    wait,
};

const QUIET: Duration = Duration::from_secs(90);

/// Who is killed where while a server is made, rebooted hard and removed again, one life of a server after
/// the other. Its network comes and goes with it, so each boot makes that anew.
const LIVES: &[[(&str, Point, &str); 3]] = &[
    [
        ("compute", Point::ComputeBeforeStart, "-"),
        ("compute", Point::ComputeAfterStop, "-"),
        ("compute", Point::ComputeBeforeRemove, "-"),
    ],
    [
        ("compute", Point::ComputeAfterStart, "-"),
        ("compute", Point::ComputeAfterStart, "-"),
        ("compute", Point::ComputeAfterRemove, "-"),
    ],
    [
        ("compute", Point::JournalBeforeCommit, "server.report/1"),
        ("compute", Point::JournalBeforeCommit, "server.report/1"),
        ("network", Point::NetworkBeforeTeardown, "-"),
    ],
    [
        ("compute", Point::JournalAfterCommit, "server.report/1"),
        ("compute", Point::ComputeBeforeStop, "-"),
        ("network", Point::NetworkAfterTeardown, "-"),
    ],
    [
        ("network", Point::NetworkBeforeConverge, "-"),
        ("api", Point::ApiBeforeAnswer, "change"),
        ("network", Point::JournalBeforeCommit, "port.report/1"),
    ],
    [
        ("network", Point::NetworkNamespaceMade, "-"),
        ("compute", Point::ComputeBeforeStart, "-"),
        ("compute", Point::JournalAfterCommit, "server.report/1"),
    ],
    [
        ("network", Point::NetworkFiltered, "-"),
        ("compute", Point::ConsumerBeforeAck, "server.ensure/1"),
        ("api", Point::ApiBeforeAnswer, "change"),
    ],
    [
        ("network", Point::NetworkLinked, "-"),
        ("compute", Point::JournalAfterAccept, "server.ensure/1"),
        ("network", Point::NetworkConverged, "-"),
    ],
    [
        ("network", Point::NetworkAfterConverge, "-"),
        ("api", Point::RelayConfirmed, "server.ensure/1"),
        ("api", Point::ConsumerBeforeAck, "server.report/1"),
    ],
    [
        (
            "api",
            Point::StoreAfterCommit,
            "oslo.notification/2+server.place/1",
        ),
        ("api", Point::ConsumerBeforeAck, "server.report/1"),
        ("compute", Point::RelayConfirmed, "server.report/1"),
    ],
];
const DEEDS: [Operation; 3] = [Operation::Boot, Operation::RebootHard, Operation::Delete];

#[test]
fn a_guest_is_there_once_and_then_not_at_all_whoever_dies_meanwhile() -> Result<()> {
    let image = guest::image()?;
    let (cloud, faults) = Cloud::with_fault_points(&[])?;
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
    cloud
        .skybus(&["flavor-create", "tiny", "auto", "128", "0", "1"])?
        .ok()?;
    let client = Client::booting(&cloud, None, "tiny", "tiny")?;
    let mut stage = Stage::set(cloud, faults, client, &[])?;

    let mut rows = DEEDS
        .map(|deed| Row::of(format!("{deed:?}"), LIVES.len()))
        .to_vec();
    for life in LIVES {
        live(&mut stage, life, &mut rows).with_context(|| stage.cloud.logs())?;
    }
    let table = tally::table(&rows);
    tell(&table);
    ensure!(rows.iter().all(|row| row.findings.is_empty()), "{table}");
    ensure!(rows.iter().all(|row| row.missed.is_empty()), "{table}");
    nothing_is_left(&stage.cloud)
}

/// A server's life, from its boot to its end.
fn live(
    stage: &mut Stage,
    life: &[(&'static str, Point, &str); 3],
    rows: &mut [Row],
) -> Result<()> {
    let mut server = None;
    for ((deed, (role, point, what)), row) in DEEDS.into_iter().zip(life).zip(rows) {
        let what = (*what).to_owned();
        let hit = Hit {
            role,
            point: *point,
            what,
        };
        let hits = std::slice::from_ref(&hit);
        let (now, missed) = stage.round(Deed::Ask(deed), server.as_ref(), hits, row)?;
        let now = now.context("a server")?;
        row.missed
            .extend(missed.iter().map(|hit| format!("{deed:?}: {hit:?}")));
        stage.all_well()?;
        row.findings.extend(stage.client.truth.settle(QUIET)?);
        let wanted = usize::from(deed != Operation::Delete);
        // A machine that was told to end may take a moment.
        let there = wait::until("the right machines", Duration::from_secs(90), || {
            let there = machines(&stage.cloud, &now);
            Ok((there.len() == wanted).then_some(()))
        });
        there.with_context(|| format!("{hit:?}: {:?}", machines(&stage.cloud, &now)))?;
        server = Some(now);
    }
    let traces = host::traces_of(&networks(&stage.cloud)?)?;
    ensure!(
        traces.is_empty(),
        "{life:?}: this is left of the network: {traces:#?}"
    );
    Ok(())
}

/// The machines of a server: QEMU processes that name it.
fn machines(cloud: &Cloud, server: &Server) -> Vec<Process> {
    let all = host::processes_of(&cloud.data_dir()).into_iter();
    let names = |process: &Process| {
        let words = fs::read(format!("/proc/{}/cmdline", process.id)).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(&server.id)
    };
    all.filter(|process| process.program.starts_with("qemu") && names(process))
        .collect()
}

fn networks(cloud: &Cloud) -> Result<Vec<String>> {
    let networks = cloud.skybus(&["-f", "json", "network-list"])?.json()?;
    let all = networks.as_array().into_iter().flatten();
    Ok(all
        .filter_map(|network| network["id"].as_str())
        .map(str::to_owned)
        .collect())
}

fn nothing_is_left(cloud: &Cloud) -> Result<()> {
    let (data, networks) = (cloud.data_dir(), networks(cloud)?);
    cloud.down(&["--purge"])?;
    let left = host::processes_of(&data);
    ensure!(left.is_empty(), "these processes were left: {left:?}");
    let traces = host::traces_of(&networks)?;
    ensure!(
        traces.is_empty(),
        "this was left of the networks: {traces:#?}"
    );
    Ok(())
}

/// Seen with `--nocapture`, and when the test fails.
#[allow(clippy::print_stderr, reason = "for who runs the test")]
fn tell(text: &str) {
    eprintln!("{text}");
}
