//! Who watches sees every change in order, once, also when the API is killed in the middle.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use skybus_tests::{api::Api, cloud::Cloud, host, wait};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_watcher_misses_nothing_and_sees_nothing_twice_when_the_api_is_killed() -> Result<()> {
    let cloud = Cloud::with_fake_hosts(2)?;
    cloud.add_small_image()?;
    let mine = tempfile::tempdir()?;
    let out = mine.path().join("out");
    let mut watcher = Watcher(
        cloud
            .program("skybus")?
            .args(["-f", "json", "watch", "--after", "0"])
            .stdout(File::create(&out)?)
            .stderr(File::create(mine.path().join("err"))?)
            .spawn()?,
    );
    let boot = ["boot", "--flavor", "m1.tiny", "--image", "small"];
    let polled = [&boot[..], &["--poll", "vm1"]].concat();
    cloud.skybus(&polled)?.ok()?;
    is_seen(&out, "vm1", "ACTIVE")?;
    let states = states(&seen(&out)?, "vm1");
    ensure!(
        states
            .first()
            .is_some_and(|state| state == "BUILD/scheduling")
            && states.last().is_some_and(|state| state == "ACTIVE"),
        "{states:?}"
    );

    cloud.skybus(&[&boot[..], &["vm2"]].concat())?.ok()?;
    let api = host::processes_of(&cloud.data_dir())
        .into_iter()
        .find(|process| process.program == "skybus-api");
    host::kill(&api.context("the API's process")?);
    is_seen(&out, "vm2", "ACTIVE")?;
    cloud.skybus(&["delete", "--poll", "vm1"])?.ok()?;
    is_seen(&out, "vm1", "DELETED")?;

    let admin = Api::sign_in(&cloud, "admin", &cloud.password("admin")?)?;
    let all = admin.get("/skybus/v1/events")?;
    let all = numbers(all["events"].as_array().context("a list of events")?);
    ensure!(numbers(&seen(&out)?) == all, "{:?}\n{all:?}", seen(&out)?);

    let id = watcher.0.id().to_string();
    ensure!(Command::new("kill").args(["-INT", &id]).status()?.success());
    let ended = wait::until("an end of the watcher", SOON, || {
        Ok(watcher.0.try_wait()?)
    })?;
    ensure!(ended.code() == Some(0), "{ended:?}");
    Ok(())
}

/// Ended with the test, whichever way that ends.
struct Watcher(Child);

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn seen(out: &Path) -> Result<Vec<Value>> {
    // The last line may be half written.
    let text = fs::read_to_string(out)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}

fn is_seen(out: &Path, name: &str, state: &str) -> Result<()> {
    wait::until(&format!("{name} {state} at the watcher"), SOON, || {
        let states = states(&seen(out)?, name);
        Ok(states.iter().any(|seen| seen == state).then_some(()))
    })
}

/// `BUILD/spawning`, in the order in which they were seen.
fn states(events: &[Value], name: &str) -> Vec<String> {
    events
        .iter()
        .map(|event| &event["payload"])
        .filter(|payload| payload["display_name"] == name)
        .map(|payload| {
            let status = payload["status"].as_str().unwrap_or_default();
            match payload["new_task_state"].as_str() {
                Some(task) => format!("{status}/{task}"),
                None => status.to_owned(),
            }
        })
        .collect()
}

fn numbers(events: &[Value]) -> Vec<i64> {
    events
        .iter()
        .filter_map(|event| event["seq"].as_i64())
        .collect()
}
